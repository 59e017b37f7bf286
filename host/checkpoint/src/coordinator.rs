//! When barriers are sent, and when a checkpoint is complete: a pure function from events to actions.

use std::num::NonZero;
use std::time::Duration;

use wasmill_flow::{Barrier, Epoch, key};

use crate::part::Part;

/// When checkpoints are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// Time between two.
    pub every: Duration,
    /// When the first is due, in time since the start: jobs that start together need not take theirs together.
    pub first_after: Duration,
    /// Every how many of them state is snapshotted whole; 1 for each of them.
    pub base_every: NonZero<u32>,
    /// How many follow the first until state is snapshotted whole again, at most: bases of jobs that start together need not come together.
    pub first_deltas: u32,
    /// How long one may take, from its barrier until it is complete.
    pub timeout: Duration,
}

impl Cadence {
    /// The cadence of a job of this name. Its first checkpoint is due somewhere within the time between two, and its second base is of some
    /// epoch within the first `base_every`: so jobs that start together spread what they ask of a store.
    #[must_use]
    pub fn of_job(name: &str, every: Duration, base_every: NonZero<u32>, timeout: Duration) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "less than what it is divided by")]
        let first_deltas = (key::hash(name.as_bytes()) / u64::from(PARTS) % u64::from(base_every.get())) as u32;
        Self { every, first_after: spread(every, name), base_every, first_deltas, timeout }
    }
}

/// In how many parts of the time between two jobs may begin.
const PARTS: u32 = 1_000;

/// When a job of this name first does what it does again and again: somewhere within the time between two. So jobs that start together don't
/// do it together.
#[must_use]
pub fn spread(every: Duration, job: &str) -> Duration {
    #[expect(clippy::cast_possible_truncation, reason = "less than PARTS")]
    let part = (key::hash(job.as_bytes()) % u64::from(PARTS)) as u32;
    every / PARTS * (part + 1)
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// So much time has passed since the job started, by a clock that never goes back.
    Tick(Duration),
    /// A task has snapshotted at the barrier of this epoch, and what it handed in is durable.
    TaskAcked {
        /// The task.
        task: usize,
        /// The barrier's epoch.
        epoch: Epoch,
        /// What the checkpoint must hold of it.
        parts: Vec<Part>,
    },
    /// No source has more rows.
    Ended,
    /// The job is to stop.
    StopRequested,
    /// A checkpoint with this label is wanted, that is kept until somebody deletes it.
    SavepointRequested(String),
    /// The manifest of this epoch is durable.
    Stored(Epoch),
}

/// What to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send this barrier from all sources.
    TriggerBarrier(Barrier),
    /// Write the manifest of this epoch. Parts come in the order of the tasks.
    WriteManifest {
        /// The epoch's barrier.
        barrier: Barrier,
        /// What all tasks handed in.
        parts: Vec<Part>,
        /// The labels under which it is kept.
        savepoints: Vec<String>,
    },
    /// The epoch is complete: have every sink make visible what it prepared for it.
    Commit(Epoch),
    /// The job is done, once the sinks have done the commit before.
    Stop,
    /// A checkpoint has taken too long: stop without another. Sinks keep what is committed.
    TimedOut {
        /// The checkpoint.
        epoch: Epoch,
        /// The tasks that haven't acknowledged it; none where it is the manifest that isn't stored.
        waiting: Vec<usize>,
    },
}

/// An event that can't be: a bug of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unexpected {
    /// A task acknowledged a barrier that isn't under way.
    #[error("task {task} acknowledged barrier {found}, expected {}", expected.map_or("none".to_owned(), |epoch| format!("barrier {epoch}")))]
    Epoch {
        /// The task.
        task: usize,
        /// What it acknowledged.
        found: Epoch,
        /// The barrier under way.
        expected: Option<Epoch>,
    },
    /// A task acknowledged a barrier twice.
    #[error("task {task} acknowledged barrier {epoch} twice")]
    Twice {
        /// The task.
        task: usize,
        /// The barrier.
        epoch: Epoch,
    },
    /// There is no such task.
    #[error("task {task} acknowledged a barrier, but there are only {tasks} tasks")]
    Task {
        /// The task.
        task: usize,
        /// How many there are.
        tasks: usize,
    },
    /// A manifest was stored, or not, that wasn't being written.
    #[error("the manifest of epoch {found} was reported, though it wasn't being written")]
    Manifest {
        /// The epoch.
        found: Epoch,
    },
}

#[derive(Debug)]
enum Phase {
    /// No checkpoint is under way.
    Idle,
    /// The barrier is on its way; what tasks have handed in.
    Aligning { barrier: Barrier, handed_in: Vec<Option<Vec<Part>>> },
    /// The manifest is being written.
    Storing { barrier: Barrier },
    /// The job has stopped or failed: nothing matters any more.
    Over,
}

/// Decides when a job's checkpoints are taken and complete. One is under way at a time. When no source has more rows, or the job is
/// to stop, a last one is taken, after the one under way.
#[derive(Debug)]
pub struct Coordinator {
    tasks: usize,
    cadence: Cadence,
    next: Epoch,
    /// When the next one is due; while one is under way, by when it must be complete.
    due: Duration,
    now: Duration,
    /// When the one under way began.
    began: Duration,
    /// How many may follow before state must be snapshotted whole again.
    deltas_left: u32,
    /// How many may follow the next time that it is.
    deltas_next: u32,
    last_wanted: bool,
    /// The last one that is complete.
    complete: Option<Epoch>,
    /// Labels that the next one is wanted under.
    savepoints: Vec<String>,
    /// Labels of the one under way.
    labels: Vec<String>,
    phase: Phase,
}

