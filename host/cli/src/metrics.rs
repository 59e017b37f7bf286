//! What a running job counts, for Prometheus.

mod server;
mod text;

use std::time::Duration;

use wasmill_job::graph::Job;
use wasmill_job::plan::Plan;
use wasmill_runtime::{JobCounts, MemoryBudget, NodeCounts, Spent};

use crate::activity::Stages;
use crate::process;
use crate::summary::lag_seconds;
pub use server::Server;
use text::{Kind, Text};

/// One kind of a job's parts: its word in names, and each part's name, counts and stage.
struct Parts<'a> {
    word: &'static str,
    parts: Vec<(&'a str, &'a NodeCounts, usize)>,
}

/// A counter's name without the part's kind, its help, and how it is had.
type Counter = (&'static str, &'static str, fn(&NodeCounts) -> f64);
/// The same of a stage's time.
type Time = (&'static str, &'static str, fn(&Spent) -> f64);

const TIMES: &[Time] = &[
    ("idle_seconds_total", "Time that its tasks waited for rows.", |spent| spent.idle.as_secs_f64()),
    ("backpressured_seconds_total", "Time that its tasks waited for room downstream, or for slower sources.", |spent| {
        spent.held_up.as_secs_f64()
    }),
];
const SOURCE: &[Counter] = &[
    ("rows_in_total", "Rows read, malformed ones too.", |counts| number(NodeCounts::get(&counts.rows_in))),
    ("malformed_rows_total", "Rows that could not be read.", |counts| number(NodeCounts::get(&counts.dead))),
    ("bytes_in_total", "Bytes read.", |counts| number(NodeCounts::get(&counts.bytes))),
    ("ahead_rows_total", "Rows whose event time was too far ahead to raise the watermark.", |counts| {
        number(NodeCounts::get(&counts.ahead_rows))
    }),
];
const OPERATOR: &[Counter] = &[
    ("rows_in_total", "Rows taken.", |counts| number(NodeCounts::get(&counts.rows_in))),
    ("batches_in_total", "Batches taken.", |counts| number(NodeCounts::get(&counts.batches))),
    ("dead_letters_total", "Rows that died in it.", |counts| number(NodeCounts::get(&counts.dead))),
    ("busy_seconds_total", "Time spent in its calls, over all tasks.", busy),
    ("retries_total", "Calls of a plugin that were made again.", |counts| number(counts.plugin_totals().retries)),
    ("traps_total", "Calls of a plugin that trapped or broke a limit.", |counts| number(counts.plugin_totals().traps)),
    ("instances_total", "Instances of a plugin that were opened.", |counts| number(counts.plugin_totals().instances)),
    ("skipped_rows_total", "Rows that were dropped, as the job asks for.", |counts| number(counts.plugin_totals().skipped)),
    ("timers_dropped_total", "Timers that still waited at the end of bounded input.", |counts| {
        number(counts.plugin_totals().timers_dropped)
    }),
];
const SINK: &[Counter] = &[
    ("rows_in_total", "Rows written.", |counts| number(NodeCounts::get(&counts.rows_in))),
    ("bytes_out_total", "Bytes written.", |counts| number(NodeCounts::get(&counts.bytes))),
    ("busy_seconds_total", "Time spent writing.", busy),
];

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows floating-point numbers only")]
fn number(count: u64) -> f64 {
    count as f64
}

fn busy(counts: &NodeCounts) -> f64 {
    Duration::from_nanos(NodeCounts::get(&counts.busy_nanos)).as_secs_f64()
}

