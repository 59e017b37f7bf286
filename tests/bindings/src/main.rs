//! Writes the SDK's bindings of the plugin contract: `cargo run --manifest-path tests/bindings/Cargo.toml`, after a change of wit/.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::{Opts, WithOption};

/// The contract's worlds.
const OPERATOR: &str = "stream-operator";
const AGGREGATE: &str = "aggregate-function";
const WINDOW: &str = "window-function";

fn main() -> Result<(), Box<dyn Error>> {
    for world in [OPERATOR, AGGREGATE, WINDOW] {
        fs::write(checked_in(world), generated(world)?)?;
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn checked_in(world: &str) -> PathBuf {
    root().join(format!("sdk/rust/src/bindings/{}.rs", world.replace('-', "_")))
}

/// A world's bindings, as the generator writes them of the contract as it is. What all worlds know is written once, for operators.
fn generated(world: &str) -> Result<String, Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit"))?;
    let selected = resolve.select_world(&[package], Some(world))?;
    let mut files = Files::default();
    let shared = |interface: &str| {
        let name = format!("wasmill:plugin/{interface}@0.1.0");
        (name, WithOption::Path(format!("crate::bindings::stream_operator::wasmill::plugin::{interface}")))
    };
    let with = if world != OPERATOR { ["data", "errors", "log"].map(shared).into() } else { Vec::new() };
    let options = Opts { generate_all: true, pub_export_macro: true, with, ..Opts::default() };
    options.build().generate(&mut resolve, selected, &mut files)?;
    let (_, text) = files.iter().next().ok_or("the generator wrote no file")?;
    Ok(String::from_utf8(text.to_vec())?)
}

#[test]
fn the_bindings_that_are_checked_in_are_those_of_the_contract() {
    for world in [OPERATOR, AGGREGATE, WINDOW] {
        let there = fs::read_to_string(checked_in(world)).expect("the bindings are there");
        let generated = generated(world).expect("the contract can be read");
        let differs = generated.lines().zip(there.lines()).position(|(generated, there)| generated != there);
        if let Some(at) = differs.or((generated.len() != there.len()).then_some(generated.lines().count())) {
            let line = |text: &str| text.lines().nth(at).unwrap_or("nothing").to_owned();
            panic!(
                "{}:{}: is\n{}\nand would be\n{}\nwrite it anew: cargo run --manifest-path tests/bindings/Cargo.toml",
                checked_in(world).display(),
                at + 1,
                line(&there),
                line(&generated)
            );
        }
    }
}
