//! What a checkpoint holds of a task.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmill_flow::{Epoch, TaskIndex};

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
        /// The epoch that it holds the changes since; none where it holds all.
        since: Option<Epoch>,
        /// How far event time had come, in milliseconds since 1970, UTC; none where it hadn't begun.
        watermark: Option<i64>,
    },
    /// What a sink has prepared.
    Sink(Prepared),
    /// An operator's task had no more input, and had been told so.
    Ended {
        /// The operator's name.
        operator: String,
        /// Which of its tasks.
        task: TaskIndex,
    },
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

/// The state of some key groups of an operator: a file with all of it as it was, and others with what changed since, in order.
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
    /// What changed since, one file an epoch, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deltas: Vec<Delta>,
}

/// The tasks of an operator that had been told that there is no more input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// How many tasks it had.
    pub of: u32,
    /// Which of them.
    pub tasks: BTreeSet<u32>,
}

impl Ended {
    /// Whether a task of the operator is one of them; where the number of tasks is another now, whether all were.
    #[must_use]
    pub fn has(&self, task: TaskIndex) -> bool {
        if self.of == task.of { self.tasks.contains(&task.index) } else { self.tasks.len() == self.of as usize }
    }
}

/// A file with what changed in the state of some key groups since the file before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    /// The file's name in the store.
    pub name: String,
    /// SHA-256 of its bytes, in 64 lowercase hexadecimal digits.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: u64,
}

/// One file of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateFile<'a> {
    /// Its name in the store.
    pub name: &'a str,
    /// SHA-256 of its bytes.
    pub sha256: &'a str,
    /// How many bytes it has.
    pub bytes: u64,
}

impl StateObject {
    /// Its key groups.
    #[must_use]
    pub fn groups(&self) -> Range<u32> {
        self.first_group..self.end_group
    }

    /// Its files, in the order in which they are read.
    pub fn files(&self) -> impl Iterator<Item = StateFile<'_>> {
        let base = StateFile { name: &self.name, sha256: &self.sha256, bytes: self.bytes };
        let deltas = self.deltas.iter().map(|Delta { name, sha256, bytes }| StateFile { name, sha256, bytes: *bytes });
        std::iter::once(base).chain(deltas)
    }

    /// The same state, when what has changed since is in `delta`.
    #[must_use]
    pub fn followed_by(&self, delta: &Self) -> Self {
        let mut followed = self.clone();
        followed.deltas.push(Delta { name: delta.name.clone(), sha256: delta.sha256.clone(), bytes: delta.bytes });
        followed
    }

    /// The bytes of its deltas.
    #[must_use]
    pub fn delta_bytes(&self) -> u64 {
        self.deltas.iter().map(|delta| delta.bytes).sum()
    }
}
