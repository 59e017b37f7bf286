//! Puts what `wasmill plugin new` writes into the program: the template of a project, the SDK's sources, and versions that fit both. And
//! links it without symbols.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    without_symbols();
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let sdk = root.join("sdk/rust");
    let read = |path: &str| {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
        fs::read_to_string(root.join(path))
    };
    let (root_manifest, sdk_manifest) = (read("Cargo.toml")?, read("sdk/rust/Cargo.toml")?);
    let derive_manifest = read("sdk/rust/derive/Cargo.toml")?;
    let tables = workspace_tables(&root_manifest, &[&sdk_manifest, &derive_manifest])?;

    let mut code = String::new();
    write!(code, "/// A new project's files.\npub static TEMPLATE: &[(&str, &str)] = &[")?;
    include(&mut code, &sdk.join("template"), &sdk.join("template"))?;
    write!(code, "];\n/// The SDK's files, as they lie in a project.\npub static SDK: &[(&str, &str)] = &[")?;
    for part in ["src", "derive", "README.md"] {
        include(&mut code, &sdk, &sdk.join(part))?;
    }
    writeln!(code, "(\"Cargo.toml\", {:?})];", format!("{sdk_manifest}\n{tables}"))?;
    let lock = locked(&read("plugins/Cargo.lock")?, &["wasmill-sdk", "serde", "serde_json"])?;
    writeln!(code, "/// The versions that the SDK was tested with: a project's Cargo.lock, without the project.")?;
    writeln!(code, "pub static LOCK: &str = {lock:?};")?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("project_files.rs"), code)?;
    Ok(())
}

/// Links without symbols, a fifth of the program's size; `WASMILL_SYMBOLS=1` keeps them, for a profiler. As an argument of the last link
/// only: `strip` in the profile would be one of every dependency, and changing it would compile them all again.
fn without_symbols() {
    println!("cargo::rerun-if-env-changed=WASMILL_SYMBOLS");
    let linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    if linux && env::var_os("WASMILL_SYMBOLS").is_none() {
        println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    }
}

/// Adds the files of a folder, or a file, with their paths from `base`.
fn include(code: &mut String, base: &Path, path: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", path.display());
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        entries.retain(|entry| base.ends_with("template") || !entry.ends_with("tests.rs"));
        entries.sort();
        return entries.iter().try_for_each(|entry| include(code, base, entry));
    }
    let name = path.strip_prefix(base).map_err(io::Error::other)?;
    // Writing to a string can't fail.
    let _ = write!(code, "({name:?}, include_str!({path:?})),");
    Ok(())
}

/// What the SDK's manifests take from the workspace, so that they stand by themselves: the package's fields, lints, and the
/// dependencies that they name.
fn workspace_tables(root: &str, manifests: &[&str]) -> Result<String, Box<dyn Error>> {
    let table = |name: &str| {
        let begin = root.find(&format!("[{name}]\n")).ok_or_else(|| format!("Cargo.toml has no [{name}]"))?;
        let end = root[begin..].find("\n[").map_or(root.len(), |end| begin + end);
        Ok::<_, String>(root[begin..end].trim_end())
    };
    let inherits = |name: &str| {
        manifests
            .iter()
            .flat_map(|manifest| manifest.lines())
            .any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with("= { workspace = true")))
    };
    let dependencies = table("workspace.dependencies")?;
    let dependencies = dependencies.lines().filter(|line| line.split_once(" = ").is_some_and(|(name, _)| inherits(name)));
    let dependencies: Vec<String> = dependencies.map(|line| line.replace("sdk/rust/derive", "derive")).collect();
    Ok(format!(
        "[workspace]\nmembers = [\"derive\"]\n\n{}\n\n[workspace.dependencies]\n{}\n\n{}\n\n{}\n",
        table("workspace.package")?,
        dependencies.join("\n"),
        table("workspace.lints.rust")?,
        table("workspace.lints.clippy")?
    ))
}

/// A lock file with these packages and what they need.
fn locked(lock: &str, wanted: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut parts = lock.split("[[package]]\n");
    let head = parts.next().ok_or("the lock file is empty")?;
    let packages: Vec<&str> = parts.collect();
    let name = |package: &str| {
        package.lines().next().and_then(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).map(str::to_owned)
    };
    let mut kept = BTreeSet::new();
    let mut open: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    while let Some(next) = open.pop() {
        let package = packages.iter().find(|package| name(package).as_ref() == Some(&next));
        let package = package.ok_or_else(|| format!("plugins/Cargo.lock has no {next}"))?;
        if kept.insert(next) {
            let needs = package.lines().filter_map(|line| line.strip_prefix(" \"")?.strip_suffix("\","));
            open.extend(needs.filter_map(|need| need.split(' ').next()).map(str::to_owned));
        }
    }
    let kept: Vec<&str> = packages.into_iter().filter(|package| name(package).is_some_and(|name| kept.contains(&name))).collect();
    Ok(format!("{head}[[package]]\n{}", kept.join("[[package]]\n")))
}
