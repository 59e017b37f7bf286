//! The workloads as jobs. What they compute is defined in docs/performance.md.

use std::path::Path;

use clap::ValueEnum;
use wasmill_job::graph::Job;

use super::{BenchArgs, BenchError, Operators};
use crate::composition::Composition;

/// Keys of the micro-benchmarks.
pub const KEYS: u64 = 100_000;
/// What rows' numbers are multiplied with where there are other keys: a prime, so that each key comes once before any comes again.
pub const SPREAD: u64 = 7_368_787;

/// What is put behind query 12, whose windows go by the clock, so that its answer can be compared: what a person's windows come to together.
const WINDOWS_TOGETHER: [(&str, &str); 2] = [
    ("operators.together", "{ input: q12, key-by: [bidder], emit: final, aggregate: { bids: sum(bids) } }"),
    ("sinks.out.input", "together"),
];

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
    /// A keyed count at a fixed rate, in a process that is killed: how long until another puts out what comes next.
    Recovery,
    /// Nexmark's query 0: bids as they are.
    NexmarkQ0,
    /// Nexmark's query 1: bids with their prices in euros.
    NexmarkQ1,
    /// Nexmark's query 2: bids on every 123rd auction.
    NexmarkQ2,
    /// Nexmark's query 5: the auction with the most bids in ten seconds, each two seconds.
    NexmarkQ5,
    /// Nexmark's query 7, as the highest bid in each ten seconds.
    NexmarkQ7,
    /// Nexmark's query 11: bids of each person in sessions.
    NexmarkQ11,
    /// Nexmark's query 12: bids of each person in ten seconds of the clock.
    NexmarkQ12,
}

