//! What the contract names and this version doesn't do: said, never ignored.

use wasmill_runtime::JobError;

use crate::exit::Exit;
use crate::report;

/// Says that something isn't in this version.
pub fn not_in_this_version(what: &str, instead: Option<&str>) -> Exit {
    let mut error = JobError::new("not-in-this-version", format!("{what} is not in this version"));
    error.hint = instead.map(str::to_owned);
    report::error(&error);
    Exit::Wrong
}
