//! Event time where it begins: rows of a source get theirs, batches are cut by it, and a source that gives no rows for a while idles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array as _, PrimitiveArray, RecordBatch, UInt32Array};
use tokio::time::Instant;
use wasmill_flow::dead_letter::Kind;
use wasmill_flow::{Batch, Progress, Watermark};
use wasmill_job::graph::{Source, WatermarkRule};
use wasmill_operator::{Dead, Expression};
use wasmill_time::{Cut, PartitionTime, Reached};

use crate::counts::TaskWatermark;
use crate::error::JobError;
use crate::source_drift::DriftLimit;

/// Event time of one task's reader: a partition of its source.
pub(crate) struct SourceTime {
    column: usize,
    /// What rows say of the watermark, where they do.
    said: Option<Expression>,
    partition: PartitionTime,
    idle_after: Option<Duration>,
    /// When it began to wait for rows; nothing while it has some to hand on, or waits for others.
    waits_since: Option<Instant>,
    idle: bool,
    /// Where it stands while the source still has rows to read that may be further behind than those that it reads before.
    held: Option<Reached>,
    /// Where others look how far it has come.
    seen: Arc<TaskWatermark>,
    /// How far it may get ahead of other readers, where there is a limit.
    limit: Option<DriftLimit>,
    cuts: Vec<Cut>,
}

/// What goes into the chain, in this order.
pub(crate) enum Step {
    Rows(Batch),
    Time(Progress),
    /// Rows of which it can't be computed what they say of the watermark.
    Dead(Dead),
}

impl SourceTime {
    /// As the job says; none where rows have no event times. `seen` is told of each watermark.
    pub fn of(source: &Source, seen: Arc<TaskWatermark>, limit: Option<DriftLimit>) -> Result<Option<Self>, JobError> {
        let Some(time) = &source.event_time else { return Ok(None) };
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (partition, said) = match &time.watermarks {
            WatermarkRule::Behind(bound) => (PartitionTime::bounded(milliseconds(*bound)), None),
            WatermarkRule::Expression(text) => {
                let parsed = Expression::parse(text, &source.schema);
                let refused = |problem| JobError::new("internal-definition", format!("source `{}`: {problem}", source.name));
                (PartitionTime::punctuated(), Some(parsed.map_err(refused)?))
            }
        };
        Ok(Some(Self {
            column: time.column,
            said,
            partition: partition.with_max_jump(time.max_jump.map(milliseconds)),
            idle_after: time.idle_after,
            waits_since: None,
            idle: false,
            held: None,
            seen,
            limit,
            cuts: Vec::new(),
        }))
    }

    /// How far it has come, for a checkpoint.
    pub fn reached(&self) -> Reached {
        self.held.unwrap_or_else(|| self.partition.reached())
    }

    /// From now on it stays where it is, whatever rows come, or follows them again.
    pub fn hold(&mut self, hold: bool) {
        self.held = if hold { Some(self.reached()) } else { None };
    }

    /// The watermark behind the rows so far, or where it is held.
    fn watermark(&self) -> Watermark {
        match self.held {
            None => self.partition.watermark(),
            Some(held) => self.partition.watermark_at(held),
        }
    }

    /// How many rows have been too far ahead to raise the watermark.
    pub fn too_far(&self) -> u64 {
        self.partition.too_far()
    }

    /// Goes on from a checkpoint; what is to be said before any row, if anything.
    pub fn resume(&mut self, reached: Reached) -> Option<Progress> {
        let watermark = self.partition.resume(reached);
        (watermark > Watermark::NONE).then(|| self.progress(watermark))
    }

