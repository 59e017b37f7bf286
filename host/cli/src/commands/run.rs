//! `wasmill run`: runs a job until its sources end, it fails, or a signal stops it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use wasmill_job::explain::survives;
use wasmill_job::graph::Job;
use wasmill_job::plan::{Plan, plan};
use wasmill_runtime::{Durability, Factory, JobCounts, JobError, JobRun, Outcome, assembly, facts};

use crate::arguments::RunArgs;
use crate::commands::compose;
use crate::composition::Composition;
use crate::exit::Exit;
use crate::later::not_in_this_version;
use crate::progress::{self, Progress};
use crate::summary::{self, Ran, Summary};
use crate::{job_file, recovery, report, signals};

/// Runs a job.
pub fn run(args: &RunArgs) -> Exit {
    let later =
        [("--mode", &args.mode), ("--from", &args.from), ("--metrics", &args.metrics), ("--log-format", &args.log_format)];
    if let Some((option, _)) = later.iter().find(|(_, value)| value.is_some()) {
        return not_in_this_version(&format!("`run {option}`"), None);
    }
    if let Some(Err(error)) = args.summary.as_deref().map(summary::check) {
        report::error(&error);
        return Exit::Wrong;
    }
    let composition = match compose(!args.no_build) {
        Ok(composition) => composition,
        Err(exit) => return exit,
    };
    let loaded = job_file::open(&args.job, &composition);
    loaded.print_problems();
    match &loaded.job {
        Some(job) => run_job(job, args, &composition),
        None => Exit::Wrong,
    }
}

/// Runs a valid job, and sums up what came of it.
fn run_job(job: &Job, args: &RunArgs, composition: &Composition) -> Exit {
    let counts = Arc::new(assembly::counts(job));
    let began = Instant::now();
    let mut known = Known::default();
    let outcome = attempt(job, args.fresh, composition, &counts, &mut known);
    let wall = began.elapsed();
    let mut exit = match &outcome {
        Ok(_) => Exit::Done,
        Err(error) => {
            report::error(error);
            Exit::Failed
        }
    };
    if let Some(path) = &args.summary {
        let ran = Ran { outcome: &outcome, exit, wall, plugins: &known.plugins, restored_from: known.restored_from };
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

fn attempt(
    job: &Job,
    fresh: bool,
    composition: &Composition,
    counts: &Arc<JobCounts>,
    known: &mut Known,
) -> Result<Outcome, JobError> {
    let plan = plan(job);
    let factory = composition.factory(job, Instant::now()).map_err(report::of_plugin)?;
    let operators = || 0..job.operators.len();
    known.plugins = operators().filter_map(|index| Some((index, factory.digest(index)?.to_owned()))).collect();
    let stateful: BTreeSet<usize> = operators().filter(|&index| factory.is_stateful(index)).collect();
    let durability = match &job.checkpoint {
        None => {
            survives(job).iter().for_each(|sentence| report::note(sentence));
            None
        }
        Some(checkpoint) => {
            let durability = recovery::open(checkpoint, facts(job, &plan, &stateful, &known.plugins), fresh)?;
            known.restored_from = durability.restored.as_ref().map(|manifest| manifest.epoch.0);
            Some(durability)
        }
    };
    let refused = |error: std::io::Error| JobError::new("system", format!("the system refuses threads or signals: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(refused)?;
    let outcome = on(&runtime, job, &plan, &factory, counts, durability);
    // Not waited for: one of its threads may be reading a standard input that never ends.
    runtime.shutdown_background();
    outcome
}

/// Runs a job on a runtime, with a progress bar and an ear for signals.
fn on(
    runtime: &Runtime,
    job: &Job,
    plan: &Plan,
    factory: &dyn Factory,
    counts: &Arc<JobCounts>,
    durability: Option<Durability>,
) -> Result<Outcome, JobError> {
    runtime.block_on(async {
        let stop =
            signals::listen().map_err(|error| JobError::new("system", format!("signals can't be listened to: {error}")))?;
        let bar = Progress::of(job);
        let drawing = async {
            match &bar {
                Some(bar) => loop {
                    bar.show(counts);
                    tokio::time::sleep(progress::PAUSE).await;
                },
                None => std::future::pending::<Infallible>().await,
            }
        };
        let running = JobRun { job, plan, factory, counts: Arc::clone(counts), durability, stop }.run();
        let outcome = tokio::select! {
            outcome = running => outcome,
            never = drawing => match never {},
        };
        if let Some(bar) = &bar {
            bar.end();
        }
        outcome
    })
}
