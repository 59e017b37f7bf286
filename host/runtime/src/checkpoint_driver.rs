//! Has barriers sent and checkpoints written, and knows when the job is over: does what the coordinator decides.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use wasmill_checkpoint::coordinator::Cadence;
use wasmill_checkpoint::{Action, CheckpointError, Coordinator, Event as Happened, Manifest, Part, Store, Unexpected};
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::{Barrier, Epoch, KeyGroups};
use wasmill_time::ProcessingClock;

use crate::assembly::Assembly;
use crate::checkpoint_writer::Writer;
use crate::control::{Event, Part as TaskPart, TaskId};
use crate::counts::JobCounts;
use crate::durability::Durability;
use crate::error::JobError;
use crate::job_run::Outcome;
use crate::names::Names;
use crate::savepoint::SavepointRequest;
use crate::verification::{Damage, Verification};

/// How long the end of a job waits for the removal of checkpoints that aren't kept; what is left goes another time.
const LAST_REMOVAL: Duration = Duration::from_secs(10);
/// How long the end of a job that failed waits for what is on its way into the store.
const SETTLING: Duration = Duration::from_secs(5);
/// The cadence of a job without checkpoints: only the last barrier is sent.
const NEVER: Cadence =
    Cadence { every: Duration::MAX, first_after: Duration::MAX, base_every: NonZero::<u32>::MIN, timeout: Duration::MAX };

/// What has come into the store.
enum Written {
    /// What a task handed in at a barrier.
    Part(TaskId, Barrier, Vec<Part>),
    /// A manifest.
    Manifest {
        epoch: Epoch,
        /// The savepoints that it makes, or why not.
        savepoints: Vec<(String, Result<Epoch, JobError>)>,
        /// It; none where the job takes no checkpoints.
        manifest: Option<Arc<Manifest>>,
    },
}

/// What others ask of a running job.
pub(crate) struct Asked {
    pub stop: watch::Receiver<bool>,
    pub savepoints: mpsc::UnboundedReceiver<SavepointRequest>,
}

/// Watches over a job's epochs.
pub(crate) struct Driver {
    coordinator: Coordinator,
    writer: Option<Arc<Writer>>,
    retain: NonZero<usize>,
    /// The newest checkpoint that is complete.
    newest: Option<Arc<Manifest>>,
    /// Looks at whether it is intact: one at a time, so long after the one before, and when the next is due.
    verify: Duration,
    look_at: Option<Instant>,
    looks: JoinSet<Result<Vec<Damage>, CheckpointError>>,
    start: Instant,
    barriers: Vec<(TaskId, mpsc::UnboundedSender<Barrier>)>,
    commits: Vec<(TaskId, mpsc::UnboundedSender<Epoch>)>,
    events: mpsc::UnboundedReceiver<Event>,
    /// What tasks are called, by their numbers.
    tasks: Vec<String>,
    /// Parts of a checkpoint, and its manifest, on their way into the store.
    writing: JoinSet<Result<Written, JobError>>,
    /// The removal of checkpoints that aren't kept: one at a time.
    removal: JoinSet<()>,
    /// Tasks of sources that have ended.
    ended: BTreeSet<TaskId>,
    /// Tasks whose sinks have made the last epoch visible.
    done: BTreeSet<TaskId>,
    /// The last epoch, once it is committed.
    over: Option<Epoch>,
    asked: Asked,
    stopped: bool,
    /// Who waits for savepoints that aren't complete.
    savepoints: Vec<SavepointRequest>,
    counts: Arc<JobCounts>,
}

impl Driver {
    pub fn new(
        assembly: &mut Assembly,
        names: Arc<Names>,
        groups: KeyGroups,
        durability: Option<Durability>,
        clock: ProcessingClock,
        counts: Arc<JobCounts>,
        asked: Asked,
    ) -> Self {
        let never = (NEVER, Epoch(1), NonZero::<usize>::MIN, (Duration::MAX, Duration::MAX));
        let (cadence, first, retain, (first_look, verify)) = durability
            .as_ref()
            .map_or(never, |durability| (durability.cadence, durability.first, durability.retain, durability.verify));
        let writer = durability.map(|Durability { store, facts, .. }| {
            let counts = Arc::clone(&counts);
            Arc::new(Writer {
                store,
                facts,
                names,
                groups,
                clock,
                counts,
                last: Mutex::default(),
                delay: Mutex::default(),
                given_up: AtomicBool::new(false),
            })
        });
        let (_, none) = mpsc::unbounded_channel();
        let start = Instant::now();
        Self {
            coordinator: Coordinator::new(assembly.tasks.len(), cadence, first),
            writer,
            retain,
            newest: None,
            verify,
            look_at: start.checked_add(first_look),
            looks: JoinSet::new(),
            start,
            barriers: std::mem::take(&mut assembly.barriers),
            commits: std::mem::take(&mut assembly.commits),
            events: std::mem::replace(&mut assembly.events, none),
            tasks: assembly.tasks.iter().map(|task| task.chain.name()).collect(),
            writing: JoinSet::new(),
            removal: JoinSet::new(),
            ended: BTreeSet::new(),
            done: BTreeSet::new(),
            over: None,
            asked,
            stopped: false,
            savepoints: Vec::new(),
            counts,
        }
    }

