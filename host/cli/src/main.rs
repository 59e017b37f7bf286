//! The `wasmill` program: the allocator, and the exit code of what was asked for.

use std::env::args_os;
use std::process::exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if let Some(code) = wasmill_cli::sandbox::compile(args_os()) {
        exit(code);
    }
    // Not a return: threads that wait for a standard input that never ends would be waited for.
    exit(wasmill_cli::main().into());
}
