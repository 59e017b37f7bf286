//! The closed set of things that travel on an edge.

use crate::{Batch, Epoch, Progress};

/// What a task receives on one of its edges, in order.
#[derive(Debug, Clone)]
pub enum Message {
    /// Rows, at least one.
    Rows(Batch),
    /// How far event time has come. The newest counts.
    Time(Progress),
    /// Everything before it belongs to its epoch, everything after it to a later one.
    Barrier(Barrier),
    /// No more rows will come on this edge. Barriers still may: a job that takes checkpoints takes a last one after the end.
    End,
}

/// A mark in the stream that a checkpoint is made of: each task snapshots its state when the barrier has reached it on all
/// of its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// The epoch that this barrier ends.
    pub epoch: Epoch,
    /// The job stops once this epoch is committed.
    pub last: bool,
    /// The latest epoch whose checkpoint is complete, where only what changed in state since is snapshotted; none where all of it is.
    pub since: Option<Epoch>,
}