    /// Drives the job to its end.
    pub async fn run(&mut self) -> Result<Outcome, JobError> {
        while self.over.is_none_or(|_| self.writer.is_some() && self.done.len() < self.commits.len()) {
            let due = self.coordinator.due().and_then(|due| self.start.checked_add(due));
            let look = self.look_at.filter(|_| self.looks.is_empty());
            let [tick, look] = [due, look].map(|due| async move {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            });
            let happened = tokio::select! {
                biased;
                Some(written) = self.writing.join_next() => {
                    let written = written.map_err(|error| JobError::new("internal-panic", error.to_string())).flatten();
                    self.written(written.inspect_err(|_| self.counts.checkpoint_failed())?)
                }
                () = requested(&mut self.asked.stop), if !self.stopped => {
                    self.stopped = true;
                    Some(Happened::StopRequested)
                }
                Some(request) = self.asked.savepoints.recv() => self.wanted(request),
                () = tick => Some(Happened::Tick(self.start.elapsed())),
                Some(event) = self.events.recv() => self.told(event),
                () = look => {
                    self.look();
                    None
                }
                Some(found) = self.looks.join_next() => {
                    self.looked(found.unwrap_or_else(|_| Ok(Vec::new())));
                    None
                }
            };
            if let Some(happened) = happened {
                self.happened(happened)?;
            }
        }
        let _ = timeout(LAST_REMOVAL, self.removal.join_next()).await;
        Ok(if self.stopped { Outcome::Stopped } else { Outcome::Finished })
    }

    /// Lets what is on its way into the store come to an end, when the job has failed: whoever goes on from what is there must not be surprised
    /// by what comes late.
    pub async fn settle(&mut self) {
        if let Some(writer) = &self.writer {
            writer.give_up();
            let _ = timeout(SETTLING, async { while self.writing.join_next().await.is_some() {} }).await;
        }
    }

