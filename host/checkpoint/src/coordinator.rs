//! When barriers are sent, and when a checkpoint is complete: a pure function from events to actions.

use std::time::Duration;

use wasmill_flow::{Barrier, Epoch};

use crate::part::Part;

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
    /// A task can't go on.
    TaskFailed,
    /// No source has more rows.
    Ended,
    /// The job is to stop.
    StopRequested,
    /// The manifest of this epoch is durable.
    Stored(Epoch),
    /// The manifest of this epoch could not be written.
    StoreFailed(Epoch),
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
    },
    /// The epoch is complete: have every sink make visible what it prepared for it.
    Commit(Epoch),
    /// The job is done, once the sinks have done the commit before.
    Stop,
    /// Stop without another checkpoint; sinks keep what is committed. Why is known to who sent the event.
    Fail,
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
    every: Duration,
    next: Epoch,
    /// When the next one is due.
    due: Duration,
    now: Duration,
    last_wanted: bool,
    phase: Phase,
}

impl Coordinator {
    /// A job of `tasks` tasks, all of which acknowledge every barrier, with a checkpoint `every` so often, the first of epoch `first`.
    #[must_use]
    pub fn new(tasks: usize, every: Duration, first: Epoch) -> Self {
        Self { tasks, every, next: first, due: every, now: Duration::ZERO, last_wanted: false, phase: Phase::Idle }
    }

    /// When the next tick is wanted, in time since the start; none where only other events matter.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        matches!(self.phase, Phase::Idle).then_some(self.due)
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
            Event::Tick(now) => self.now = self.now.max(now),
            Event::Ended | Event::StopRequested => self.last_wanted = true,
            Event::TaskAcked { task, epoch, parts } => return self.acked(task, epoch, parts),
            Event::Stored(epoch) => return self.stored(epoch),
            Event::StoreFailed(epoch) => {
                self.being_written(epoch)?;
                return Ok(self.fail());
            }
            Event::TaskFailed => return Ok(self.fail()),
        }
        Ok(self.trigger())
    }

    /// Starts a checkpoint, if one is due and none is under way.
    fn trigger(&mut self) -> Vec<Action> {
        if !matches!(self.phase, Phase::Idle) || !(self.last_wanted || self.now >= self.due) {
            return Vec::new();
        }
        let barrier = Barrier { epoch: self.next, last: self.last_wanted };
        self.next = self.next.next();
        self.due = self.now + self.every;
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
        Ok(vec![Action::WriteManifest { barrier, parts }])
    }

    fn stored(&mut self, epoch: Epoch) -> Result<Vec<Action>, Unexpected> {
        let barrier = self.being_written(epoch)?;
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

    fn fail(&mut self) -> Vec<Action> {
        self.phase = Phase::Over;
        vec![Action::Fail]
    }
}

#[cfg(test)]
mod tests;
