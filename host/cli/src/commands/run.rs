//! `wasmill run`: runs a job until its sources end, it fails, or a signal stops it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;
use wasmill_job::explain::survives;
use wasmill_job::graph::Job;
use wasmill_job::plan::{Plan, plan};
use wasmill_runtime::{JobCounts, JobError, JobRun, MemoryBudget, Outcome, Restarts, Verdict, assembly, facts};
use wasmill_time::ProcessingClock;

use crate::arguments::RunArgs;
use crate::commands::compose;
use crate::composition::Composition;
use crate::control::server::Reached;
use crate::exit::Exit;
use crate::later::not_in_this_version;
use crate::metrics::{self, Server};
use crate::signals::{self, Stop};
use crate::summary::{self, Ran, Summary};
use crate::watch::Watch;
use crate::{control, event, job_file, process, recovery, report};

/// Runs a job.
pub fn run(args: &RunArgs) -> Exit {
    let later = [("--mode", &args.mode), ("--from", &args.from)];
    if let Some((option, _)) = later.iter().find(|(_, value)| value.is_some()) {
        return not_in_this_version(&format!("`run {option}`"), None);
    }
    if let Some(Err(error)) = args.summary.as_deref().map(summary::check) {
        report::error(&error);
        return Exit::Wrong;
    }
    let stop = match signals::listen() {
        Ok(stop) => stop,
        Err(error) => {
            report::error(&JobError::new("system", format!("signals can't be listened to: {error}")));
            return Exit::Failed;
        }
    };
    let composition = match compose(!args.no_build, stop.clone()) {
        Ok(composition) => composition,
        Err(exit) => return exit,
    };
    let loaded = job_file::open(&args.job, &composition);
    match &loaded.job {
        // What building a plugin left undone is no fault of the job.
        None if stop.is_asked() => Exit::Done,
        None => {
            loaded.print_problems();
            Exit::Wrong
        }
        Some(job) => {
            loaded.print_problems();
            run_job(job, &loaded.text, args, &composition, &stop)
        }
    }
}

/// Runs a valid job, and sums up what came of it. `text` is the job file's.
fn run_job(job: &Job, text: &str, args: &RunArgs, composition: &Composition, stop: &Stop) -> Exit {
    event::set_job(&job.name);
    let plan = plan(job);
    let counts = Arc::new(assembly::counts(job));
    let memory = Arc::new(MemoryBudget::new(args.memory.unwrap_or_else(process::memory_budget)));
    let metrics = match args.metrics.map(|address| serve(address, job, &plan, &counts, &memory)).transpose() {
        Ok(metrics) => metrics,
        Err(error) => {
            report::error(&error);
            return Exit::Wrong;
        }
    };
    let began = Instant::now();
    let known = Arc::new(Mutex::new(Known::default()));
    let reached = Reached::new(status(job, &counts, &known, began), stop.clone());
    let control = control::server::Server::start(&job.name, Arc::clone(&reached));
    if let Err(why) = &control {
        report::remark("not-reachable", &format!("`wasmill status`, `stop` and `savepoint` don't reach this job: {why}"));
    }
    let begin =
        Begin { job, plan: &plan, fresh: args.fresh, composition, counts: &counts, memory: &memory, stop, reached: &reached };
    let outcome = begin.attempt(&known);
    let wall = began.elapsed();
    drop((metrics, control));
    let mut exit = match &outcome {
        Ok(_) => Exit::Done,
        Err(error) => {
            report::error_in(error, &args.job.job.display().to_string(), text);
            Exit::Failed
        }
    };
    if let Some(path) = &args.summary {
        let known = lock(&known);
        let end = Some((&outcome, exit));
        let ran = Ran { end, wall, plugins: &known.plugins, restored_from: known.restored_from };
        if let Err(error) = Summary::of(job, &counts, &ran).write(path) {
            report::error(&error);
            exit = Exit::Failed;
        }
    }
    exit
}

