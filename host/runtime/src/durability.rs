//! Where a job's checkpoints are kept, and the one that it goes on from.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use wasmill_checkpoint::coordinator::Cadence;
use wasmill_checkpoint::recovery::Fit;
use wasmill_checkpoint::{CheckpointError, JobFacts, Manifest, Store};
use wasmill_flow::Epoch;

use crate::error::JobError;

/// What a job needs to take checkpoints.
#[derive(Debug, Clone)]
pub struct Durability {
    /// Where they are kept.
    pub store: Arc<Store>,
    /// When they are taken.
    pub cadence: Cadence,
    /// When it is first looked at whether the newest is intact, in time since the start, and time between two looks.
    pub verify: (Duration, Duration),
    /// How many are kept.
    pub retain: NonZero<usize>,
    /// The job, as its checkpoints describe it.
    pub facts: JobFacts,
    /// The checkpoint to go on from; none for a start with empty state.
    pub restored: Option<Manifest>,
    /// How well the job must fit it.
    pub fit: Fit,
    /// The epoch of the first barrier.
    pub first: Epoch,
}

impl From<CheckpointError> for JobError {
    fn from(error: CheckpointError) -> Self {
        Self {
            code: error.code(),
            hint: error.hint().map(str::to_owned),
            message: error.to_string(),
            operator: None,
            row: None,
            place: None,
        }
    }
}
