//! The summary of a run: one JSON object, written whole and last, also when the job fails.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;
use wasmill_job::graph::{Job, LATE_PORT, Operator, Verb};
use wasmill_runtime::{JobCounts, JobError, NodeCounts, Outcome};

use crate::exit::Exit;
use crate::process;
use crate::report;

/// A run in figures, in the order of CONTRACT's object.
#[derive(Debug, Serialize)]
pub struct Summary {
    job: String,
    outcome: &'static str,
    /// None while it runs.
    exit_code: Option<i32>,
    mode: &'static str,
    parallelism: u32,
    error: Option<Failure>,
    wall_seconds: f64,
    cpu_seconds: f64,
    peak_memory_bytes: u64,
    /// All rows read, malformed ones too.
    rows_in: u64,
    rows_out: u64,
    rows_per_second: f64,
    /// How often it went on from its last checkpoint after a fault.
    restarts: u64,
    dead_letters: u64,
    late_rows: u64,
    #[serde(serialize_with = "in_order")]
    sources: Vec<(String, SourceFigures)>,
    #[serde(serialize_with = "in_order")]
    operators: Vec<(String, OperatorFigures)>,
    #[serde(serialize_with = "in_order")]
    sinks: Vec<(String, SinkFigures)>,
    checkpoints: CheckpointFigures,
}

#[derive(Debug, Serialize)]
struct Failure {
    code: &'static str,
    message: String,
    operator: Option<String>,
    row: Option<Value>,
    hint: Option<String>,
}

#[derive(Debug, Serialize)]
struct SourceFigures {
    /// Good rows.
    rows: u64,
    malformed: u64,
    /// Rows that were left out unread, by what their file says of them.
    pruned: u64,
    bytes: u64,
    watermark: Option<String>,
    watermark_lag_seconds: Option<f64>,
    /// Rows whose event time was too far ahead to raise the watermark.
    ahead_rows: u64,
}

#[derive(Debug, Serialize)]
struct OperatorFigures {
    rows_in: u64,
    #[serde(serialize_with = "in_order")]
    outputs: Vec<(String, u64)>,
    dead_letters: u64,
    /// Rows that were dropped, as the job asked for: poison rows, and rows between windows.
    skipped: u64,
    /// Timers that still waited for the clock at the end of bounded input.
    timers_dropped: u64,
    retries: u64,
    traps: u64,
    batches: u64,
    cpu_seconds: f64,
    /// The longest that one of its calls ran.
    longest_step_ms: f64,
    watermark: Option<String>,
    watermark_lag_seconds: Option<f64>,
    state_keys: u64,
    state_bytes: u64,
    plugin: Option<String>,
    /// Figures that the plugin's author keeps.
    metrics: BTreeMap<String, f64>,
}

#[derive(Debug, Serialize)]
struct SinkFigures {
    rows: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct CheckpointFigures {
    completed: u64,
    failed: u64,
    last: Option<u64>,
    restored_from: Option<u64>,
}

/// What is known of a run beside its counters.
#[derive(Debug)]
pub struct Ran<'a> {
    /// How it ended, and how the program ends; none while it runs.
    pub end: Option<(&'a Result<Outcome, JobError>, Exit)>,
    /// How long it took.
    pub wall: Duration,
    /// The digests of plugins, by their operators' places.
    pub plugins: &'a BTreeMap<usize, String>,
    /// The checkpoint that it went on from.
    pub restored_from: Option<u64>,
}

impl Summary {
    /// Sums up a run.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn of(job: &Job, counts: &JobCounts, ran: &Ran<'_>) -> Self {
        let wall_seconds = ran.wall.as_secs_f64();
        let rows_in = total(&counts.sources, |source| &source.rows_in);
        Self {
            job: job.name.clone(),
            outcome: match ran.end {
                None => "running",
                Some((Ok(Outcome::Finished), _)) => "finished",
                Some((Ok(Outcome::Stopped), _)) => "stopped",
                Some((Err(_), _)) => "failed",
            },
            exit_code: ran.end.map(|(_, exit)| exit.into()),
            mode: "streaming",
            parallelism: job.parallelism,
            error: ran.end.and_then(|(outcome, _)| outcome.as_ref().err()).map(failure),
            wall_seconds,
            cpu_seconds: process::cpu_seconds(),
            peak_memory_bytes: process::peak_memory_bytes(),
            rows_in,
            rows_out: total(&counts.sinks, |sink| &sink.rows_in),
            restarts: get(&counts.restarts),
            rows_per_second: if wall_seconds > 0.0 { rows_in as f64 / wall_seconds } else { 0.0 },
            dead_letters: total(&counts.sources, |source| &source.dead) + total(&counts.operators, |operator| &operator.dead),
            late_rows: late_rows(job, counts),
            sources: job
                .sources
                .iter()
                .zip(&counts.sources)
                .map(|(source, counts)| (source.name.clone(), source_of(counts)))
                .collect(),
            operators: operators(job, counts, ran.plugins),
            sinks: job.sinks.iter().zip(&counts.sinks).map(|(sink, counts)| (sink.name.clone(), sink_of(counts))).collect(),
            checkpoints: CheckpointFigures {
                completed: get(&counts.checkpoints),
                failed: get(&counts.failed_checkpoints),
                last: Some(get(&counts.last_epoch)).filter(|&epoch| epoch > 0),
                restored_from: ran.restored_from,
            },
        }
    }