    /// What a task's event is to the coordinator; nothing for one that only the driver cares for.
    fn told(&mut self, event: Event) -> Option<Happened> {
        match event {
            Event::Ended(task) => {
                self.ended.insert(task);
                (self.ended.len() == self.barriers.len()).then_some(Happened::Ended)
            }
            Event::Passed(task, barrier, part) => {
                self.write_part(task, barrier, part);
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

    /// Takes note of who wants a savepoint.
    fn wanted(&mut self, request: SavepointRequest) -> Option<Happened> {
        if self.writer.is_none() {
            let what = "the job takes no checkpoints, so that there is no place for a savepoint";
            let error = JobError::new("savepoint-without-store", what).with_hint("give the job `checkpoint: { store: PATH }`");
            // Whoever asked may be gone.
            let _ = request.done.send(Err(error));
            return None;
        }
        let label = request.label.clone();
        self.savepoints.push(request);
        Some(Happened::SavepointRequested(label))
    }

    /// What something that has come into the store is to the coordinator.
    fn written(&mut self, written: Written) -> Option<Happened> {
        match written {
            Written::Part(task, barrier, parts) => Some(Happened::TaskAcked { task: task.0, epoch: barrier.epoch, parts }),
            Written::Manifest { epoch, savepoints, manifest } => {
                // What changed since its bases may take more than it is worth.
                if manifest.as_deref().is_some_and(Manifest::wants_base) {
                    self.coordinator.want_base();
                }
                for (label, kept) in savepoints {
                    for request in self.savepoints.extract_if(.., |request| request.label == label) {
                        let _ = request.done.send(kept.clone());
                    }
                }
                if self.writer.is_some() {
                    self.counts.checkpoint_completed(epoch, self.coordinator.under_way_for(self.start.elapsed()));
                }
                self.newest = manifest;
                Some(Happened::Stored(epoch))
            }
        }
    }

    fn happened(&mut self, happened: Happened) -> Result<(), JobError> {
        let actions = self.coordinator.on(happened).map_err(unexpected)?;
        let stops = actions.last() == Some(&Action::Stop);
        for action in actions {
            match action {
                Action::TriggerBarrier(barrier) => {
                    // A task that is gone has failed, and its own error ends the job.
                    for (_, barriers) in &self.barriers {
                        let _ = barriers.send(barrier);
                    }
                    hit(Failpoint::BarrierSent);
                }
                Action::WriteManifest { barrier, parts, savepoints } => self.write_manifest(barrier, parts, savepoints),
                Action::Commit(epoch) => {
                    for (_, commits) in &self.commits {
                        let _ = commits.send(epoch);
                    }
                    self.over = stops.then_some(epoch);
                    self.remove();
                }
                Action::Stop => {}
                Action::TimedOut { epoch, waiting } => {
                    self.counts.checkpoint_failed();
                    return Err(self.timed_out(epoch, &waiting));
                }
            }
        }
        Ok(())
    }

    /// Brings a task's part of a checkpoint into the store, off the task's thread.
    fn write_part(&mut self, task: TaskId, barrier: Barrier, part: TaskPart) {
        let writer = self.writer.clone();
        self.writing.spawn(async move {
            let parts = match writer {
                Some(writer) => writer.write_part(barrier, part).await?,
                None => Vec::new(),
            };
            Ok(Written::Part(task, barrier, parts))
        });
    }

    fn write_manifest(&mut self, barrier: Barrier, parts: Vec<Part>, savepoints: Vec<String>) {
        let writer = self.writer.clone();
        self.writing.spawn(async move {
            let mut kept = Vec::new();
            let mut written = None;
            if let Some(writer) = writer {
                let manifest = writer.write_manifest(barrier, parts).await?;
                for label in savepoints {
                    // The checkpoint is complete all the same: only who asked for the savepoint hears of it.
                    let epoch = writer.keep(&label, &manifest).await.map(|()| barrier.epoch);
                    kept.push((label, epoch));
                }
                written = Some(Arc::new(manifest));
            }
            Ok(Written::Manifest { epoch: barrier.epoch, savepoints: kept, manifest: written })
        });
    }

    /// Has checkpoints removed that aren't kept; not where that is still being done for an earlier one.
    fn remove(&mut self) {
        while self.removal.try_join_next().is_some() {}
        if let Some(writer) = &self.writer
            && self.removal.is_empty()
        {
            self.removal.spawn(removed(Arc::clone(&writer.store), self.retain));
        }
    }

    /// Has the files of the newest checkpoint read, beside the rows.
    fn look(&mut self) {
        self.look_at = Instant::now().checked_add(self.verify);
        if let (Some(writer), Some(manifest)) = (&self.writer, &self.newest) {
            let (store, manifest) = (Arc::clone(&writer.store), Arc::clone(manifest));
            self.looks.spawn(async move { Verification::default().of(&store, &manifest).await });
        }
    }

    /// Says what was found to be damaged, and has the next checkpoint written whole, which needs none of it.
    fn looked(&mut self, found: Result<Vec<Damage>, CheckpointError>) {
        self.look_at = Instant::now().checked_add(self.verify);
        let damaged = found.unwrap_or_else(|error| {
            tracing::warn!(code = "checkpoint-not-verified", %error, "whether the newest checkpoint is intact is not known");
            Vec::new()
        });
        for Damage { file, problem } in damaged {
            // What is no longer needed may be gone by now.
            if self.newest.as_ref().is_some_and(|newest| newest.files().any(|needed| needed.name == file)) {
                tracing::warn!(code = "checkpoint-damaged", "{problem}; the next checkpoint is written whole");
                self.counts.file_damaged();
                self.coordinator.want_base();
            }
        }
    }

    fn timed_out(&self, epoch: Epoch, waiting: &[usize]) -> JobError {
        let mut names: Vec<&str> = waiting.iter().filter_map(|&task| Some(self.tasks.get(task)?.as_str())).take(3).collect();
        let more = format!("{} more", waiting.len() - names.len());
        if waiting.len() > names.len() {
            names.push(&more);
        }
        let why = self.writer.as_ref().and_then(|writer| writer.delayed_by());
        let what = match (why, names.is_empty()) {
            (Some(error), _) => format!("the store fails: {error}"),
            (None, false) => format!("it waits for {}", names.join(", ")),
            (None, true) => "its manifest is not in the store".to_owned(),
        };
        JobError::new("checkpoint-timeout", format!("checkpoint {epoch} is not complete in time: {what}"))
            .with_hint("see why that is slow, or give it more time with `checkpoint.timeout`")
    }
}

/// Removes the checkpoints of a store that aren't kept.
async fn removed(store: Arc<Store>, retain: NonZero<usize>) {
    hit(Failpoint::BeforeRemoval);
    if let Err(error) = store.retain(retain).await {
        tracing::warn!(code = "checkpoints-not-removed", %error, "old checkpoints could not be removed");
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