/// Everything that is counted of a job, as Prometheus reads it.
#[must_use]
pub fn exposition(job: &Job, plan: &Plan, counts: &JobCounts, memory: &MemoryBudget) -> String {
    let stages = Stages::of(job, plan);
    let mut text = Text::default();
    let of_job = [("job", job.name.as_str())];

    let names = job.sources.iter().map(|source| source.name.as_str());
    let sources = Parts::of("source", names, &counts.sources, &stages.sources);
    let names = job.operators.iter().map(|operator| operator.name.as_str());
    let operators = Parts::of("operator", names, &counts.operators, &stages.operators);
    let names = job.sinks.iter().map(|sink| sink.name.as_str());
    let sinks = Parts::of("sink", names, &counts.sinks, &stages.sinks);
    for (parts, counters) in [(&sources, SOURCE), (&operators, OPERATOR), (&sinks, SINK)] {
        parts.write(job, counters, counts, &mut text);
    }
    sources.write_watermarks(job, &mut text);
    operators.write_watermarks(job, &mut text);
    operators.write_outputs(job, &mut text);
    operators.write_state(job, counts, &mut text);

    let dead = counts.sources.iter().chain(&counts.operators).map(|counts| NodeCounts::get(&counts.dead)).sum();
    text.family("wasmill_dead_letters_total", Kind::Counter, "Rows that could not be read or processed.");
    text.sample(&of_job, number(dead));
    text.family("wasmill_checkpoints_completed_total", Kind::Counter, "Checkpoints completed.");
    text.sample(&of_job, number(NodeCounts::get(&counts.checkpoints)));
    text.family("wasmill_checkpoints_failed_total", Kind::Counter, "Checkpoints that failed.");
    text.sample(&of_job, number(NodeCounts::get(&counts.failed_checkpoints)));
    text.family(
        "wasmill_checkpoint_files_damaged_total",
        Kind::Counter,
        "State files of checkpoints that were found to be damaged.",
    );
    text.sample(&of_job, number(NodeCounts::get(&counts.damaged_files)));
    text.family("wasmill_checkpoint_last_epoch", Kind::Gauge, "The epoch of the last completed checkpoint; 0 for none.");
    text.sample(&of_job, number(NodeCounts::get(&counts.last_epoch)));
    text.family(
        "wasmill_checkpoint_last_duration_seconds",
        Kind::Gauge,
        "How long the last completed checkpoint took from its barrier.",
    );
    text.sample(&of_job, number(NodeCounts::get(&counts.checkpoint_micros)) / 1e6);
    text.family("wasmill_checkpoint_state_bytes_total", Kind::Counter, "Bytes of state that checkpoints have written.");
    text.sample(&of_job, number(NodeCounts::get(&counts.checkpoint_bytes)));
    text.family("wasmill_job_restarts_total", Kind::Counter, "How often the job went on from its last checkpoint after a fault.");
    text.sample(&of_job, number(NodeCounts::get(&counts.restarts)));

    text.family("wasmill_build_info", Kind::Gauge, "Always 1; the version is a label.");
    text.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    text.family(
        "wasmill_memory_budget_bytes",
        Kind::Gauge,
        "What rows on edges, state, staged output and instances may take together.",
    );
    text.sample(&[], number(memory.limit()));
    text.family("wasmill_memory_held_bytes", Kind::Gauge, "What they take.");
    text.sample(&[], number(memory.held()));
    text.family("process_cpu_seconds_total", Kind::Counter, "CPU time of the process, user's and system's.");
    text.sample(&[], process::cpu_seconds());
    text.family("process_resident_memory_bytes", Kind::Gauge, "Memory of the process that is resident.");
    text.sample(&[], number(process::resident_memory_bytes()));
    text.into_string()
}

impl<'a> Parts<'a> {
    fn of(word: &'static str, names: impl Iterator<Item = &'a str>, counts: &'a [NodeCounts], stages: &[usize]) -> Self {
        let parts = names.zip(counts).zip(stages).map(|((name, counts), stage)| (name, counts, *stage));
        Self { word, parts: parts.collect() }
    }

