//! Starts a job, watches it, stops it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use wasmill_flow::Epoch;
use wasmill_job::graph::Job;
use wasmill_job::plan::Plan;
use wasmill_time::ProcessingClock;

use crate::assembly::{Assembly, assemble};
use crate::checkpoint_driver::{Asked, Driver};
use crate::counts::JobCounts;
use crate::durability::Durability;
use crate::error::JobError;
use crate::factory::Factory;
use crate::memory::MemoryBudget;
use crate::names::Names;
use crate::restore::restore;
use crate::savepoint::SavepointRequest;

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its sources ended.
    Finished,
    /// It was asked to stop, and did so cleanly.
    Stopped,
}

/// A job that runs until its sources end, it is asked to stop, or it fails.
pub struct JobRun<'a> {
    /// The job.
    pub job: &'a Job,
    /// How it runs.
    pub plan: &'a Plan,
    /// Where its parts come from.
    pub factory: &'a dyn Factory,
    /// What it counts; may be read by others while it runs.
    pub counts: Arc<JobCounts>,
    /// Whether and where checkpoints are taken, and the one to go on from.
    pub durability: Option<Durability>,
    /// What the jobs of the process may hold together.
    pub memory: Arc<MemoryBudget>,
    /// What time it is.
    pub clock: ProcessingClock,
    /// Becomes true when the job is to stop.
    pub stop: watch::Receiver<bool>,
    /// Savepoints that somebody wants.
    pub savepoints: mpsc::UnboundedReceiver<SavepointRequest>,
}

impl JobRun<'_> {
    /// Runs the job. Its tasks run on the current tokio runtime; when this returns, none is left.
    ///
    /// # Errors
    /// The first error of a task, a source, a sink or a checkpoint. A panic in the host is one, too: it ends this job only.
    pub async fn run(self) -> Result<Outcome, JobError> {
        let Self { job, plan, factory, counts, durability, memory, clock, stop, savepoints } = self;
        let first = durability.as_ref().map_or(Epoch(1), |durability| durability.first);
        let mut assembly = assemble(job, plan, factory, &counts, &memory, &clock, durability.is_some(), first)?;
        if let Some(durability) = &durability {
            restore(job, &mut assembly.tasks, durability).await?;
        }
        let names = Arc::new(Names::of(job));
        let mut driver = Driver::new(&mut assembly, names, job.key_groups, durability, clock, counts, Asked { stop, savepoints });
        let Assembly { tasks, idle_commits, .. } = assembly;
        let mut running = JoinSet::new();
        for task in tasks {
            running.spawn(task.run());
        }
        let outcome = tokio::select! {
            biased;
            failed = first_failure(&mut running) => Err(failed),
            outcome = driver.run() => outcome,
        };
        if outcome.is_err() {
            running.abort_all();
            driver.settle().await;
        }
        // All tasks are about to end by themselves, or none may go on.
        let mut outcome = outcome;
        while let Some(ended) = running.join_next().await {
            if let (Ok(_), Ok(Err(error))) = (&outcome, ended) {
                outcome = Err(error);
            }
        }
        drop(idle_commits);
        outcome
    }
}

/// Waits for tasks to end; returns with the first that fails, and never where none does.
async fn first_failure(running: &mut JoinSet<Result<(), JobError>>) -> JobError {
    let mut consequence = None;
    loop {
        match running.join_next().await {
            Some(Ok(Ok(()))) => {}
            // A task whose neighbour is gone fails by that; the neighbour's own error is the one to show, and comes as well.
            Some(Ok(Err(error))) if matches!(error.code, "task-gone" | "driver-gone") => consequence = Some(error),
            Some(Ok(Err(error))) => return error,
            Some(Err(error)) => return panicked(error),
            None => match consequence {
                Some(error) => return error,
                None => std::future::pending().await,
            },
        }
    }
}

pub(crate) fn panicked(error: JoinError) -> JobError {
    let message = match error.try_into_panic() {
        Ok(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
        }
        Err(error) => error.to_string(),
    };
    JobError::new("internal-panic", format!("a task of the host panicked: {message}")).with_hint(
        "this is a fault of Wasmill, not of the job: please report it with the message above; other jobs of the process go on",
    )
}
