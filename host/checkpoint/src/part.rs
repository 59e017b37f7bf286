//! What a checkpoint holds of a task.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a checkpoint holds of one source, operator or sink of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Where a source is.
    Source(SourcePosition),
    /// The state of an operator's task.
    State {
        /// The operator's name.
        operator: String,
        /// The file that it was written to.
        object: StateObject,
        /// How far event time had come, in milliseconds since 1970, UTC; none where it hadn't begun.
        watermark: Option<i64>,
    },
    /// What a sink has prepared.
    Sink(Prepared),
}

/// Where one task's reader of a source is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePosition {
    /// The source's name.
    pub source: String,
    /// Which of its tasks.
    pub task: u32,
    /// Its position: the source's own.
    pub position: Value,
    /// The largest event time of its rows so far that counted, in milliseconds since 1970, UTC; absent where they have none. Where rows
    /// say the watermark themselves, it is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_time: Option<i64>,
    /// How many of its last rows, one after the other, were too far ahead of that to count, and the least time of them; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<(u32, i64)>,
}

/// What one task's writer of a sink has prepared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepared {
    /// The sink's name.
    pub sink: String,
    /// Which of its tasks.
    pub task: u32,
    /// The sink's own.
    pub prepared: Value,
}

/// A file with the state of some key groups of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateObject {
    /// The file's name in the store.
    pub name: String,
    /// SHA-256 of its bytes, in 64 lowercase hexadecimal digits.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The first key group.
    pub first_group: u32,
    /// The key group after the last.
    pub end_group: u32,
}

impl StateObject {
    /// Its key groups.
    #[must_use]
    pub fn groups(&self) -> Range<u32> {
        self.first_group..self.end_group
    }
}
