//! What Wasmill makes of bytes that anybody could have written: a target for each door that they come in by.
//!
//! A target takes bytes and panics where something is wrong: with Wasmill, whose every answer to them is a value or an error, or in
//! comparison with an independent reader of the same. `tests/fuzz/run` has libFuzzer search for such bytes; the corpus that it starts from is
//! in `corpus/`, and `cargo test` runs all of that once.

pub mod component;
pub mod csv_text;
pub mod expression;
pub mod job_file;
pub mod json_text;
pub mod snapshot;

mod cells;
mod pieces;

/// Something that takes arbitrary bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Takes bytes.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "job-file", run: job_file::run },
    Target { name: "json", run: json_text::run },
    Target { name: "csv", run: csv_text::run },
    Target { name: "expression", run: expression::run },
    Target { name: "component", run: component::run },
    Target { name: "snapshot", run: snapshot::run },
    #[cfg(feature = "libfuzzer")]
    Target { name: "boundary", run: wasmill_plugin::conformance::lists_of_a_guest },
    #[cfg(feature = "libfuzzer")]
    Target { name: "plan", run: wasmill_plugin::conformance::plan_of_a_guest },
];