/// The job of one of Nexmark's queries.
struct Query {
    text: &'static str,
    /// What of it is a plugin where one is measured.
    place: &'static str,
    /// What stands there then beside the plugin.
    beside: &'static str,
    /// The plugin.
    plugin: &'static str,
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
            Self::Recovery => "recovery",
            Self::NexmarkQ0 => "nexmark-q0",
            Self::NexmarkQ1 => "nexmark-q1",
            Self::NexmarkQ2 => "nexmark-q2",
            Self::NexmarkQ5 => "nexmark-q5",
            Self::NexmarkQ7 => "nexmark-q7",
            Self::NexmarkQ11 => "nexmark-q11",
            Self::NexmarkQ12 => "nexmark-q12",
        }
    }

    /// The job of one of Nexmark's queries.
    fn nexmark(self) -> Option<Query> {
        let operator = |text, place| Query { text, place, beside: "input: bids", plugin: self.name() };
        Some(match self {
            Self::NexmarkQ0 => operator(include_str!("../../../../../nexmark/q0.yaml"), "operators.q0"),
            Self::NexmarkQ1 => operator(include_str!("../../../../../nexmark/q1.yaml"), "operators.q1"),
            Self::NexmarkQ2 => operator(include_str!("../../../../../nexmark/q2.yaml"), "operators.q2"),
            Self::NexmarkQ5 => {
                let text = include_str!("../../../../../nexmark/q5.yaml");
                Query { text, place: "operators.counts.aggregate.num", beside: "of: [auction]", plugin: "value-count" }
            }
            Self::NexmarkQ7 => {
                let text = include_str!("../../../../../nexmark/q7.yaml");
                Query { text, place: "operators.q7.aggregate.price", beside: "of: [price]", plugin: self.name() }
            }
            Self::NexmarkQ11 => {
                let text = include_str!("../../../../../nexmark/q11.yaml");
                Query { text, place: "operators.q11.aggregate.bids", beside: "of: [bidder]", plugin: "value-count" }
            }
            Self::NexmarkQ12 => {
                let text = include_str!("../../../../../nexmark/q12.yaml");
                Query { text, place: "operators.q12.aggregate.bids", beside: "of: [bidder]", plugin: "value-count" }
            }
            Self::MapFilter | Self::KeyedCount | Self::WindowCount | Self::Latency | Self::Recovery => return None,
        })
    }

    /// The operator under test.
    pub(super) fn measured(self) -> &'static str {
        self.nexmark().and_then(|query| query.place.split('.').nth(1)).unwrap_or("last")
    }

    /// Whether its rows are Nexmark's, whose keys are their own.
    pub(super) fn is_nexmark(self) -> bool {
        self.nexmark().is_some()
    }

    /// How many rows it has unless told otherwise.
    pub(super) fn events(self, rate: u64, keys: u64) -> u64 {
        match self {
            Self::MapFilter => 40_000_000,
            Self::KeyedCount | Self::WindowCount => 20_000_000,
            // The first part, which doesn't count, gives every key its state.
            Self::Latency | Self::Recovery => (rate * 30).max(keys * 3),
            _ => 10_000_000,
        }
    }

    /// Its job.
    pub(super) fn job(
        self,
        args: &BenchArgs,
        events: u64,
        checkpoint: Option<(String, String)>,
        composition: &Composition,
    ) -> Result<Job, BenchError> {
        let (text, overrides) = match self.nexmark() {
            Some(Query { text, place, beside, plugin: name }) => {
                let rows = ("sources.events.rows".to_owned(), events.to_string());
                let component = (place.to_owned(), format!("{{ {beside}, plugin: {} }}", plugin(args, name)?));
                let component = (args.operators == Operators::Component).then_some(component);
                let compared = if self == Self::NexmarkQ12 { &WINDOWS_TOGETHER[..] } else { &[] };
                let compared = compared.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
                (text.to_owned(), [rows].into_iter().chain(component).chain(compared).collect())
            }
            None => (self.micro(args, events)?, Vec::new()),
        };
        let overrides: Vec<_> = overrides.into_iter().chain(checkpoint).collect();
        let tasks = args.parallelism;
        let loaded = wasmill_job::load(&text, "bench", Path::new("."), &overrides, Some(tasks), tasks, &|_| None, composition);
        let (mut job, _warnings) = loaded.map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(|problem| wasmill_job::render(problem, &text)).collect();
            anyhow::anyhow!("{}", texts.join("\n"))
        })?;
        if args.no_pruning {
            job.operators.iter_mut().flat_map(|operator| &mut operator.inputs).for_each(|input| input.reads = None);
        }
        Ok(job)
    }

    /// The job of a workload of micro rows.
    pub(super) fn micro(self, args: &BenchArgs, events: u64) -> Result<String, BenchError> {
        let more = match self {
            Self::Latency | Self::Recovery => format!(", rate: {}", args.rate),
            Self::WindowCount => ", event-time: { field: ts, max-out-of-orderness: 1s }".to_owned(),
            _ => String::new(),
        };
        let key = match (args.skew, args.keys) {
            (0, KEYS) if self != Self::Recovery => None,
            (0, keys) => Some(format!("id * {SPREAD} % {keys}")),
            (skew, _) => Some(format!("case when id % 100 < {skew} then 0 else key end")),
        };
        let (made, keyed) = match key {
            None => ("made", String::new()),
            Some(key) => ("keyed", format!("keyed: {{ input: made, with: {{ key: '{key}' }} }}\n  ")),
        };
        let operators = match (self, args.operators) {
            (Self::MapFilter, Operators::Component) => {
                format!("last: {{ input: made, plugin: {} }}", plugin(args, "map-filter")?)
            }
            (Self::MapFilter, Operators::BuiltIn) => "
  mapped: { input: made, with: { value: 'value * 1.1 + 1' } }
  even: { input: mapped, filter: 'key % 2 = 0' }
  last: { input: even, with: { ts: \"ts + interval '1 millisecond'\" } }"
                .to_owned(),
            (Self::WindowCount, Operators::Component) => format!(
                "last: {{ input: {made}, key-by: [key], window: {{ tumbling: 1min }}, \
                 aggregate: {{ count: {{ plugin: {}, of: [key] }} }} }}",
                plugin(args, "value-count")?
            ),
            (Self::WindowCount, Operators::BuiltIn) => {
                format!(
                    "last: {{ input: {made}, key-by: [key], window: {{ tumbling: 1min }}, aggregate: {{ count: count(*) }} }}"
                )
            }
            (_, Operators::Component) => {
                format!("last: {{ input: {made}, key-by: [key], plugin: {} }}", plugin(args, "keyed-count")?)
            }
            (_, Operators::BuiltIn) => {
                let payload = if args.payload { ", payload: last_value(payload)" } else { "" };
                format!("last: {{ input: {made}, key-by: [key], aggregate: {{ count: count(*){payload} }} }}")
            }
        };
        Ok(format!(
            "name: bench\nsources:\n  made: {{ connector: generator, workload: micro, rows: {events}{more} }}\n\
             operators:\n  {keyed}{operators}\nsinks:\n  out: {{ input: last, connector: blackhole }}\n"
        ))
    }
}

/// Where a measured plugin lies.
fn plugin(args: &BenchArgs, name: &str) -> Result<String, BenchError> {
    Ok(std::path::absolute(&args.plugins)?.join(name).display().to_string())
}
