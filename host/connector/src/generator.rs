//! Rows that are made: the micro-benchmarks' records, Nexmark's events, or fields by rule. Row `i` depends on the seed and `i` alone.

mod fields;
mod micro;
mod mix;
mod nexmark;
mod pace;
mod share;
mod source;
mod split;

use std::time::{Duration, Instant};

use wasmill_flow::TaskIndex;

pub use mix::mix;
pub use nexmark::NexmarkKind;
pub use source::GeneratorSource;

/// What a generator makes.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratorConfig {
    /// What rows.
    pub workload: Workload,
    /// How many in all, over all tasks; without end where there is no number. Of Nexmark's events those of all kinds.
    pub rows: Option<u64>,
    /// How many a second in all, over all tasks, each due at its own moment; as fast as it goes where there is no number. More than
    /// zero.
    pub rate: Option<f64>,
    /// What random numbers start from.
    pub seed: u64,
    /// Which task this is. At the job's start, with a number of rows, task `g` of `p` makes rows `g * rows / p` to `(g + 1) * rows / p`; without, those
    /// with `i mod p = g`.
    pub task: TaskIndex,
    /// When the first row is due, where there is a rate. Injected, so that a benchmark knows when a row was due.
    pub start: Instant,
}

impl GeneratorConfig {
    /// When the row of this number is due: the `k`-th row (from 0) of task `g` of `p` at `start + (k * p + g) / rate`. `None` without
    /// a rate, or for a row of another task. After a `seek`, the first row that is still to come is due at `start`, so this holds for a
    /// generator that starts from its beginning.
    #[must_use]
    pub fn due(&self, row: u64) -> Option<Instant> {
        let share = share::Share::of(self.task, self.rows);
        Some(pace::Pace::new(self.rate?, self.start, self.task, 1).due(share.place_of(row)?))
    }
}

/// What rows a generator makes.
#[derive(Debug, Clone, PartialEq)]
pub enum Workload {
    /// The records of the micro-benchmarks, 100 bytes each: `id`, `key`, `ts`, `value`, `payload`.
    ///
    /// With `h = mix(id)`: `key = (h >> 1) mod 100000`, `value = (h & 0xffff) / 16`, `payload` 68 letters out of 256 texts by
    /// `h & 255`, `ts = 1700000000000 + floor(local * p * 60 / 1000) - ((h >> 40) mod 500)` with `local = id mod (rows / p)`: every
    /// task has its own timeline. Without a number of rows `local * p` is `id`. With a seed other than 0, `h = mix(id ^ mix(seed))`.
    Micro,
    /// The events of Nexmark: of every fifty one person, three auctions and 46 bids. With several tasks, each has its own timeline.
    ///
    /// Identities, kinds and times are those of the original's generator; values are drawn by splitmix64 from the seed and the event's
    /// number, so that any event can be made on its own. Event `i`, from 0, is the original's event `i + 2`.
    Nexmark {
        /// The only kind that is handed out, with the columns that Nexmark's SQL has for it. Rows and rates count the events of all
        /// kinds. `None`: all of them, in one stream: `event_type` (0 person, 1 auction, 2 bid), `dateTime`, `extra`, and the other
        /// columns of each kind as `person_id`, `auction_id`, `bid_auction` …, null in events of other kinds.
        kind: Option<NexmarkKind>,
        /// Events a second of event time, over all kinds and tasks. More than zero.
        event_rate: f64,
    },
    /// Fields by rule, in the order of columns.
    Fields(Vec<(String, FieldRule)>),
}

/// How a generated field gets its values. No value is null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldRule {
    /// 0, 1, 2 …: the row's number. `int64`.
    Sequence,
    /// Uniform integers, ends included. `int64`.
    Uniform(i64, i64),
    /// One of these, uniformly; at least one. `utf8`.
    OneOf(Vec<String>),
    /// Timestamps: `start + number * every - uniform(0..=disorder)`.
    At {
        /// Between two rows, in nanoseconds.
        every_nanos: u64,
        /// The most that a row is behind.
        disorder: Duration,
        /// The first, in milliseconds since the epoch.
        start_millis: i64,
    },
}
