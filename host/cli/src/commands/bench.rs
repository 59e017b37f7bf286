//! `wasmill bench`: the workloads by which Wasmill is measured, run through the same path as any job.

mod answer;
mod kept;
mod nexmark;
mod recovery;
mod sinks;
mod workload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use wasmill_job::graph::Job;
use wasmill_runtime::{JobCounts, JobRun, MemoryBudget, NodeCounts, assembly};
use wasmill_time::ProcessingClock;

use crate::composition::Composition;
use crate::process;
use crate::recovery::{Start, open};
use crate::supervision::Described;
use answer::Answer;
use kept::Kept;
use sinks::{BenchFactory, Latency};
pub use workload::Workload;

/// What is measured, and how.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The workload.
    pub workload: Workload,
    /// The operator under test: a component, or the same built into the host.
    #[arg(long, value_enum, default_value_t = Operators::Component)]
    pub operators: Operators,
    /// Rows; a number with k or M. Without it: 20M, 40M for map-filter, 10M for Nexmark, for latency and recovery 30 seconds' worth or three for each
    /// key.
    #[arg(long, value_parser = count)]
    pub events: Option<u64>,
    /// Tasks.
    #[arg(long, default_value_t = 1)]
    pub parallelism: u32,
    /// How many keys the rows of keyed-count, window-count, latency and recovery have.
    #[arg(long, value_parser = count, default_value = "100k")]
    pub keys: u64,
    /// Keep the latest payload of each key, too: with its key and its count some 90 bytes.
    #[arg(long)]
    pub payload: bool,
    /// Take a checkpoint so often, as 1s.
    #[arg(long, value_parser = duration)]
    pub checkpoint_every: Option<Duration>,
    /// Where checkpoints are kept. Without it: in the temporary directory, and removed at the end.
    #[arg(long)]
    pub store: Option<PathBuf>,
    /// Rows a second, for latency and recovery.
    #[arg(long, value_parser = count, default_value = "50k")]
    pub rate: u64,
    /// Move every column through the exchange, also those that nothing reads.
    #[arg(long)]
    pub no_pruning: bool,
    /// Of window-count, so many rows of a hundred have one key.
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..=100), default_value_t = 0)]
    pub skew: u64,
    /// Don't combine rows of a key before the exchange.
    #[arg(long)]
    pub no_combining: bool,
    /// Where the measured plugins lie.
    #[arg(long, default_value = "plugins")]
    pub plugins: PathBuf,
    /// Writes the result as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// What runs the workload's logic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Operators {
    /// A component.
    Component,
    /// The same, built in.
    BuiltIn,
}

/// A time, as jobs have it.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = wasmill_job::measure::parse_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| format!("expected a time, as 1s or 500ms, found {text:?}"))
}

/// A number with `k` or `M`.
fn count(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1_000),
        Some(b'M') => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| format!("expected a number, as 20M or 100k, found {text:?}"))?;
    number.checked_mul(factor).filter(|&count| count > 0).ok_or_else(|| format!("{text:?} is out of range"))
}

/// What a benchmark found: CONTRACT's object.
#[derive(Debug, Serialize)]
pub struct BenchResult {
    workload: &'static str,
    operators: &'static str,
    events: u64,
    keys: u64,
    parallelism: u32,
    state: &'static str,
    pruning: bool,
    skew: u64,
    combining: bool,
    wall_seconds: f64,
    cpu_seconds: f64,
    events_per_second: f64,
    events_per_cpu_second: f64,
    ns_per_event: f64,
    steady_events_per_second: f64,
    peak_memory_bytes: u64,
    latency_us: Option<Latency>,
    checkpoints: u64,
    /// Bytes of state that checkpoints wrote.
    checkpoint_bytes: u64,
    /// The longest that a checkpoint kept a task from its rows in one go.
    longest_pause_ms: f64,
    /// From the kill to the first row that hadn't come out before; null where nothing was killed.
    recovery_seconds: Option<f64>,
    batch_rows_mean: f64,
    correct: bool,
    machine: String,
    version: &'static str,
}

/// Why a benchmark could not be run.
pub type BenchError = anyhow::Error;