    /// Writes counters of each part, and how the tasks of its stage spend their time.
    fn write(&self, job: &Job, counters: &[Counter], counts: &JobCounts, text: &mut Text) {
        if self.parts.is_empty() {
            return;
        }
        for (name, help, value) in counters {
            text.family(&format!("wasmill_{}_{name}", self.word), Kind::Counter, help);
            for (part, counts, _) in &self.parts {
                text.sample(&[("job", &job.name), (self.word, part)], value(counts));
            }
        }
        for (name, help, value) in TIMES {
            text.family(&format!("wasmill_{}_{name}", self.word), Kind::Counter, help);
            for (part, _, stage) in &self.parts {
                text.sample(&[("job", &job.name), (self.word, part)], value(&counts.spent(*stage)));
            }
        }
        text.family(&format!("wasmill_{}_tasks", self.word), Kind::Gauge, "Tasks that run it.");
        for (part, _, stage) in &self.parts {
            text.sample(&[("job", &job.name), (self.word, part)], number(counts.tasks(*stage).len() as u64));
        }
    }

    /// Writes how far event time has come in each part that has it, and how far that is behind the clock.
    fn write_watermarks(&self, job: &Job, text: &mut Text) {
        let timed = |(part, counts, _): &(&'a str, &NodeCounts, usize)| Some((*part, counts.watermark()?));
        let watermarks: Vec<(&str, i64)> = self.parts.iter().filter_map(timed).collect();
        if watermarks.is_empty() {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "Prometheus knows floating-point numbers only")]
        let seconds = |milliseconds: i64| milliseconds as f64 / 1_000.0;
        let mut gauge = |name: &str, help: &str, value: fn(i64) -> f64| {
            text.family(&format!("wasmill_{}_{name}", self.word), Kind::Gauge, help);
            for (part, watermark) in &watermarks {
                text.sample(&[("job", &job.name), (self.word, part)], value(*watermark));
            }
        };
        gauge("watermark_seconds", "How far event time has come, in seconds since 1970.", seconds);
        gauge("watermark_lag_seconds", "How far event time is behind the clock.", lag_seconds);
    }

    fn write_outputs(&self, job: &Job, text: &mut Text) {
        if self.parts.is_empty() {
            return;
        }
        text.family("wasmill_operator_rows_out_total", Kind::Counter, "Rows given, by output.");
        for ((part, counts, _), operator) in self.parts.iter().zip(&job.operators) {
            for (port, rows) in operator.ports.iter().zip(&counts.rows_out) {
                let labels = [("job", job.name.as_str()), ("operator", part), ("output", &port.name)];
                text.sample(&labels, number(NodeCounts::get(rows)));
            }
        }
    }

    fn write_state(&self, job: &Job, counts: &JobCounts, text: &mut Text) {
        if self.parts.is_empty() {
            return;
        }
        let mut gauge = |name: &str, help: &str, value: &dyn Fn(&NodeCounts, usize) -> u64| {
            text.family(name, Kind::Gauge, help);
            for (part, counts, stage) in &self.parts {
                text.sample(&[("job", &job.name), ("operator", part)], number(value(counts, *stage)));
            }
        };
        gauge("wasmill_operator_state_keys", "Keys with state.", &|counts, _| counts.state_totals().0);
        gauge("wasmill_operator_state_bytes", "Bytes of state.", &|counts, _| counts.state_totals().1);
        gauge("wasmill_operator_memory_bytes", "Bytes that its state and its plugin's instances hold now.", &|counts, _| {
            NodeCounts::get(&counts.memory)
        });
        gauge("wasmill_operator_queue_rows", "Rows that wait before its stage.", &|_, stage| counts.queued(stage).0 as u64);
        gauge("wasmill_operator_queue_bytes", "Bytes that wait before its stage.", &|_, stage| counts.queued(stage).1 as u64);
        text.family("wasmill_operator_longest_step_seconds", Kind::Gauge, "The longest that one of its calls ran.");
        for (part, counts, _) in &self.parts {
            let longest = Duration::from_nanos(NodeCounts::get(&counts.longest_step_nanos));
            text.sample(&[("job", &job.name), ("operator", part)], longest.as_secs_f64());
        }
        // Whether the author counts or measures isn't known here.
        text.family("wasmill_plugin_metric", Kind::Untyped, "A figure that a plugin's author keeps, summed over tasks.");
        for (part, counts, _) in &self.parts {
            for (name, value) in counts.author_metrics() {
                text.sample(&[("job", &job.name), ("operator", part), ("name", &name)], value);
            }
        }
    }
}
