//! Messages for people. They are kept even when the call that sent them fails; the host keeps at most 64 KiB a second.
//!
//! Each message crosses the sandbox by itself (about 100 ns), so don't log every record.

use crate::host;

pub use crate::bindings::stream_operator::wasmill::plugin::log::Level;

/// Sends a message that only somebody who looks for a fault wants.
///
/// ```
/// wasmill_sdk::log::debug("joined");
/// ```
pub fn debug(message: impl AsRef<str>) {
    host::log(Level::Debug, message.as_ref());
}

/// Sends a message that says what goes on.
///
/// ```
/// wasmill_sdk::log::info("the table has 7 rows");
/// ```
pub fn info(message: impl AsRef<str>) {
    host::log(Level::Info, message.as_ref());
}

/// Sends a message about something odd that didn't stop the work.
///
/// ```
/// wasmill_sdk::log::warn("the table is a day old");
/// ```
pub fn warn(message: impl AsRef<str>) {
    host::log(Level::Warn, message.as_ref());
}

/// Sends a message about something that went wrong.
///
/// ```
/// wasmill_sdk::log::error("the table is empty");
/// ```
pub fn error(message: impl AsRef<str>) {
    host::log(Level::Error, message.as_ref());
}