impl Coordinator {
    /// A job of `tasks` tasks, all of which acknowledge every barrier; its first checkpoint is of epoch `first`, and holds its state whole.
    #[must_use]
    pub fn new(tasks: usize, cadence: Cadence, first: Epoch) -> Self {
        Self {
            tasks,
            cadence,
            next: first,
            due: cadence.first_after,
            now: Duration::ZERO,
            began: Duration::ZERO,
            deltas_left: 0,
            deltas_next: cadence.first_deltas,
            last_wanted: false,
            complete: None,
            savepoints: Vec::new(),
            labels: Vec::new(),
            phase: Phase::Idle,
        }
    }

    /// When the next tick is wanted, in time since the start; none where nothing depends on time any more.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        match self.phase {
            Phase::Idle => Some(self.due),
            Phase::Aligning { .. } | Phase::Storing { .. } => Some(self.began.saturating_add(self.cadence.timeout)),
            Phase::Over => None,
        }
    }

    /// Has state snapshotted whole the next time: what changed has become more than it is worth.
    pub fn want_base(&mut self) {
        self.deltas_left = 0;
    }

    /// How long the checkpoint under way has taken so far.
    #[must_use]
    pub fn under_way_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.began)
    }

    /// Takes an event; what is to be done about it.
    ///
    /// # Errors
    /// [`Unexpected`] for an event that can't be: the job must fail.
    pub fn on(&mut self, event: Event) -> Result<Vec<Action>, Unexpected> {
        if matches!(self.phase, Phase::Over) {
            return Ok(Vec::new());
        }
        match event {
            Event::Tick(now) => {
                self.now = self.now.max(now);
                if let Some(waiting) = self.too_late() {
                    self.phase = Phase::Over;
                    return Ok(vec![waiting]);
                }
            }
            Event::Ended | Event::StopRequested => self.last_wanted = true,
            Event::SavepointRequested(label) => self.savepoints.push(label),
            Event::TaskAcked { task, epoch, parts } => return self.acked(task, epoch, parts),
            Event::Stored(epoch) => return self.stored(epoch),
        }
        Ok(self.trigger())
    }

    /// What to do where the checkpoint under way has taken too long.
    fn too_late(&self) -> Option<Action> {
        if self.now < self.began.saturating_add(self.cadence.timeout) {
            return None;
        }
        match &self.phase {
            Phase::Aligning { barrier, handed_in } => {
                let waiting = handed_in.iter().enumerate().filter(|(_, parts)| parts.is_none()).map(|(task, _)| task).collect();
                Some(Action::TimedOut { epoch: barrier.epoch, waiting })
            }
            Phase::Storing { barrier } => Some(Action::TimedOut { epoch: barrier.epoch, waiting: Vec::new() }),
            Phase::Idle | Phase::Over => None,
        }
    }

    /// Starts a checkpoint, if one is due and none is under way.
    fn trigger(&mut self) -> Vec<Action> {
        let wanted = self.last_wanted || !self.savepoints.is_empty() || self.now >= self.due;
        if !matches!(self.phase, Phase::Idle) || !wanted {
            return Vec::new();
        }
        self.labels = std::mem::take(&mut self.savepoints);
        // A savepoint needs nothing of the checkpoints before it.
        let whole = self.deltas_left == 0 || !self.labels.is_empty();
        self.deltas_left = if whole {
            std::mem::replace(&mut self.deltas_next, self.cadence.base_every.get() - 1)
        } else {
            self.deltas_left - 1
        };
        let since = self.complete.filter(|_| !whole);
        let barrier = Barrier { epoch: self.next, last: self.last_wanted, since };
        self.next = self.next.next();
        self.began = self.now;
        self.due = self.now.saturating_add(self.cadence.every);
        self.phase = Phase::Aligning { barrier, handed_in: vec![None; self.tasks] };
        vec![Action::TriggerBarrier(barrier)]
    }

    fn acked(&mut self, task: usize, epoch: Epoch, parts: Vec<Part>) -> Result<Vec<Action>, Unexpected> {
        let Phase::Aligning { barrier, handed_in } = &mut self.phase else {
            return Err(Unexpected::Epoch { task, found: epoch, expected: None });
        };
        if barrier.epoch != epoch {
            return Err(Unexpected::Epoch { task, found: epoch, expected: Some(barrier.epoch) });
        }
        let Some(place) = handed_in.get_mut(task) else {
            return Err(Unexpected::Task { task, tasks: self.tasks });
        };
        if place.replace(parts).is_some() {
            return Err(Unexpected::Twice { task, epoch });
        }
        if handed_in.iter().any(Option::is_none) {
            return Ok(Vec::new());
        }
        let parts = handed_in.drain(..).flatten().flatten().collect();
        let barrier = *barrier;
        self.phase = Phase::Storing { barrier };
        Ok(vec![Action::WriteManifest { barrier, parts, savepoints: std::mem::take(&mut self.labels) }])
    }

    fn stored(&mut self, epoch: Epoch) -> Result<Vec<Action>, Unexpected> {
        let barrier = self.being_written(epoch)?;
        self.complete = Some(epoch);
        if barrier.last {
            self.phase = Phase::Over;
            return Ok(vec![Action::Commit(epoch), Action::Stop]);
        }
        self.phase = Phase::Idle;
        let mut actions = vec![Action::Commit(epoch)];
        actions.extend(self.trigger());
        Ok(actions)
    }

    fn being_written(&self, epoch: Epoch) -> Result<Barrier, Unexpected> {
        match self.phase {
            Phase::Storing { barrier } if barrier.epoch == epoch => Ok(barrier),
            _ => Err(Unexpected::Manifest { found: epoch }),
        }
    }
}

#[cfg(test)]
mod tests;
