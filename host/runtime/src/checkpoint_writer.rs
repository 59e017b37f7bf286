//! Brings what tasks handed in into the store, and the manifest that makes a checkpoint of it; patient with a store that fails for a while.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
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
    /// The job has failed: nothing is tried again.
    pub given_up: AtomicBool,
}

impl Writer {
    /// Why the checkpoint under way isn't in the store yet, where that is the store's fault.
    pub fn delayed_by(&self) -> Option<String> {
        self.delay.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tries nothing again from now on.
    pub fn give_up(&self) {
        self.given_up.store(true, Relaxed);
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
        for StateSnapshot { operator, task, bytes, since, watermark } in states {
            let operator = &self.names.operators[operator];
            let bytes = Bytes::from(bytes);
            let object = self
                .patiently(barrier, || {
                    hit(Failpoint::BeforeStateWritten);
                    let mut object = self.store.object(barrier.epoch, operator, task.index);
                    object.write(bytes.clone());
                    object.finish(self.groups.owned_by(task))
                })
                .await?;
            self.counts.checkpoint_bytes.fetch_add(object.bytes, Relaxed);
            hit(Failpoint::StateWritten);
            let watermark = Some(watermark.0).filter(|watermark| *watermark > i64::MIN);
            parts.push(Part::State { operator: operator.clone(), object, since, watermark });
        }
        Ok(parts)
    }

    /// Writes the manifest of what all tasks handed in: when this has returned, the checkpoint is complete.
    pub async fn write_manifest(&self, barrier: Barrier, parts: Vec<Part>) -> Result<Manifest, JobError> {
        let created = u64::try_from(self.clock.now()).unwrap_or(0);
        let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let manifest = Manifest::assemble(barrier, created, self.facts.clone(), parts, before.as_ref())
            .map_err(|what| JobError::new("internal-checkpoint", format!("epoch {} is not whole: {what}", barrier.epoch)))?;
        hit(Failpoint::BeforeManifest);
        self.patiently(barrier, || self.store.write(&manifest)).await?;
        hit(Failpoint::ManifestWritten);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(manifest.clone());
        Ok(manifest)
    }

    /// Keeps a checkpoint that is complete under a label, until somebody deletes it.
    pub async fn keep(&self, label: &str, manifest: &Manifest) -> Result<(), JobError> {
        let barrier = Barrier { epoch: manifest.epoch, last: manifest.last, since: None };
        self.patiently(barrier, || self.store.keep(label, manifest)).await
    }

    /// Does something until it is done or has failed for good. (How long that may take is the coordinator's to say.)
    async fn patiently<T, F: Future<Output = Result<T, CheckpointError>>>(
        &self,
        barrier: Barrier,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, JobError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match attempt().await {
                Ok(done) => {
                    *self.delay.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    return Ok(done);
                }
                Err(error) if error.is_passing() && !self.given_up.load(Relaxed) => {
                    tracing::warn!(
                        code = "checkpoint-delayed",
                        epoch = barrier.epoch.0,
                        %error,
                        "the store fails: checkpoint {} waits for it, rows don't; tried again in {pause:?}",
                        barrier.epoch
                    );
                    *self.delay.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
