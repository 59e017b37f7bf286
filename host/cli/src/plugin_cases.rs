//! A plugin's cases: what is in their folders, what the sandbox makes of their rows, and how that differs from what they expect.
//!
//! `case` reads a folder, `sandboxed` runs the component over its rows with the limits of a job, `aggregated` one that is an aggregate function, `windowed` one that is a window function, `comparison` says what differs, and
//! `shown` says it to people. The SDK's harness runs the same folders natively (`sdk/rust/src/harness/cases.rs`).

pub mod aggregated;
pub mod case;
pub mod comparison;
pub mod sandboxed;
pub mod shown;
pub mod updated;
pub mod windowed;
pub mod written;
