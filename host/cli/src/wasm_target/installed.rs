//! The Rust on the PATH, where it has the target.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{TARGET, Toolchain, has_core, limited_time};

/// Plenty: rustup may fetch the toolchain that a directory asks for.
const LIMIT: Duration = Duration::from_secs(120);

/// The Rust on the PATH, where it has the target.
pub fn find(directory: &Path) -> Result<Toolchain, String> {
    let libraries = print(directory, &["target-libdir", "--target", TARGET])?;
    if has_core(&libraries) {
        let description = "the Rust on the PATH".to_owned();
        return Ok(Toolchain { cargo: "cargo".into(), arguments: Vec::new(), environment: Vec::new(), description });
    }
    Err("the rustc on the PATH doesn't have that target".to_owned())
}

/// A path that the rustc on the PATH prints.
pub fn print(directory: &Path, what: &[&str]) -> Result<PathBuf, String> {
    let printed = limited_time::run(Command::new("rustc").current_dir(directory).arg("--print").args(what), LIMIT)?;
    Ok(PathBuf::from(printed.trim()))
}
