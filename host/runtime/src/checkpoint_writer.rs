//! Brings what tasks handed in into the store, and the manifest that makes a checkpoint of it; patient with a store that fails for a while.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::sleep;
use wasmill_checkpoint::{CheckpointError, JobFacts, Manifest, Part, Prepared, SourcePosition, Store};
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::{Barrier, KeyGroups};
use wasmill_time::ProcessingClock;

use crate::control::{Part as TaskPart, SourcePlace, StateSnapshot};
use crate::counts::JobCounts;
use crate::error::JobError;
use crate::names::Names;

/// How long it waits after the first attempt that failed; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest that it waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Writes checkpoints of one job. Rows go on meanwhile: nothing here is a task's work.
pub(crate) struct Writer {
    pub store: Arc<Store>,
    pub facts: JobFacts,
    pub names: Arc<Names>,
    pub groups: KeyGroups,
    pub clock: ProcessingClock,
    pub counts: Arc<JobCounts>,
    /// The last manifest that was written.
    pub last: Mutex<Option<Manifest>>,
    /// Why the last attempt failed, while there hasn't been another that did not.
    pub delay: Mutex<Option<String>>,
    /// The job has failed: nothing is tried again, and nothing waited for.
    pub given_up: watch::Sender<bool>,
}

impl Writer {
    /// Why the checkpoint under way isn't in the store yet, where that is the store's fault.
    pub fn delayed_by(&self) -> Option<String> {
        self.delay().clone()
    }

    /// Tries nothing again from now on.
    pub fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    /// Writes a task's part of a checkpoint; what the manifest must say of it.
    pub async fn write_part(&self, barrier: Barrier, part: TaskPart) -> Result<Vec<Part>, JobError> {
        let TaskPart { position, states, ended, prepared } = part;
        let mut parts: Vec<Part> = Vec::new();
        parts.extend(position.map(|SourcePlace { source, task, position, reached }| {
            Part::Source(SourcePosition {
                source: self.names.sources[source].clone(),
                task: task.index,
                position: position.0,
                largest_time: reached.largest,
                ahead: reached.ahead,
            })
        }));
        parts.extend(prepared.into_iter().map(|(sink, task, prepared)| {
            Part::Sink(Prepared { sink: self.names.sink(sink), task: task.index, prepared: prepared.0 })
        }));
        let told = |(operator, task): (usize, _)| Part::Ended { operator: self.names.operators[operator].clone(), task };
        parts.extend(ended.into_iter().map(told));
        // What a task's operators hold comes in turns.
        parts.extend(try_join_all(states.into_iter().map(|snapshot| self.write_state(barrier, snapshot))).await?);
        Ok(parts)
    }

    /// Writes the snapshot of an operator's task while it comes.
    async fn write_state(&self, barrier: Barrier, snapshot: StateSnapshot) -> Result<Part, JobError> {
        let StateSnapshot { operator, task, mut pieces, since, watermark } = snapshot;
        let operator = self.names.operators[operator].clone();
        let mut object = self.store.object(barrier.epoch, &operator, task.index);
        let mut given_up = self.given_up.subscribe();
        loop {
            let piece = tokio::select! {
                biased;
                piece = pieces.next() => piece,
                _ = given_up.wait_for(|given_up| *given_up) => {
                    return Err(JobError::new("driver-gone", "the job has failed, and its checkpoint is given up"));
                }
            };
            let Some(piece) = piece else { break };
            object.write(piece).await;
            // Tasks that have rows come first: of this there is always more at hand.
            tokio::task::yield_now().await;
        }
        hit(Failpoint::BeforeStateWritten);
        let groups = self.groups.owned_by(task);
        let mut patience = self.patience(barrier);
        let object = loop {
            match object.finish(groups.clone()).await {
                Ok(object) => break object,
                Err(error) => patience.bear(error).await?,
            }
        };
        patience.succeed();
        self.counts.checkpoint_bytes.fetch_add(object.bytes, Relaxed);
        hit(Failpoint::StateWritten);
        let watermark = Some(watermark.0).filter(|watermark| *watermark > i64::MIN);
        Ok(Part::State { operator, object, since, watermark })
    }

    /// Writes the manifest of what all tasks handed in: when this has returned, the checkpoint is complete.
    pub async fn write_manifest(&self, barrier: Barrier, parts: Vec<Part>) -> Result<Manifest, JobError> {
        let created = u64::try_from(self.clock.now()).unwrap_or(0);
        let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let manifest = Manifest::assemble(barrier, created, self.facts.clone(), parts, before.as_ref())
            .map_err(|what| JobError::new("internal-checkpoint", format!("epoch {} is not whole: {what}", barrier.epoch)))?;
        hit(Failpoint::BeforeManifest);
        let mut patience = self.patience(barrier);
        while let Err(error) = self.store.write(&manifest).await {
            patience.bear(error).await?;
        }
        patience.succeed();
        hit(Failpoint::ManifestWritten);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(manifest.clone());
        Ok(manifest)
    }

    /// Keeps a checkpoint that is complete under a label, until somebody deletes it.
    pub async fn keep(&self, label: &str, manifest: &Manifest) -> Result<(), JobError> {
        let barrier = Barrier { epoch: manifest.epoch, last: manifest.last, since: None };
        let mut patience = self.patience(barrier);
        while let Err(error) = self.store.keep(label, manifest).await {
            patience.bear(error).await?;
        }
        patience.succeed();
        Ok(())
    }

    /// With a request that is made until it succeeds or has failed for good. (How long that may take is the coordinator's to say.)
    fn patience(&self, barrier: Barrier) -> Patience<'_> {
        Patience { writer: self, barrier, pause: FIRST_PAUSE }
    }

    fn delay(&self) -> MutexGuard<'_, Option<String>> {
        self.delay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What bears a store that fails for a while.
struct Patience<'a> {
    writer: &'a Writer,
    barrier: Barrier,
    /// How long it waits after the next failure.
    pause: Duration,
}

impl Patience<'_> {
    /// Waits after a request that failed, longer each time; its error, where it isn't to be made again.
    async fn bear(&mut self, error: CheckpointError) -> Result<(), JobError> {
        if !error.is_passing() || *self.writer.given_up.borrow() {
            return Err(error.into());
        }
        let (epoch, pause) = (self.barrier.epoch, self.pause);
        tracing::warn!(
            code = "checkpoint-delayed",
            epoch = epoch.0,
            %error,
            "the store fails: checkpoint {epoch} waits for it, rows don't; tried again in {pause:?}"
        );
        *self.writer.delay() = Some(error.to_string());
        sleep(pause).await;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// The store does what it is asked again.
    fn succeed(self) {
        *self.writer.delay() = None;
    }
}
