//! The workloads as jobs. What they compute is defined in docs/performance.md.

use std::path::Path;

use clap::ValueEnum;
use wasmill_job::graph::Job;

use super::{BenchArgs, BenchError, Operators};
use crate::composition::Composition;

/// Keys of the micro-benchmarks.
pub const KEYS: u64 = 100_000;

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Stateless: value times 1.1 plus 1, even keys only, a millisecond later.
    MapFilter,
    /// Rows through an exchange, a count for each key, a row out for each row in.
    KeyedCount,
    /// Rows through an exchange, a count for each key and minute of event time.
    WindowCount,
    /// Keyed count at a fixed rate: how long each row takes from when it is due.
    Latency,
}

impl Workload {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MapFilter => "map-filter",
            Self::KeyedCount => "keyed-count",
            Self::WindowCount => "window-count",
            Self::Latency => "latency",
        }
    }

    /// How many rows it has unless told otherwise.
    pub(super) fn events(self, rate: u64) -> u64 {
        match self {
            Self::MapFilter => 40_000_000,
            Self::KeyedCount | Self::WindowCount => 20_000_000,
            Self::Latency => rate * 30,
        }
    }

    /// Its job.
    pub(super) fn job(self, args: &BenchArgs, events: u64, composition: &Composition) -> Result<Job, BenchError> {
        let more = match self {
            Self::Latency => format!(", rate: {}", args.rate),
            Self::WindowCount => ", event-time: { field: ts, max-out-of-orderness: 1s }".to_owned(),
            Self::MapFilter | Self::KeyedCount => String::new(),
        };
        let plugins = std::path::absolute(&args.plugins)?;
        let plugin = |name: &str| plugins.join(name).display().to_string();
        let operators = match (self, args.operators) {
            (Self::MapFilter, Operators::Component) => format!("last: {{ input: made, plugin: {} }}", plugin("map-filter")),
            (Self::MapFilter, Operators::BuiltIn) => "
  mapped: { input: made, with: { value: 'value * 1.1 + 1' } }
  even: { input: mapped, filter: 'key % 2 = 0' }
  last: { input: even, with: { ts: \"ts + interval '1 millisecond'\" } }"
                .to_owned(),
            (Self::WindowCount, Operators::Component) => format!(
                "last: {{ input: made, key-by: [key], window: {{ tumbling: 1min }}, \
                 aggregate: {{ count: {{ plugin: {}, of: [key] }} }} }}",
                plugin("value-count")
            ),
            (Self::WindowCount, Operators::BuiltIn) => {
                "last: { input: made, key-by: [key], window: { tumbling: 1min }, aggregate: { count: count(*) } }".to_owned()
            }
            (_, Operators::Component) => format!("last: {{ input: made, key-by: [key], plugin: {} }}", plugin("keyed-count")),
            (_, Operators::BuiltIn) => "last: { input: made, key-by: [key], aggregate: { count: count(*) } }".to_owned(),
        };
        let text = format!(
            "name: bench\nsources:\n  made: {{ connector: generator, workload: micro, rows: {events}{more} }}\n\
             operators:\n  {operators}\nsinks:\n  out: {{ input: last, connector: blackhole }}\n"
        );
        let loaded = wasmill_job::load(
            &text,
            "bench",
            Path::new("."),
            &[],
            Some(args.parallelism),
            args.parallelism,
            &|_| None,
            composition,
        );
        let (mut job, _warnings) = loaded.map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(|problem| wasmill_job::render(problem, &text)).collect();
            anyhow::anyhow!("{}", texts.join("\n"))
        })?;
        if args.no_pruning {
            job.operators.iter_mut().flat_map(|operator| &mut operator.inputs).for_each(|input| input.reads = None);
        }
        Ok(job)
    }
}