    /// Rows as they go into the chain, after which it is held or not: cut where [`PartitionTime`] says, each part followed by how far it has raised event time.
    pub fn steps(&mut self, rows: RecordBatch, hold: bool) -> Vec<Step> {
        let times = rows.column(self.column).as_primitive::<TimestampMillisecondType>().values().clone();
        let mut whole = Batch::unkeyed(rows).at(Some(times));
        let mut steps = Vec::new();
        if std::mem::take(&mut self.idle) || (self.held.is_some() && !hold) {
            self.hold(hold);
            steps.push(Step::Time(self.progress(self.watermark())));
        }
        self.waits_since = None;
        let said = match &self.said {
            None => None,
            Some(expression) => match say(expression, whole) {
                (Some(alive), said, dead) => {
                    whole = alive;
                    steps.extend(dead.map(Step::Dead));
                    Some(said)
                }
                (None, _, dead) => {
                    steps.extend(dead.map(Step::Dead));
                    return steps;
                }
            },
        };
        let mut cuts = std::mem::take(&mut self.cuts);
        if let Some(times) = &whole.times {
            match said {
                None => self.partition.cut(times, &mut cuts),
                Some(said) => self.partition.cut_by(times, |row| said.is_valid(row).then(|| said.value(row)), &mut cuts),
            }
        }
        for Cut { rows, watermark } in cuts.drain(..) {
            let all = rows.len() == whole.len();
            steps.push(Step::Rows(if all { whole.clone() } else { whole.slice(rows.start, rows.len()) }));
            let watermark = watermark.filter(|_| self.held.is_none());
            steps.extend(watermark.map(|watermark| Step::Time(self.progress(watermark))));
        }
        self.cuts = cuts;
        steps
    }

    /// When it will idle, if no rows come until then.
    pub fn idles_at(&mut self) -> Option<Instant> {
        let after = self.idle_after.filter(|_| !self.idle)?;
        Some(*self.waits_since.get_or_insert_with(Instant::now) + after)
    }

    /// No rows have come for long enough.
    pub fn idle(&mut self) -> Progress {
        self.idle = true;
        self.told(Progress { watermark: self.watermark(), idle: true })
    }

    /// No more rows come.
    pub fn end(&self) -> Progress {
        self.told(Progress::END)
    }

    /// The limit that keeps it from reading now.
    pub fn held_by(&self) -> Option<&DriftLimit> {
        self.limit.as_ref().filter(|limit| limit.is_exceeded())
    }

    /// It waits for others, and doesn't idle.
    pub fn waits_for_others(&mut self) {
        self.waits_since = None;
    }

    fn progress(&self, watermark: Watermark) -> Progress {
        self.told(Progress { watermark, idle: false })
    }

    fn told(&self, progress: Progress) -> Progress {
        self.seen.note(progress.watermark);
        if let Some(limit) = &self.limit {
            limit.update(progress);
        }
        progress
    }
}

/// What rows say of the watermark, null where nothing; those rows, if any is left, without the ones that the expression fails on.
fn say(expression: &Expression, rows: Batch) -> (Option<Batch>, PrimitiveArray<TimestampMillisecondType>, Option<Dead>) {
    let evaluated = expression.evaluate(&rows.rows);
    let said = evaluated.values.as_primitive::<TimestampMillisecondType>().clone();
    if evaluated.failed.is_empty() {
        return (Some(rows), said, None);
    }
    let failed: BTreeMap<usize, String> = evaluated.failed.into_iter().collect();
    let (dead, alive): (Vec<u32>, Vec<u32>) = (0_u32..).take(rows.len()).partition(|row| failed.contains_key(&(*row as usize)));
    let reason = |cause: String| format!("event-time.watermark \"{}\": {cause}", expression.text());
    let dead = Dead {
        input: 0,
        rows: rows.take(&UInt32Array::from(dead)),
        reasons: failed.into_values().map(reason).collect(),
        kind: Kind::Expression,
    };
    let said = alive.iter().map(|&row| said.is_valid(row as usize).then(|| said.value(row as usize))).collect();
    let alive = (!alive.is_empty()).then(|| rows.take(&UInt32Array::from(alive)));
    (alive, said, Some(dead))
}

#[cfg(test)]
mod tests;
