//! What rustup can add to the Rust on the PATH.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{TARGET, Toolchain, installed, limited_time};
use crate::report;

/// Adding a target fetches some 20 MB.
const LIMIT: Duration = Duration::from_secs(180);

/// Adds the target to the Rust that a directory uses.
pub fn add(directory: &Path) -> Result<Toolchain, String> {
    limited_time::run(Command::new("rustup").arg("--version"), LIMIT)?;
    report::note(&format!("rustup target add {TARGET}"));
    limited_time::run(Command::new("rustup").current_dir(directory).args(["target", "add", TARGET]), LIMIT)?;
    installed::find(directory)
}
