//! What comes into a stage that is headed by a source: what it reads, and the barriers that the driver asks for.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use wasmill_connector::{BatchLimit, Position, Source};
use wasmill_flow::{Barrier, TaskIndex};

use crate::error::JobError;
use crate::stage_task::Inbound;

/// A source's task.
pub(crate) struct SourceHead {
    pub index: usize,
    pub task: TaskIndex,
    pub name: std::sync::Arc<str>,
    pub source: Box<dyn Source>,
    pub limit: BatchLimit,
    pub barriers: mpsc::UnboundedReceiver<Barrier>,
    /// Nothing more is read: the source has ended, or the last barrier has passed.
    pub ended: bool,
}

impl SourceHead {
    /// What comes next: a barrier that was asked for, before anything else; then rows; then once the end. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Result<Inbound, JobError> {
        let Self { source, barriers, limit, .. } = self;
        match barriers.try_recv() {
            Ok(barrier) => return Ok(Inbound::Barrier(barrier)),
            Err(TryRecvError::Disconnected) => return Err(driver_gone()),
            Err(TryRecvError::Empty) => {}
        }
        if self.ended {
            return barriers.recv().await.map(Inbound::Barrier).ok_or_else(driver_gone);
        }
        // The read is polled first: one that is ready is never dropped, whether or not it has done its work by then.
        let read = tokio::select! {
            biased;
            read = source.read(*limit) => read,
            asked = barriers.recv() => return asked.map(Inbound::Barrier).ok_or_else(driver_gone),
        };
        match read.map_err(|error| JobError::connector(&self.name, error))? {
            Some(read) => Ok(Inbound::Read(read)),
            None => {
                self.ended = true;
                Ok(Inbound::End)
            }
        }
    }

    /// Where the source is.
    pub fn position(&self) -> (usize, TaskIndex, Position) {
        (self.index, self.task, self.source.position())
    }
}

fn driver_gone() -> JobError {
    JobError::new("driver-gone", "the job's driver is gone")
}
