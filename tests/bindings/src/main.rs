//! Writes the SDK's bindings of the plugin contract: `cargo run --manifest-path tests/bindings/Cargo.toml`, after a change of wit/.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::Opts;

/// The world of the contract that the SDK has bindings of.
const WORLD: &str = "stream-operator";

fn main() -> Result<(), Box<dyn Error>> {
    Ok(fs::write(checked_in(), generated()?)?)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn checked_in() -> PathBuf {
    root().join("sdk/rust/src/bindings/stream_operator.rs")
}

/// The bindings, as the generator writes them of the contract as it is.
fn generated() -> Result<String, Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit"))?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    let mut files = Files::default();
    let options = Opts { generate_all: true, pub_export_macro: true, ..Opts::default() };
    options.build().generate(&mut resolve, world, &mut files)?;
    let (_, text) = files.iter().next().ok_or("the generator wrote no file")?;
    Ok(String::from_utf8(text.to_vec())?)
}

#[test]
fn the_bindings_that_are_checked_in_are_those_of_the_contract() {
    let there = fs::read_to_string(checked_in()).expect("the bindings are there");
    let generated = generated().expect("the contract can be read");
    let differs = generated.lines().zip(there.lines()).position(|(generated, there)| generated != there);
    if let Some(at) = differs.or((generated.len() != there.len()).then_some(generated.lines().count())) {
        let line = |text: &str| text.lines().nth(at).unwrap_or("nothing").to_owned();
        panic!(
            "{}:{}: is\n{}\nand would be\n{}\nwrite it anew: cargo run --manifest-path tests/bindings/Cargo.toml",
            checked_in().display(),
            at + 1,
            line(&there),
            line(&generated)
        );
    }
}
