//! Event time where it begins: rows of a source get theirs, batches are cut by it, and a source that gives no rows for a while idles.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use tokio::time::Instant;
use wasmill_flow::{Batch, Progress, Watermark};
use wasmill_job::graph::EventTime;
use wasmill_time::{Cut, PartitionTime};

/// Event time of one task's reader: a partition of its source.
pub(crate) struct SourceTime {
    column: usize,
    partition: PartitionTime,
    idle_after: Option<Duration>,
    /// When the last rows came.
    active: Instant,
    idle: bool,
    /// Where others look how far it has come, in milliseconds since 1970.
    seen: Arc<AtomicI64>,
    cuts: Vec<Cut>,
}

/// What goes into the chain, in this order.
pub(crate) enum Step {
    Rows(Batch),
    Time(Progress),
}

impl SourceTime {
    /// As the job says; `seen` is told of each watermark but the last.
    pub fn new(time: &EventTime, seen: Arc<AtomicI64>) -> Self {
        let bound = u64::try_from(time.max_out_of_orderness.as_millis()).unwrap_or(u64::MAX);
        let partition = PartitionTime::new(bound);
        Self {
            column: time.column,
            partition,
            idle_after: time.idle_after,
            active: Instant::now(),
            idle: false,
            seen,
            cuts: Vec::new(),
        }
    }

    /// The largest event time so far, for a checkpoint.
    pub fn largest(&self) -> Option<i64> {
        self.partition.largest()
    }

    /// Goes on from a checkpoint; what is to be said before any row, if anything.
    pub fn resume(&mut self, largest: Option<i64>) -> Option<Progress> {
        let watermark = self.partition.resume(largest);
        (watermark > Watermark::NONE).then(|| self.progress(watermark))
    }

    /// Rows as they go into the chain: cut where [`PartitionTime`] says, each part followed by how far it has raised event time.
    pub fn steps(&mut self, rows: RecordBatch) -> Vec<Step> {
        let times = rows.column(self.column).as_primitive::<TimestampMillisecondType>().values().clone();
        let mut steps = Vec::new();
        if std::mem::take(&mut self.idle) {
            steps.push(Step::Time(self.progress(self.partition.watermark())));
        }
        self.active = Instant::now();
        let mut cuts = std::mem::take(&mut self.cuts);
        self.partition.cut(&times, &mut cuts);
        let whole = Batch::unkeyed(rows).at(Some(times));
        for Cut { rows, watermark } in cuts.drain(..) {
            let all = rows.len() == whole.len();
            steps.push(Step::Rows(if all { whole.clone() } else { whole.slice(rows.start, rows.len()) }));
            steps.extend(watermark.map(|watermark| Step::Time(self.progress(watermark))));
        }
        self.cuts = cuts;
        steps
    }

    /// When it will idle, if no rows come until then.
    pub fn idles_at(&self) -> Option<Instant> {
        if self.idle { None } else { self.idle_after.map(|after| self.active + after) }
    }

    /// No rows have come for long enough.
    pub fn idle(&mut self) -> Progress {
        self.idle = true;
        Progress { watermark: self.partition.watermark(), idle: true }
    }

    fn progress(&self, watermark: Watermark) -> Progress {
        self.seen.store(watermark.0, Relaxed);
        Progress { watermark, idle: false }
    }
}
