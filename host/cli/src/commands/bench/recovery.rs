//! How long a job takes to go on: a process runs it and is killed, another runs it again.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;
use wasmill_checkpoint::{Location, Store};

use super::kept::Kept;
use super::workload::SPREAD;
use super::{BenchArgs, BenchError, BenchResult, Operators};
use crate::process;

/// Rows that are compared after the kill.
const COMPARED: u64 = 10_000;
/// Where rows come out, as they come.
const SINK: &str = "sinks.out={ input: last, connector: stdio, format: json }";

/// A row that comes out.
#[derive(Debug, Deserialize)]
struct Row {
    key: u64,
    count: u64,
}

/// Runs the job in a process, kills it when two thirds of the rows have come out, and runs it again.
pub fn run(args: &BenchArgs, events: u64) -> Result<BenchResult, BenchError> {
    anyhow::ensure!(args.parallelism == 1, "recovery is measured at --parallelism 1: only there rows come out in their order");
    anyhow::ensure!(
        events * 2 / 3 >= args.keys,
        "--events {events} leaves keys without state when the process is killed: give at least {}",
        args.keys * 3 / 2
    );
    let began = Instant::now();
    let folder = tempfile::Builder::new().prefix("wasmill-bench-").tempdir()?;
    let kept = Kept::new(args.store.as_deref(), args.checkpoint_every.unwrap_or(Duration::from_secs(1)))?;
    let (job, (key, setting)) = (folder.path().join("bench.yaml"), kept.setting());
    fs::write(&job, format!("{}{key}: {setting}\n", args.workload.micro(args, events)?))?;

    let (mut first, rows) = start(&job)?;
    let mut seen = 0;
    for line in rows.lines() {
        parse(&line?)?;
        seen += 1;
        if seen >= events * 2 / 3 {
            break;
        }
    }
    let killed = Instant::now();
    first.kill()?;
    // Its store is locked until it is gone.
    first.wait()?;
    let (mut second, rows) = start(&job)?;
    let mut lines = rows.lines();
    let line = lines.next().context("the job that was run again put nothing out")??;
    let recovery = killed.elapsed();
    let from = number(&parse(&line)?, args.keys)?;
    anyhow::ensure!(
        from >= args.keys,
        "the last checkpoint before the kill was taken when not all keys had state: give more --events than {events}"
    );
    // What came after the last checkpoint comes again, and nothing is left out.
    let mut correct = from <= seen;
    for (number, line) in (from + 1..events.min(from + COMPARED)).zip(&mut lines) {
        let row = parse(&line?)?;
        correct &= (row.key, row.count) == (number * SPREAD % args.keys, number / args.keys + 1);
    }
    second.kill()?;
    second.wait()?;

    let newest = newest(&kept)?;
    let wall = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let rate = seen as f64 / wall;
    Ok(BenchResult {
        workload: args.workload.name(),
        operators: if args.operators == Operators::Component { "component" } else { "built-in" },
        events,
        keys: args.keys,
        parallelism: 1,
        state: "memory",
        pruning: true,
        skew: 0,
        combining: false,
        wall_seconds: wall,
        cpu_seconds: process::cpu_seconds(),
        events_per_second: rate,
        events_per_cpu_second: 0.0,
        ns_per_event: 0.0,
        steady_events_per_second: rate,
        peak_memory_bytes: process::peak_memory_bytes(),
        latency_us: None,
        checkpoints: newest.0,
        checkpoint_bytes: newest.1,
        longest_pause_ms: 0.0,
        recovery_seconds: Some(recovery.as_secs_f64()),
        batch_rows_mean: 0.0,
        correct,
        machine: process::machine(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Starts a process that runs the job; its standard output.
fn start(job: &Path) -> Result<(Child, BufReader<ChildStdout>), BenchError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg(job).args(["--parallelism", "1", "--set", SINK]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let rows = child.stdout.take().context("standard output is piped")?;
    Ok((child, BufReader::new(rows)))
}

fn parse(line: &str) -> Result<Row, BenchError> {
    serde_json::from_str(line).with_context(|| format!("expected a row with key and count, found {line:?}"))
}

/// The number of a row, by its key and count.
fn number(row: &Row, keys: u64) -> Result<u64, BenchError> {
    let place = (0..keys).find(|id| id * SPREAD % keys == row.key).context("a key that no row has")?;
    Ok((row.count.max(1) - 1) * keys + place)
}

/// The newest checkpoint, and the bytes of its files.
fn newest(kept: &Kept) -> Result<(u64, u64), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entries = runtime.block_on(async { Store::look(&Location::of(kept.path())).await?.entries().await })?;
    let newest = entries.into_iter().filter_map(|entry| Some((entry.epoch, entry.manifest.ok()?))).next_back();
    let (epoch, manifest) = newest.context("no checkpoint was taken before the kill")?;
    Ok((epoch.0, manifest.files().map(|file| file.bytes).sum()))
}