/// What is found out of a job on the way to running it.
#[derive(Default)]
struct Known {
    plugins: BTreeMap<usize, String>,
    restored_from: Option<u64>,
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a job that runs says of itself.
fn status(
    job: &Job,
    counts: &Arc<JobCounts>,
    known: &Arc<Mutex<Known>>,
    began: Instant,
) -> impl Fn() -> Value + Send + Sync + use<> {
    let (job, counts, known) = (job.clone(), Arc::clone(counts), Arc::clone(known));
    move || {
        let known = lock(&known);
        let ran = Ran { end: None, wall: began.elapsed(), plugins: &known.plugins, restored_from: known.restored_from };
        let mut status = serde_json::to_value(Summary::of(&job, &counts, &ran)).unwrap_or_default();
        status["pid"] = std::process::id().into();
        status
    }
}

/// Serves a job's figures to Prometheus until the server is dropped.
fn serve(
    address: SocketAddr,
    job: &Job,
    plan: &Plan,
    counts: &Arc<JobCounts>,
    memory: &Arc<MemoryBudget>,
) -> Result<Server, JobError> {
    let listener = Server::bind(address)?;
    let (job, plan, counts, memory) = (job.clone(), plan.clone(), Arc::clone(counts), Arc::clone(memory));
    let server = Server::start(listener, move || metrics::exposition(&job, &plan, &counts, &memory));
    let server = server.map_err(|error| JobError::new("system", format!("the system refuses a thread for metrics: {error}")))?;
    report::remark("metrics", &format!("metrics at http://{}/metrics", server.address()));
    Ok(server)
}

/// What a job begins with.
struct Begin<'a> {
    job: &'a Job,
    plan: &'a Plan,
    fresh: bool,
    composition: &'a Composition,
    counts: &'a Arc<JobCounts>,
    memory: &'a Arc<MemoryBudget>,
    stop: &'a Stop,
    reached: &'a Reached,
}

impl Begin<'_> {
    /// Runs the job to its end, going on from its last checkpoint after faults that may pass, as often as it says. What is found out on
    /// the way goes to `known`.
    fn attempt(&self, known: &Mutex<Known>) -> Result<Outcome, JobError> {
        let mut restarts = Restarts::new(self.job.restart);
        let mut fresh = self.fresh;
        loop {
            let began = Instant::now();
            let error = match self.attempt_once(fresh, known) {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            let Verdict::After(pause, time) = restarts.on(&error, began.elapsed()) else {
                let again = restarts.in_a_row();
                let message = match again {
                    0 => error.message,
                    _ => format!("{} (after it was started again {again} times)", error.message),
                };
                return Err(JobError { message, ..error });
            };
            fresh = false;
            report::remark(
                "restarting",
                &format!("{}; going on from the last checkpoint in {pause:?} ({time} of {})", error, self.job.restart.attempts),
            );
            self.counts.start_again();
            if self.stop.wait(pause) {
                return Err(error);
            }
        }
    }

    /// Runs the job to its end, or the first fault.
    fn attempt_once(&self, fresh: bool, known: &Mutex<Known>) -> Result<Outcome, JobError> {
        let Self { job, plan, composition, .. } = *self;
        let factory = composition.factory(job, Instant::now()).map_err(report::of_plugin)?;
        let operators = || 0..job.operators.len();
        let plugins: BTreeMap<usize, String> = operators().filter_map(|index| Some((index, factory.digest(index)?))).collect();
        lock(known).plugins.clone_from(&plugins);
        let stateful: BTreeSet<usize> = operators().filter(|&index| factory.is_stateful(index)).collect();
        let refused = |error: std::io::Error| JobError::new("system", format!("the system refuses threads: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(refused)?;
        let durability = match &job.checkpoint {
            None => {
                survives(job).iter().for_each(|sentence| report::remark("nothing-survives", sentence));
                None
            }
            Some(checkpoint) => {
                let facts = facts(job, plan, &stateful, &plugins);
                let durability = runtime.block_on(recovery::open(checkpoint, facts, fresh))?;
                lock(known).restored_from = durability.restored.as_ref().map(|manifest| manifest.epoch.0);
                Some(durability)
            }
        };
        if self.stop.is_asked() {
            return Ok(Outcome::Stopped);
        }
        let watch = Watch::start(job, plan, self.counts).map_err(refused)?;
        let (counts, stop) = (Arc::clone(self.counts), self.stop.receiver());
        let run = JobRun {
            job,
            plan,
            factory: &factory,
            counts,
            durability,
            memory: Arc::clone(self.memory),
            clock: ProcessingClock::start(),
            stop,
            savepoints: self.reached.begin(),
        };
        let outcome = runtime.block_on(run.run());
        watch.end();
        // Not waited for: one of its threads may be reading a standard input that never ends.
        runtime.shutdown_background();
        outcome
    }
}
