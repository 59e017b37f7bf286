//! A savepoint that somebody asks a running job for.

use tokio::sync::oneshot;
use wasmill_flow::Epoch;

use crate::error::JobError;

/// Asks a running job for a checkpoint that is kept under a label until somebody deletes it.
#[derive(Debug)]
pub struct SavepointRequest {
    /// The label.
    pub label: String,
    /// Told when it is complete, or why it can't be taken. Dropped where the job ends before.
    pub done: oneshot::Sender<Result<Epoch, JobError>>,
}
