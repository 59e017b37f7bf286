//! Finds a toolchain that compiles Rust for WebAssembly: what is there already is taken before anything is fetched.

mod debian;
mod installed;
mod limited_time;
mod rustup;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The target of plugins.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// How to run Cargo for [`TARGET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Cargo.
    pub cargo: PathBuf,
    /// More of its arguments.
    pub arguments: Vec<String>,
    /// More of its environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// What it is, for messages.
    pub description: String,
}

/// Why there is no toolchain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no Rust here compiles for {TARGET}: {}", .reasons.join("; "))]
pub struct NoWasmTarget {
    /// Why each way failed, in the order in which they were tried.
    pub reasons: Vec<String>,
}

impl NoWasmTarget {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        format!(
            "with rustup (https://rustup.rs): `rustup target add {TARGET}`; on Debian, as root: `apt-get install {}`, and the linker that \
             /usr/bin/rust-lld is a link to, as lld-22; then build again",
            debian::PACKAGES.join(" ")
        )
    }
}

/// One way to a toolchain for the crate in a directory, or why it leads nowhere.
type Way = fn(&Path) -> Result<Toolchain, String>;

/// Finds a toolchain for the crate in a directory: the Rust on the PATH where it has the target, else with what rustup can add to it,
/// else Debian's where it is there, else Debian's once its packages are installed.
///
/// # Errors
/// [`NoWasmTarget`], which says why none of these will do.
pub fn find(directory: &Path) -> Result<Toolchain, NoWasmTarget> {
    let ways: [Way; 4] = [installed::find, rustup::add, debian::find, debian::install];
    let mut reasons = Vec::new();
    for way in ways {
        match way(directory) {
            Ok(toolchain) => return Ok(toolchain),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(NoWasmTarget { reasons })
}

/// Whether a directory of libraries holds those of a target.
fn has_core(libraries: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(libraries) else { return false };
    entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_toolchain_every_way_says_why_and_all_are_offered() {
        let missing = NoWasmTarget { reasons: vec!["no rustc".to_owned(), "no rustup".to_owned()] };
        assert_eq!(missing.to_string(), "no Rust here compiles for wasm32-unknown-unknown: no rustc; no rustup");
        assert_eq!(
            missing.hint(),
            "with rustup (https://rustup.rs): `rustup target add wasm32-unknown-unknown`; on Debian, as root: `apt-get install rustc-web cargo-web \
             rust-web-src rust-web-llvm`, and the linker that /usr/bin/rust-lld is a link to, as lld-22; then build again"
        );
    }

    #[test]
    fn a_target_is_there_when_its_core_library_is() {
        let home = tempfile::tempdir().expect("a directory");
        assert!(!has_core(&home.path().join("nothing")));
        assert!(!has_core(home.path()));
        fs::write(home.path().join("libcore-0123.rlib"), "").expect("written");
        assert!(has_core(home.path()));
    }
}
