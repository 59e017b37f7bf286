//! A panic's message, file and line, sent before the trap: WebAssembly itself tells the host only that there was one.

use std::panic::PanicHookInfo;

/// Sends `panicked at FILE:LINE:COL: MESSAGE` as an error; the host puts it into the error that the job shows.
pub(crate) fn send(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("a value that isn't text");
    match panic.location() {
        Some(place) => crate::log::error(format!("panicked at {place}: {message}")),
        None => crate::log::error(format!("panicked: {message}")),
    }
}
