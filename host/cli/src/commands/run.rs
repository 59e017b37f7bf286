//! `wasmill run`: runs a job until its sources end, it fails, or a signal stops it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tokio::runtime::Runtime;
use wasmill_checkpoint::Manifest;
use wasmill_checkpoint::recovery::check;
use wasmill_job::graph::{Checkpoint, Job};
use wasmill_job::plan::{Plan, plan, plan_resumed};
use wasmill_runtime::{JobCounts, JobError, MemoryBudget, assembly};

use crate::arguments::RunArgs;
use crate::commands::compose;
use crate::composition::Composition;
use crate::control::server::Reached;
use crate::exit::Exit;
use crate::later::not_in_this_version;
use crate::metrics::{self, Server};
use crate::recovery::{Asked, Opened, Start};
use crate::signals::{self, Stop};
use crate::summary::{self, Ran, Summary};
use crate::supervision::{Described, Known, Supervision};
use crate::{control, event, job_file, process, recovery, report};

/// Runs a job.
pub fn run(args: &RunArgs) -> Exit {
    if args.mode.is_some() {
        return not_in_this_version("`run --mode`", None);
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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report::error(&JobError::new("system", format!("the system refuses threads: {error}")));
            return Exit::Failed;
        }
    };
    let start = match start(args) {
        Ok(start) => start,
        Err(error) => {
            report::error(&error);
            return Exit::Wrong;
        }
    };
    let opened = match (&job.checkpoint, &start) {
        (Some(checkpoint), start) => open(checkpoint, job, start, composition, &runtime).map(Some),
        (None, Start::From(_)) => {
            report::error(
                &JobError::new("invalid-option", "`--from` in a job without `checkpoint`: it has no store to go on from")
                    .with_hint("give the job `checkpoint: { store: PATH }`"),
            );
            return Exit::Wrong;
        }
        (None, _) => Ok(None),
    };
    let restored = opened.as_ref().ok().and_then(|opened| opened.as_ref()?.restored.as_ref());
    // Each position is that of a task: sources have as many as they had.
    let plan = restored.map_or_else(|| plan(job), |manifest| plan_resumed(job, &manifest.job.sources));
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
    let known = Arc::new(Known::default());
    let reached = Reached::new(status(job, &counts, &known, began), stop.clone());
    let control = control::server::Server::start(&job.name, Arc::clone(&reached));
    if let Err(why) = &control {
        report::remark("not-reachable", &format!("`wasmill status`, `stop` and `savepoint` don't reach this job: {why}"));
    }
    let outcome = opened.and_then(|opened| {
        let (plan, runtime, counts, memory) = (&plan, &runtime, &counts, &memory);
        let (reached, known) = (&*reached, &*known);
        Supervision { job, plan, composition, runtime, counts, memory, stop, reached, known }.run(opened)
    });
    // Not waited for: one of its threads may be reading a standard input that never ends.
    runtime.shutdown_background();
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
        let known = known.facts();
        let end = Some((&outcome, exit));
        let ran = Ran { end, wall, plugins: &known.plugins, restored_from: known.restored_from };
        if let Err(error) = Summary::of(job, &counts, &ran).write(path) {
            report::error(&error);
            exit = Exit::Failed;
        }
    }
    exit
}

/// What the command line says that the job is to begin with.
fn start(args: &RunArgs) -> Result<Start, JobError> {
    Ok(match &args.from {
        Some(written) => Start::From(Asked::read(written, args.allow_unmatched)?),
        None if args.fresh => Start::Fresh,
        None => Start::Newest,
    })
}

/// Opens a job's store. Where it is to go on from a checkpoint that it may not fit, it is described before.
fn open(
    checkpoint: &Checkpoint,
    job: &Job,
    start: &Start,
    composition: &Composition,
    runtime: &Runtime,
) -> Result<Opened, JobError> {
    let described = match start {
        Start::From(_) => {
            let factory = composition.factory(job, Instant::now()).map_err(report::of_plugin)?;
            Some(Described::of(job, &factory)?)
        }
        Start::Newest | Start::Fresh => None,
    };
    let fits = |manifest: &Manifest, fit| {
        let plan = plan_resumed(job, &manifest.job.sources);
        described
            .as_ref()
            .map_or(Ok(()), |described| check(manifest, &described.facts(job, &plan), fit).map(drop).map_err(JobError::from))
    };
    runtime.block_on(recovery::open(checkpoint, &job.name, start, fits))
}

/// What a job that runs says of itself.
fn status(job: &Job, counts: &Arc<JobCounts>, known: &Arc<Known>, began: Instant) -> impl Fn() -> Value + Send + Sync + use<> {
    let (job, counts, known) = (job.clone(), Arc::clone(counts), Arc::clone(known));
    move || {
        let known = known.facts();
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
