//! libFuzzer over one of the targets, which the environment names: `WASMILL_FUZZ=json wasmill-fuzz [OPTION OF LIBFUZZER]... [CORPUS]...`.
#![no_main]
#![allow(unsafe_code, reason = "libFuzzer finds the functions that the macro makes by their names")]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use wasmill_fuzz::{TARGETS, Target, component};
use wasmill_plugin::CompilerProcess;
use wasmill_plugin::compiler::confined;

/// The first argument of this program as a compiler's process.
const COMPILE: &str = "compile";

static TARGET: OnceLock<Target> = OnceLock::new();

/// Runs before libFuzzer looks at arguments.
fn start() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, first, cpu_seconds, memory_bytes] = &arguments[..]
        && first == COMPILE
    {
        let number = |text: &str| text.parse::<u64>().expect("a limit is a number");
        std::process::exit(confined::main(number(cpu_seconds), number(memory_bytes)));
    }
    let name = std::env::var("WASMILL_FUZZ").unwrap_or_default();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.iter().find(|target| target.name == name);
    TARGET.get_or_init(|| *found.unwrap_or_else(|| panic!("WASMILL_FUZZ is \"{name}\", expected one of {}", names.join(", "))));
    let program = std::env::current_exe().expect("this program");
    component::COMPILER.get_or_init(|| CompilerProcess::new(program, vec![COMPILE.into()], vec![]));
}

fuzz_target!(init: start(), |bytes: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(bytes);
    }
});
