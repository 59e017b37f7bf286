//! libFuzzer over one of the targets, which the environment names: `WASMILL_FUZZ=json wasmill-fuzz [OPTION OF LIBFUZZER]... [CORPUS]...`.
#![no_main]
#![allow(unsafe_code, reason = "libFuzzer finds the functions that the macro makes by their names")]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use wasmill_fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = std::env::var("WASMILL_FUZZ").unwrap_or_default();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("WASMILL_FUZZ is \"{name}\", expected one of {}", names.join(", ")))
}

fuzz_target!(|bytes: &[u8]| (TARGET.get_or_init(target).run)(bytes));
