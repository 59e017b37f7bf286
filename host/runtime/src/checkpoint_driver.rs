//! Has barriers sent and checkpoints written, and knows when the job is over: does what the coordinator decides.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use wasmill_checkpoint::{Action, Coordinator, Event as Happened, Manifest, Part, Prepared, SourcePosition, Unexpected};
use wasmill_flow::{Barrier, Epoch, KeyGroups};

use crate::assembly::Assembly;
use crate::control::{Event, Part as TaskPart, SourcePlace, TaskId};
use crate::counts::JobCounts;
use crate::durability::Durability;
use crate::error::JobError;
use crate::job_run::Outcome;
use crate::names::Names;

/// What a task handed in at a barrier, once it is in the store.
type HandedIn = (TaskId, Barrier, Vec<Part>);

/// Watches over a job's epochs.
pub(crate) struct Driver {
    coordinator: Coordinator,
    durability: Option<Durability>,
    names: Arc<Names>,
    groups: KeyGroups,
    start: Instant,
    barriers: Vec<(TaskId, mpsc::UnboundedSender<Barrier>)>,
    commits: Vec<(TaskId, mpsc::UnboundedSender<Epoch>)>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Parts of a checkpoint on their way into the store.
    writers: JoinSet<Result<HandedIn, JobError>>,
    /// Tasks of sources that have ended.
    ended: BTreeSet<TaskId>,
    /// Tasks whose sinks have made the last epoch visible.
    done: BTreeSet<TaskId>,
    /// The last epoch, once it is committed.
    over: Option<Epoch>,
    stop: watch::Receiver<bool>,
    stopped: bool,
    counts: Arc<JobCounts>,
}

impl Driver {
    pub fn new(
        assembly: &mut Assembly,
        names: Arc<Names>,
        groups: KeyGroups,
        durability: Option<Durability>,
        counts: Arc<JobCounts>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let (every, first) =
            durability.as_ref().map_or((Duration::MAX, Epoch(1)), |durability| (durability.every, durability.first));
        let (_, none) = mpsc::unbounded_channel();
        Self {
            coordinator: Coordinator::new(assembly.tasks.len(), every, first),
            durability,
            names,
            groups,
            start: Instant::now(),
            barriers: std::mem::take(&mut assembly.barriers),
            commits: std::mem::take(&mut assembly.commits),
            events: std::mem::replace(&mut assembly.events, none),
            writers: JoinSet::new(),
            ended: BTreeSet::new(),
            done: BTreeSet::new(),
            over: None,
            stop,
            stopped: false,
            counts,
        }
    }

    /// Drives the job to its end.
    pub async fn run(&mut self) -> Result<Outcome, JobError> {
        while self.over.is_none_or(|_| self.durability.is_some() && self.done.len() < self.commits.len()) {
            let due = self.coordinator.due().and_then(|due| self.start.checked_add(due));
            let tick = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            let happened = tokio::select! {
                Some(event) = self.events.recv() => self.told(event),
                Some(written) = self.writers.join_next() => {
                    let written = written.map_err(|error| JobError::new("internal-panic", error.to_string())).flatten();
                    let (task, barrier, parts) =
                        written.inspect_err(|_| self.counts.checkpoint_failed())?;
                    Some(Happened::TaskAcked { task: task.0, epoch: barrier.epoch, parts })
                }
                () = requested(&mut self.stop), if !self.stopped => {
                    self.stopped = true;
                    Some(Happened::StopRequested)
                }
                () = tick => Some(Happened::Tick(self.start.elapsed())),
            };
            if let Some(happened) = happened {
                self.happened(happened).await?;
            }
        }
        Ok(if self.stopped { Outcome::Stopped } else { Outcome::Finished })
    }

    /// What a task's event is to the coordinator; nothing for one that only the driver cares for.
    fn told(&mut self, event: Event) -> Option<Happened> {
        match event {
            Event::Ended(task) => {
                self.ended.insert(task);
                (self.ended.len() == self.barriers.len()).then_some(Happened::Ended)
            }
            Event::Passed(task, barrier, part) => {
                self.hand_in(task, barrier, part);
                None
            }
            Event::Visible(task, epoch) => {
                if self.over == Some(epoch) {
                    self.done.insert(task);
                }
                None
            }
        }
    }

