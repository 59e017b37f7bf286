//! The allocator, which the host calls for what it hands over (`cabi_realloc`), and which can be told to misbehave.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crate::settings::Do;
use crate::stops;

thread_local! {
    static SPOILED: Cell<Option<Do>> = const { Cell::new(None) };
}

/// From here on, what is allocated or freed goes wrong.
pub(crate) fn spoil(what: Do) {
    SPOILED.set(Some(what));
}

/// All is well from here on.
pub(crate) fn mend() {
    SPOILED.set(None);
}

struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[expect(unsafe_code, reason = "an allocator is unsafe by nature")]
// SAFETY: the system's allocator, unless a test asked for one that breaks the rules; then the sandbox has to bear it.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match SPOILED.get() {
            Some(Do::TrapInRealloc) => stops::trap(),
            Some(Do::LoopInRealloc) => stops::endless(),
            Some(Do::WildRealloc) => return std::ptr::without_provenance_mut(0xffff_0000),
            Some(Do::SkewedRealloc) => return std::ptr::without_provenance_mut(1_000_001),
            _ => {}
        }
        // SAFETY: what the caller keeps to.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if SPOILED.get() == Some(Do::LoopInPostReturn) {
            stops::endless();
        }
        // SAFETY: what the caller keeps to.
        unsafe { System.dealloc(at, layout) }
    }
}
