//! `log`: messages for people, the one interface that may be called at any time.

use crate::bindings::wasmill::plugin::log::{Host, Level};
use crate::instance::HostState;
use crate::log_lines::escaped;

/// How an SDK begins the message that it logs before a panic becomes a trap.
const PANIC: &str = "panicked at ";
/// The most of a panic's message that is kept, in bytes.
const PANIC_BYTES: usize = 4 << 10;

impl Host for HostState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        if level == Level::Error && message.starts_with(PANIC) {
            let end = message.floor_char_boundary(PANIC_BYTES);
            self.panic = Some(escaped(&message[..end]));
        }
        self.log.line(level, &message);
        Ok(())
    }
}
