//! Runs a job to its end: where a fault may pass, from its last checkpoint again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::timeout;
use wasmill_checkpoint::{CheckpointError, JobFacts, StateFacts};
use wasmill_job::explain::survives;
use wasmill_job::graph::Job;
use wasmill_job::plan::Plan;
use wasmill_runtime::{JobCounts, JobError, JobRun, MemoryBudget, Outcome, Restarts, Verdict, facts};
use wasmill_time::ProcessingClock;

use crate::composition::Composition;
use crate::composition::factory::JobFactory;
use crate::control::server::Reached;
use crate::recovery::{self, Opened};
use crate::report;
use crate::signals::Stop;
use crate::watch::Watch;

/// How long a job that failed looks whether another process has taken its store over.
const LOOK: Duration = Duration::from_secs(5);

/// What a job runs with.
pub struct Supervision<'a> {
    pub job: &'a Job,
    pub plan: &'a Plan,
    pub composition: &'a Composition,
    pub runtime: &'a Runtime,
    pub counts: &'a Arc<JobCounts>,
    pub memory: &'a Arc<MemoryBudget>,
    pub stop: &'a Stop,
    pub reached: &'a Reached,
    pub known: &'a Known,
}

/// What is found out of a job on the way to running it.
#[derive(Debug, Default)]
pub struct Known(Mutex<Facts>);

/// What is known of it.
#[derive(Debug, Default)]
pub struct Facts {
    /// The digests of plugins, by their operators' places.
    pub plugins: BTreeMap<usize, String>,
    /// The checkpoint that it went on from.
    pub restored_from: Option<u64>,
}

/// A job's operators, as its checkpoints describe them.
#[derive(Debug)]
pub struct Described {
    /// What those keep that keep state, by their places.
    states: BTreeMap<usize, StateFacts>,
    /// The digests of plugins, by their operators' places.
    plugins: BTreeMap<usize, String>,
}

impl Described {
    /// Those of a job with these parts.
    ///
    /// # Errors
    /// Where an operator can't be made.
    pub fn of(job: &Job, factory: &JobFactory<'_>) -> Result<Self, JobError> {
        let plugins = (0..job.operators.len()).filter_map(|index| Some((index, factory.digest(index)?))).collect();
        Ok(Self { states: factory.states()?, plugins })
    }

    /// The job, run by this plan.
    pub fn facts(&self, job: &Job, plan: &Plan) -> JobFacts {
        facts(job, plan, &self.states, &self.plugins)
    }
}

impl Known {
    /// What is known now.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervision<'_> {
    /// Runs the job to its end, going on from its last checkpoint after faults that may pass, as often as it says.
    pub fn run(&self, opened: Option<Opened>) -> Result<Outcome, JobError> {
        let mut restarts = Restarts::new(self.job.restart);
        let fit = opened.as_ref().map(Opened::fit).unwrap_or_default();
        let mut next = Ok(opened);
        loop {
            let began = Instant::now();
            let error = match next.and_then(|opened| self.run_once(opened)) {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            let Verdict::After(pause, time) = restarts.on(&error, began.elapsed()) else {
                let message = match restarts.in_a_row() {
                    0 => error.message,
                    times => format!("{} (after the job was started again {times} times)", error.message),
                };
                return Err(JobError { message, ..error });
            };
            let again = format!("going on from the last checkpoint in {pause:?} ({time} of {})", self.job.restart.attempts);
            report::remark("restarting", &format!("[{}] {error}; {again}", error.code));
            self.counts.start_again();
            if self.stop.wait(pause) {
                return Err(error);
            }
            next = match &self.job.checkpoint {
                None => Ok(None),
                Some(checkpoint) => {
                    let reopened = self.runtime.block_on(recovery::reopen(checkpoint, &self.job.name, fit));
                    reopened.map(Some).map_err(JobError::from)
                }
            };
        }
    }

    /// Runs the job to its end, or the first fault.
    fn run_once(&self, opened: Option<Opened>) -> Result<Outcome, JobError> {
        let Self { job, plan, .. } = *self;
        let factory = self.composition.factory(job, Instant::now()).map_err(report::of_plugin)?;
        let described = Described::of(job, &factory)?;
        {
            let mut known = self.known.facts();
            known.plugins.clone_from(&described.plugins);
            let restored = opened.as_ref().and_then(|opened| opened.restored.as_ref());
            known.restored_from = restored.map(|manifest| manifest.epoch.0);
        }
        if opened.is_none() {
            survives(job).iter().for_each(|sentence| report::remark("nothing-survives", sentence));
        }
        let durability = match (opened, &job.checkpoint) {
            (Some(opened), Some(checkpoint)) => Some(opened.durability(checkpoint, described.facts(job, plan))),
            _ => None,
        };
        let store = durability.as_ref().map(|durability| Arc::clone(&durability.store));
        if self.stop.is_asked() {
            return Ok(Outcome::Stopped);
        }
        let refused = |error: std::io::Error| JobError::new("system", format!("the system refuses threads: {error}"));
        let watch = Watch::start(job, plan, self.counts).map_err(refused)?;
        let run = JobRun {
            job,
            plan,
            factory: &factory,
            counts: Arc::clone(self.counts),
            durability,
            memory: Arc::clone(self.memory),
            clock: ProcessingClock::start(),
            stop: self.stop.receiver(),
            savepoints: self.reached.begin(),
        };
        let outcome = self.runtime.block_on(run.run());
        watch.end();
        match (&outcome, store) {
            // What failed may be the doing of another process, which has gone on with the job. It isn't to be taken back from that one.
            (Err(error), Some(store)) if error.is_passing() => {
                let looked = self.runtime.block_on(async { timeout(LOOK, store.check_owner()).await });
                if let Ok(Err(fenced @ CheckpointError::Fenced { .. })) = looked { Err(fenced.into()) } else { outcome }
            }
            _ => outcome,
        }
    }
}