    async fn happened(&mut self, happened: Happened) -> Result<(), JobError> {
        let mut waiting = vec![happened];
        while let Some(happened) = waiting.pop() {
            for action in self.coordinator.on(happened).map_err(unexpected)? {
                match action {
                    Action::TriggerBarrier(barrier) => {
                        // A task that is gone has failed, and its own error ends the job.
                        for (_, barriers) in &self.barriers {
                            let _ = barriers.send(barrier);
                        }
                    }
                    Action::WriteManifest { barrier, parts } => {
                        let written = self.write_manifest(barrier, parts).await;
                        written.inspect_err(|_| self.counts.checkpoint_failed())?;
                        waiting.push(Happened::Stored(barrier.epoch));
                    }
                    Action::Commit(epoch) => {
                        for (_, commits) in &self.commits {
                            let _ = commits.send(epoch);
                        }
                        self.over = Some(epoch);
                    }
                    Action::Stop => return Ok(()),
                    Action::Fail => return Err(JobError::new("checkpoint-failed", "a checkpoint could not be completed")),
                }
            }
            // A commit that isn't followed by a stop isn't the last.
            self.over = None;
        }
        Ok(())
    }

    /// Writes a task's state into the store, off the task threads.
    fn hand_in(&mut self, task: TaskId, barrier: Barrier, part: TaskPart) {
        let (names, groups) = (Arc::clone(&self.names), self.groups);
        let store = self.durability.as_ref().map(|durability| Arc::clone(&durability.store));
        self.writers.spawn(async move {
            let TaskPart { position, states, prepared } = part;
            let mut parts: Vec<Part> = Vec::new();
            parts.extend(position.map(|SourcePlace { source, task, position, reached }| {
                let source = names.sources[source].clone();
                Part::Source(SourcePosition {
                    source,
                    task: task.index,
                    position: position.0,
                    largest_time: reached.largest,
                    ahead: reached.ahead,
                })
            }));
            parts.extend(prepared.into_iter().map(|(sink, task, prepared)| {
                Part::Sink(Prepared { sink: names.sink(sink), task: task.index, prepared: prepared.0 })
            }));
            for (operator, task, bytes, watermark) in states {
                let Some(store) = store.clone() else { continue };
                let operator = names.operators[operator].clone();
                let mut object = store.object(barrier.epoch, &operator, task.index);
                object.write(bytes);
                let object = object.finish(groups.owned_by(task)).await?;
                let watermark = Some(watermark.0).filter(|watermark| *watermark > i64::MIN);
                parts.push(Part::State { operator, object, watermark });
            }
            Ok((task, barrier, parts))
        });
    }

    async fn write_manifest(&self, barrier: Barrier, parts: Vec<Part>) -> Result<(), JobError> {
        let Some(Durability { store, retain, facts, .. }) = &self.durability else { return Ok(()) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let created = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let manifest = Manifest::assemble(barrier, created, facts.clone(), parts)
            .map_err(|what| JobError::new("internal-checkpoint", format!("epoch {} is not whole: {what}", barrier.epoch)))?;
        store.write(&manifest).await?;
        if let Err(error) = store.retain(*retain).await {
            tracing::warn!(code = "checkpoints-not-removed", %error, "old checkpoints could not be removed");
        }
        self.counts.checkpoints.fetch_add(1, Relaxed);
        self.counts.last_epoch.store(barrier.epoch.0, Relaxed);
        Ok(())
    }
}

/// Waits until the job is asked to stop; for ever where no one can ask any more.
async fn requested(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}

fn unexpected(what: Unexpected) -> JobError {
    JobError::new("internal-disorder", format!("a checkpoint came into disorder: {what}"))
        .with_hint("this is a fault of Wasmill, not of the job: please report it with the message above")
}
