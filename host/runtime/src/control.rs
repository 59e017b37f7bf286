//! What tasks tell the job's driver. (What it tells them are barriers to sources and epochs to sinks, by channels of their own.)

use wasmill_connector::{Position, Prepared};
use wasmill_flow::{Barrier, Epoch, TaskIndex, Watermark};
use wasmill_time::Reached;

use crate::factory::SinkId;
use crate::snapshot_pieces::PiecesOut;

/// A task of the job, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TaskId(pub usize);

/// What a task tells the driver.
#[derive(Debug)]
pub(crate) enum Event {
    /// A source's task has no more rows.
    Ended(TaskId),
    /// A task has passed a barrier, and this is its part of the checkpoint; the pieces of its snapshots are still to come.
    Passed(TaskId, Barrier, Part),
    /// A task's sinks have made an epoch visible.
    Visible(TaskId, Epoch),
}

/// Where one task's reader of a source is.
#[derive(Debug)]
pub(crate) struct SourcePlace {
    /// The source, by its place in the job.
    pub source: usize,
    pub task: TaskIndex,
    pub position: Position,
    /// How far the event time of its rows has come.
    pub reached: Reached,
}

/// What a task's operator held at a barrier.
#[derive(Debug)]
pub(crate) struct StateSnapshot {
    /// The operator, by its place in the job.
    pub operator: usize,
    pub task: TaskIndex,
    /// Its bytes, as they come.
    pub pieces: PiecesOut,
    /// The epoch that it holds the changes since; none where it holds all.
    pub since: Option<Epoch>,
    /// How far event time had come.
    pub watermark: Watermark,
}

/// One task's part of a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Where its source is.
    pub position: Option<SourcePlace>,
    /// The snapshots of its operators' state.
    pub states: Vec<StateSnapshot>,
    /// Its operators, by their places in the job, where they have been told that there is no more input.
    pub ended: Vec<(usize, TaskIndex)>,
    /// What its sinks have made durable.
    pub prepared: Vec<(SinkId, TaskIndex, Prepared)>,
}