/// Runs a benchmark; prints what it found.
///
/// # Errors
/// Where the workload's job can't be made or fails.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn run(args: &BenchArgs, composition: &Composition) -> Result<BenchResult, BenchError> {
    let events = args.events.unwrap_or_else(|| args.workload.events(args.rate, args.keys));
    check(args)?;
    if args.workload == Workload::Recovery {
        return recovery::run(args, events);
    }
    let kept = args.checkpoint_every.map(|every| Kept::new(args.store.as_deref(), every)).transpose()?;
    let job = args.workload.job(args, events, kept.as_ref().map(Kept::setting), composition)?;
    let start = Instant::now() + Duration::from_millis(100);
    let paced = args.workload == Workload::Latency;
    let factory = composition.factory(&job, start).map_err(|problem| anyhow::anyhow!("{}", problem.message))?;
    let mut plan = wasmill_job::plan::plan(&job);
    let facts = Described::of(&job, &factory)?.facts(&job, &plan);
    let factory = BenchFactory::new(factory, paced.then_some((start, args.rate, events / 3)));
    if args.no_combining {
        plan.edges.iter_mut().for_each(|edge| edge.combined = false);
    }
    let counts = Arc::new(assembly::counts(&job));

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let began = Instant::now();
    let steady = runtime.block_on(async {
        let (_stop, stop) = watch::channel(false);
        let memory = Arc::new(MemoryBudget::new(process::memory_budget()));
        let durability = match &job.checkpoint {
            Some(checkpoint) => {
                Some(open(checkpoint, &job.name, &Start::Fresh, |_, _| Ok(())).await?.durability(checkpoint, facts))
            }
            None => None,
        };
        let run = JobRun {
            job: &job,
            plan: &plan,
            factory: &factory,
            counts: Arc::clone(&counts),
            durability,
            memory,
            clock: ProcessingClock::start(),
            stop,
            savepoints: mpsc::unbounded_channel().1,
        };
        let watching = tokio::spawn(first_third(Arc::clone(&counts), events * 3 / 10));
        run.run().await.map_err(|error| anyhow::anyhow!("{error}"))?;
        let ended = Instant::now();
        Ok::<_, BenchError>(watching.await.ok().map(|from| ended - from))
    })?;
    let wall = began.elapsed().as_secs_f64();
    // The process, from its start to the job's end: what follows is the check of the answer.
    let (cpu_seconds, peak_memory_bytes) = (process::cpu_seconds(), process::peak_memory_bytes());

    let answer = factory.answer();
    let expected = Answer::expected(args, events)?;
    let correct = answer == expected && answer.rows == NodeCounts::get(&counts.sinks[0].rows_in);
    let operators = match args.operators {
        Operators::Component => "component",
        Operators::BuiltIn => "built-in",
    };
    let (rows, batches) = (events as f64, mean_batch(args.workload.measured(), &job, &counts));
    Ok(BenchResult {
        workload: args.workload.name(),
        operators,
        events,
        keys: if args.workload.is_nexmark() { 0 } else { args.keys },
        parallelism: args.parallelism,
        state: "memory",
        pruning: !args.no_pruning,
        skew: args.skew,
        combining: plan.edges.iter().any(|edge| edge.combined),
        wall_seconds: wall,
        cpu_seconds,
        events_per_second: rows / wall,
        events_per_cpu_second: rows / cpu_seconds,
        ns_per_event: cpu_seconds * 1e9 / rows,
        steady_events_per_second: steady
            .filter(|steady| !steady.is_zero())
            .map_or(rows / wall, |steady| rows * 0.7 / steady.as_secs_f64()),
        peak_memory_bytes,
        latency_us: factory.latency(),
        checkpoints: counts.checkpoints.load(Relaxed),
        checkpoint_bytes: counts.checkpoint_bytes.load(Relaxed),
        longest_pause_ms: counts.longest_pause_micros.load(Relaxed) as f64 / 1e3,
        recovery_seconds: None,
        batch_rows_mean: batches,
        correct,
        machine: process::machine(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Refuses what doesn't go together.
fn check(args: &BenchArgs) -> Result<(), BenchError> {
    let BenchArgs { workload, parallelism, skew, keys, payload, checkpoint_every, ref store, operators, .. } = *args;
    let counts = matches!(workload, Workload::KeyedCount | Workload::Latency | Workload::Recovery);
    anyhow::ensure!(
        workload != Workload::Latency || parallelism == 1,
        "latency is measured at --parallelism 1: only there rows come out in the order in which they were due"
    );
    anyhow::ensure!(skew == 0 || workload == Workload::WindowCount, "--skew is for window-count");
    anyhow::ensure!(
        keys == workload::KEYS || counts || workload == Workload::WindowCount && skew == 0,
        "--keys is for keyed-count, latency, recovery, and window-count without --skew"
    );
    anyhow::ensure!(
        !payload || counts && operators == Operators::BuiltIn,
        "--payload is for keyed-count, latency and recovery, with --operators built-in"
    );
    anyhow::ensure!(
        store.is_none() || checkpoint_every.is_some() || workload == Workload::Recovery,
        "--store is where checkpoints are kept: say how often with --checkpoint-every"
    );
    Ok(())
}

/// Waits until so many rows have been read; when that was.
async fn first_third(counts: Arc<JobCounts>, rows: u64) -> Instant {
    let mut interval = tokio::time::interval(Duration::from_millis(2));
    while NodeCounts::get(&counts.sources[0].rows_in) < rows {
        interval.tick().await;
    }
    Instant::now()
}

/// Rows a call of the operator under test.
fn mean_batch(measured: &str, job: &Job, counts: &JobCounts) -> f64 {
    let operator = job.operators.iter().position(|operator| operator.name == measured).map(|index| &counts.operators[index]);
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let mean = operator.map_or(0.0, |of| NodeCounts::get(&of.rows_in) as f64 / NodeCounts::get(&of.batches).max(1) as f64);
    mean
}
