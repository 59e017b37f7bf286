//! The tree of a job file, read: every key known, every value of the right kind, or else complained about.

mod aggregate;
mod checkpoint;
mod event_time;
mod field;
mod format;
mod generator;
mod inputs;
mod limits;
mod mapping;
mod name;
mod operator;
mod restart;
mod schema;
mod settings;
mod sink;
mod source;
mod window;

use crate::document::Node;
use crate::graph::BatchLimits;
use crate::place::Spot;
use crate::problem::Problems;
use crate::written::Job;
use field::Field;
use mapping::Mapping;
use wasmill_flow::KeyGroups;

const KEYS: &[&str] = &[
    "name",
    "parallelism",
    "max-parallelism",
    "mode",
    "batch",
    "sources",
    "operators",
    "sinks",
    "dead-letters",
    "checkpoint",
    "restart",
    "limits",
    "state",
];

/// The most rows in a batch.
const MOST_BATCH_ROWS: i128 = 1_000_000;
/// The most bytes in a batch: offsets in it have 32 bits.
const MOST_BATCH_BYTES: u64 = 1 << 30;

/// Reads a job file. `None` where it is no mapping at all.
pub fn read(root: &Node, problems: &mut Problems) -> Option<Job> {
    let whole = Field { node: root, spot: Spot { place: root.place, path: String::new() }, key_place: root.place };
    let job = Mapping::open(&whole, "a mapping with name, sources and sinks", problems)?;
    job.check_keys(KEYS, &[], problems);
    let name = job.require("name", "the job's name", problems).and_then(|field| name::read(&field, problems));
    if let Some(mode) = job.get("mode") {
        mode.word(&[("streaming", ())], &["batch"], problems);
    }
    if let Some(state) = job.get("state") {
        read_state(&state, problems);
    }
    let limits = job.get("limits").map(|field| limits::read(&field, problems)).unwrap_or_default();
    let sinks = job.require("sinks", "at least one sink", problems);
    Some(Job {
        name,
        parallelism: job.get("parallelism").and_then(|field| tasks(&field, problems)),
        max_parallelism: job.get("max-parallelism").and_then(|field| tasks(&field, problems)),
        batch: job.get("batch").map_or_else(batch_limits, |field| read_batch(&field, problems)),
        sources: job
            .require("sources", "at least one source", problems)
            .map(|field| named(&field, "sources by name", problems, source::read))
            .unwrap_or_default(),
        operators: job
            .get("operators")
            .map(|field| {
                named(&field, "operators by name", problems, |name, field, problems| {
                    operator::read(name, field, limits, problems)
                })
            })
            .unwrap_or_default(),
        sinks_spot: sinks.as_ref().filter(|field| field.is_mapping()).map(|field| field.key_spot()),
        sinks: sinks.map(|field| named(&field, "sinks by name", problems, sink::read)).unwrap_or_default(),
        dead_letters: job.get("dead-letters").map(|field| sink::read_dead_letters(&field, problems)),
        checkpoint: job.get("checkpoint").map(|field| checkpoint::read(&field, problems)),
        restart: job.get("restart").map(|field| restart::read(&field, problems)),
    })
}

/// What is read from each entry of a mapping with names as keys.
fn named<T>(
    field: &Field<'_>,
    expected: &str,
    problems: &mut Problems,
    mut read: impl FnMut(crate::place::At<String>, &Field<'_>, &mut Problems) -> T,
) -> Vec<T> {
    let Some(entries) = Mapping::open(field, expected, problems) else { return Vec::new() };
    entries
        .entries()
        .map(|(key, value)| {
            name::check(&key, problems);
            read(key, &value, problems)
        })
        .collect()
}

fn tasks(field: &Field<'_>, problems: &mut Problems) -> Option<crate::place::At<u32>> {
    field.integer(1..=i128::from(KeyGroups::MOST), problems).map(|value| field.at(value))
}

/// The defaults of `batch`.
fn batch_limits() -> BatchLimits {
    BatchLimits { max_rows: 1_024, max_bytes: 1 << 20 }
}

fn read_batch(field: &Field<'_>, problems: &mut Problems) -> BatchLimits {
    let default = batch_limits();
    let Some(batch) = Mapping::open(field, "a mapping with max-rows and max-bytes", problems) else { return default };
    batch.check_keys(&["max-rows", "max-bytes"], &[], problems);
    BatchLimits {
        max_rows: batch.get("max-rows").and_then(|f| f.integer(1..=MOST_BATCH_ROWS, problems)).unwrap_or(default.max_rows),
        max_bytes: batch
            .get("max-bytes")
            .and_then(|f| f.size(MOST_BATCH_BYTES, problems))
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(default.max_bytes),
    }
}

fn read_state(field: &Field<'_>, problems: &mut Problems) {
    let Some(state) = Mapping::open(field, "a mapping with tier", problems) else { return };
    state.check_keys(&["tier"], &["memory", "dir"], problems);
    if let Some(tier) = state.get("tier") {
        tier.word(&[("memory", ())], &["disk"], problems);
    }
}
