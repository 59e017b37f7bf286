//! Ways not to come back.

use std::hint::black_box;

/// The bare instruction that Rust's `panic = "abort"` ends in.
pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

/// A panic that says why, as the SDK sends it.
pub(crate) fn panic(text: &str) -> ! {
    std::panic::set_hook(Box::new(|panic| {
        let (place, text) = (panic.location().map(ToString::to_string), panic.payload_as_str().unwrap_or_default());
        crate::messages::error(&format!("panicked at {}: {text}", place.unwrap_or_default()));
    }));
    panic!("{text}")
}

/// Works for ever.
pub(crate) fn endless() {
    while black_box(true) {}
}

/// Works for so many rounds.
pub(crate) fn spin(rounds: u64) {
    for round in 0..rounds {
        black_box(round);
    }
}

/// Calls itself for ever.
#[expect(unconditional_recursion, reason = "that is what it is for")]
pub(crate) fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth) + 1)) + 1
}

/// Asks for memory page by page, for as long as it is given, then traps.
pub(crate) fn grow() {
    while core::arch::wasm32::memory_grow::<0>(1) != usize::MAX {}
    trap();
}

/// Asks for all memory that there can be, and traps if it isn't given.
pub(crate) fn grow_at_once() {
    let most = 65_536 - core::arch::wasm32::memory_size::<0>();
    if core::arch::wasm32::memory_grow::<0>(most) == usize::MAX {
        trap();
    }
}

/// Loses memory.
pub(crate) fn leak(bytes: u64) {
    vec![1_u8; bytes as usize].leak();
}
