//! The `wasmill` program: the allocator, and the exit code of what was asked for.

use std::process::exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Not a return: threads that wait for a standard input that never ends would be waited for.
    exit(wasmill_cli::main().into());
}
