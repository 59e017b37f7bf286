//! Debian's Rust: it has no core library for the target, but its source, of which Cargo builds one.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{TARGET, Toolchain, has_core, installed, limited_time};
use crate::report;

/// The packages that hold a recent enough compiler, Cargo, the source of the core library, and the name of the linker that goes with
/// them: [`LLD`] is a link to it, and it is a package of that name.
pub const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LLD: &str = "/usr/bin/rust-lld";
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core";
const LINKER: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER";
/// Asking a compiler.
const ASKING: Duration = Duration::from_secs(30);
/// Installing fetches some 200 MB.
const INSTALLING: Duration = Duration::from_secs(1_200);

/// Debian's Rust, where it is there and recent enough.
pub fn find(directory: &Path) -> Result<Toolchain, String> {
    for path in [RUSTC, CARGO] {
        if !Path::new(path).is_file() {
            return Err(format!("Debian's Rust isn't there: no {path}"));
        }
    }
    let version = limited_time::run(Command::new(RUSTC).arg("--version"), ASKING)?;
    let needed = env!("CARGO_PKG_RUST_VERSION");
    if version_of(&version) < version_of(&format!("rustc {needed}")) {
        return Err(format!("{RUSTC} is {}, and plugins need {needed}", version.trim()));
    }
    let libraries = limited_time::run(Command::new(RUSTC).args(["--print", "target-libdir", "--target", TARGET]), ASKING)?;
    let mut toolchain = Toolchain {
        cargo: CARGO.into(),
        arguments: Vec::new(),
        environment: vec![("RUSTC", RUSTC.into())],
        description: "Debian's Rust".to_owned(),
    };
    if has_core(Path::new(libraries.trim())) {
        return Ok(toolchain);
    }
    if !Path::new(SOURCE).exists() {
        return Err(format!("Debian's Rust has neither a core library for that target nor its source: no {SOURCE}"));
    }
    let linker = linker(directory).ok_or("there is no linker for WebAssembly: neither rust-lld nor wasm-ld")?;
    toolchain.arguments.push("-Zbuild-std=std,panic_abort".to_owned());
    toolchain.environment.push(("RUSTC_BOOTSTRAP", "1".into()));
    toolchain.environment.push((LINKER, linker.into()));
    toolchain.description.push_str(", which builds its own core library");
    Ok(toolchain)
}

/// Installs Debian's packages, where that is allowed.
pub fn install(directory: &Path) -> Result<Toolchain, String> {
    let packages = PACKAGES.join(" ");
    if !Path::new("/usr/bin/apt-get").is_file() {
        return Err("this isn't Debian: no /usr/bin/apt-get".to_owned());
    }
    if !fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        return Err(format!("Debian's packages {packages} can only be installed by root"));
    }
    apt_get_install(&PACKAGES)?;
    if linker(directory).is_none()
        && let Ok(lld) = fs::read_link(LLD)
        && let Some(package) = lld.file_name().and_then(OsStr::to_str)
    {
        apt_get_install(&[package])?;
    }
    find(directory)
}

fn apt_get_install(packages: &[&str]) -> Result<(), String> {
    report::note(&format!("apt-get install {}", packages.join(" ")));
    let mut apt = Command::new("/usr/bin/apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "--no-install-recommends"]).args(packages);
    limited_time::run(&mut apt, INSTALLING).map(drop)
}

/// The major and minor number in what a compiler says of itself; nothing where there are none.
fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A linker for WebAssembly: Debian's, that of the Rust on the PATH, or LLVM's.
fn linker(directory: &Path) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = |name: &str| env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    let within_rust = || {
        let targets = installed::print(directory, &["sysroot"]).ok()?.join("lib/rustlib");
        let linkers = fs::read_dir(targets).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin/rust-lld")));
        linkers.into_iter().find(|file| file.is_file())
    };
    let debian = Some(PathBuf::from(LLD)).filter(|file| file.is_file());
    debian.or_else(within_rust).or_else(|| on_path("rust-lld")).or_else(|| on_path("wasm-ld"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(version_of("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some((1, 96)));
        assert!(version_of("rustc 1.100.0") > version_of("rustc 1.95"));
        assert!(version_of("rustc 1.63.0") < version_of("rustc 1.95"));
        assert_eq!(version_of("nonsense"), None);
    }
}