    /// Writes it to a file, whole or not at all; `-` is standard output.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), JobError> {
        let text = format!("{}\n", serde_json::to_string(self).unwrap_or_default());
        if path == Path::new("-") {
            return report::write_result(&text).map_err(|error| report::unwritable(&error));
        }
        write_whole(path, &text).map_err(|error| {
            JobError::new("summary-unwritable", format!("summary {}: can't be written: {error}", path.display()))
        })
    }
}

/// Checks before a job runs that its summary has a place.
///
/// # Errors
/// What is wrong with the path.
pub fn check(path: &Path) -> Result<(), JobError> {
    let wrong = |what: &str| {
        let error = JobError::new("summary-unwritable", format!("summary {}: {what}", path.display()));
        Err(error.with_hint("name a file in a directory that is there, or `-` for standard output"))
    };
    if path.is_dir() {
        return wrong("is a directory, expected a file");
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => wrong("its directory isn't there"),
        _ => Ok(()),
    }
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    // A pipe, a device or a link is written as it is: what is renamed to it would take its place.
    let is_link = fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
    if is_link || fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return fs::write(path, text);
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.partial", std::process::id()));
    let written = fs::write(&aside, text).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

fn failure(error: &JobError) -> Failure {
    let JobError { code, message, operator, row, hint, .. } = error.clone();
    let row = row.map(|row| serde_json::from_str(&row).unwrap_or(Value::String(row)));
    Failure { code, message, operator, row, hint }
}

fn source_of(counts: &NodeCounts) -> SourceFigures {
    let malformed = get(&counts.dead);
    // The counters are added to one after the other, while this reads them.
    let rows = get(&counts.rows_in).saturating_sub(malformed);
    SourceFigures {
        rows,
        malformed,
        pruned: get(&counts.pruned),
        bytes: get(&counts.bytes),
        watermark: counts.watermark().and_then(moment),
        watermark_lag_seconds: counts.watermark().map(lag_seconds),
        ahead_rows: get(&counts.ahead_rows),
    }
}

/// Rows that came too late for their windows.
fn late_rows(job: &Job, counts: &JobCounts) -> u64 {
    let windows = job.operators.iter().zip(&counts.operators).filter(|(operator, _)| is_window(operator));
    let ports = windows.flat_map(|(operator, counts)| operator.ports.iter().zip(&counts.rows_out));
    ports.filter(|(port, _)| port.name == LATE_PORT).map(|(_, rows)| get(rows)).sum()
}

fn is_window(operator: &Operator) -> bool {
    matches!(operator.verb, Verb::Aggregate { window: Some(_), .. } | Verb::Window { .. })
}

/// A moment as rows have it; none for one that no calendar has.
fn moment(milliseconds: i64) -> Option<String> {
    let moment: DateTime<Utc> = DateTime::from_timestamp_millis(milliseconds)?;
    Some(moment.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// How far a watermark is behind the clock.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn lag_seconds(watermark: i64) -> f64 {
    Utc::now().timestamp_millis().saturating_sub(watermark) as f64 / 1_000.0
}

fn sink_of(counts: &NodeCounts) -> SinkFigures {
    SinkFigures { rows: get(&counts.rows_in), bytes: get(&counts.bytes) }
}

fn operators(job: &Job, counts: &JobCounts, plugins: &BTreeMap<usize, String>) -> Vec<(String, OperatorFigures)> {
    let figures = job.operators.iter().zip(&counts.operators).enumerate().map(|(index, (operator, counts))| {
        let (state_keys, state_bytes) = counts.state_totals();
        let plugin = counts.plugin_totals();
        let outputs = operator.ports.iter().zip(&counts.rows_out).map(|(port, rows)| (port.name.clone(), get(rows)));
        let figures = OperatorFigures {
            rows_in: get(&counts.rows_in),
            outputs: outputs.collect(),
            dead_letters: get(&counts.dead),
            skipped: plugin.skipped,
            timers_dropped: plugin.timers_dropped,
            retries: plugin.retries,
            traps: plugin.traps,
            batches: get(&counts.batches),
            cpu_seconds: Duration::from_nanos(get(&counts.busy_nanos)).as_secs_f64(),
            longest_step_ms: Duration::from_nanos(get(&counts.longest_step_nanos)).as_secs_f64() * 1_000.0,
            watermark: counts.watermark().and_then(moment),
            watermark_lag_seconds: counts.watermark().map(lag_seconds),
            state_keys,
            state_bytes,
            plugin: plugins.get(&index).map(|digest| format!("sha256:{digest}")),
            metrics: counts.author_metrics(),
        };
        (operator.name.clone(), figures)
    });
    figures.collect()
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

fn total(nodes: &[NodeCounts], counter: fn(&NodeCounts) -> &AtomicU64) -> u64 {
    nodes.iter().map(|node| get(counter(node))).sum()
}

/// Names and values as an object in this order.
fn in_order<T: Serialize, S: Serializer>(items: &[(String, T)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(items.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_written_whole_and_leaves_nothing_beside_it() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("s.json");
        write_whole(&path, "{}\n").expect("written");
        write_whole(&path, "{\"a\":1}\n").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("there"), "{\"a\":1}\n");
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 1);
    }

    #[test]
    fn a_place_that_cannot_take_a_summary_is_refused_before_the_job_runs() {
        let home = tempfile::tempdir().expect("a directory");
        let refused = |path: &Path| check(path).expect_err("refused").message;
        let shown = home.path().display();
        assert_eq!(refused(home.path()), format!("summary {shown}: is a directory, expected a file"));
        assert_eq!(refused(&home.path().join("no/s.json")), format!("summary {shown}/no/s.json: its directory isn't there"));
        check(Path::new("s.json")).expect("a place");
        check(Path::new("-")).expect("a place");
    }
}
