//! What comes into a stage that is headed by a source: what it reads, and the barriers that the driver asks for.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::sleep_until;
use wasmill_connector::{BatchLimit, Source};
use wasmill_flow::{Barrier, Progress, TaskIndex};

use crate::control::SourcePlace;
use crate::error::JobError;
use crate::source_time::SourceTime;
use crate::stage_task::Inbound;

/// A source's task.
pub(crate) struct SourceHead {
    pub index: usize,
    pub task: TaskIndex,
    pub name: std::sync::Arc<str>,
    pub source: Box<dyn Source>,
    pub limit: BatchLimit,
    pub barriers: mpsc::UnboundedReceiver<Barrier>,
    /// Its rows' event times, where it says what time it was.
    pub time: Option<Box<SourceTime>>,
    /// How far event time was when the job went on from a checkpoint; said before any row.
    pub resumed: Option<Progress>,
    /// Nothing more is read: the source has ended, or the last barrier has passed.
    pub ended: bool,
}

impl SourceHead {
    /// What comes next: a barrier that was asked for, before anything else; then rows; then once the end. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Result<Inbound, JobError> {
        if let Some(progress) = self.resumed.take() {
            return Ok(Inbound::Time(progress));
        }
        let Self { source, barriers, limit, time, .. } = self;
        match barriers.try_recv() {
            Ok(barrier) => return Ok(Inbound::Barrier(barrier)),
            Err(TryRecvError::Disconnected) => return Err(driver_gone()),
            Err(TryRecvError::Empty) => {}
        }
        if self.ended {
            return barriers.recv().await.map(Inbound::Barrier).ok_or_else(driver_gone);
        }
        if let Some(time) = time
            && time.held_by().is_some()
        {
            time.waits_for_others();
            // Barriers pass meanwhile: others may wait for them to go on.
            if let Some(limit) = time.held_by() {
                tokio::select! {
                    biased;
                    asked = barriers.recv() => return asked.map(Inbound::Barrier).ok_or_else(driver_gone),
                    () = limit.kept() => {}
                }
            }
        }
        // The read is polled first: one that is ready is never dropped, whether or not it has done its work by then.
        let read = tokio::select! {
            biased;
            read = source.read(*limit) => read,
            asked = barriers.recv() => return asked.map(Inbound::Barrier).ok_or_else(driver_gone),
            idle = idles(time.as_deref_mut()) => return Ok(Inbound::Time(idle)),
        };
        match read.map_err(|error| JobError::connector(&self.name, error))? {
            Some(read) => Ok(Inbound::Read(read)),
            None => {
                self.ended = true;
                Ok(Inbound::End)
            }
        }
    }

    /// Whether it waits for slower sources.
    pub fn is_held(&self) -> bool {
        self.time.as_ref().is_some_and(|time| time.held_by().is_some())
    }

    /// Where the source is.
    pub fn place(&self) -> SourcePlace {
        let reached = self.time.as_ref().map(|time| time.reached()).unwrap_or_default();
        SourcePlace { source: self.index, task: self.task, position: self.source.position(), reached }
    }
}

/// Waits until a source idles; for ever where it never does.
async fn idles(time: Option<&mut SourceTime>) -> Progress {
    match time.and_then(|time| Some((time.idles_at()?, time))) {
        Some((at, time)) => {
            sleep_until(at).await;
            time.idle()
        }
        None => std::future::pending().await,
    }
}

fn driver_gone() -> JobError {
    JobError::new("driver-gone", "the job's driver is gone")
}
