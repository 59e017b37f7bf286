//! The source of generated rows.

use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::interleave::interleave_record_batch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wasmill_flow::TaskIndex;

use super::GeneratorConfig;
use super::pace::Pace;
use super::split::Split;
use crate::{BatchLimit, ConnectorError, Extent, Position, Read, Source, pacer};

/// So many events are looked at for rows of a kind before other tasks of the thread have their turn.
const MOST_EVENTS: u64 = 64 << 10;

/// One task's generator. Rows are made when they are read; with a rate, when they are due, all that are due at once.
///
/// What a task makes is a split. Where another number of tasks takes over, the splits that aren't made to their ends are dealt out to them: one that
/// gets several makes their rows in the order of event time, as far as rules go by the row's number.
#[derive(Debug)]
pub struct GeneratorSource {
    config: GeneratorConfig,
    schema: SchemaRef,
    row_bytes: u64,
    splits: Vec<Split>,
    pace: Option<Pace>,
    /// How many rows were made since the pace began: those that are handed over, and with `kind` those of other kinds between them.
    paced: u64,
}

/// The position: how many of the task's rows were made, and which rows are the task's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    rows: u64,
    first: u64,
    step: u64,
}

/// The position of a task that has other splits than its own: that of each, and which task's it was at the job's start.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dealt {
    splits: Vec<DealtSplit>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DealtSplit {
    index: u32,
    of: u32,
    made: Made,
}

impl GeneratorSource {
    /// A generator, at its first row.
    ///
    /// # Errors
    /// Codes `generator-rate` and `generator-field`, for a rate that isn't more than 0 and rules that allow no value.
    pub fn new(config: &GeneratorConfig) -> Result<Self, ConnectorError> {
        if let Some(rate) = config.rate
            && !(rate.is_finite() && rate > 0.0)
        {
            return Err(ConnectorError::new(
                "generator-rate",
                format!("rate: expected a number of rows a second above 0, found {rate}"),
            ));
        }
        let split = Split::new(config, config.task)?;
        let (schema, row_bytes) = (SchemaRef::clone(split.schema()), split.row_bytes());
        let mut source = Self { config: config.clone(), schema, row_bytes, splits: Vec::new(), pace: None, paced: 0 };
        source.go_on(vec![split]);
        Ok(source)
    }

    /// Makes these splits from now on.
    fn go_on(&mut self, splits: Vec<Split>) {
        let GeneratorConfig { rate, start, .. } = self.config;
        self.pace = rate.zip(splits.first()).map(|(rate, first)| Pace::new(rate, start, first.task(), splits.len()));
        (self.splits, self.paced) = (splits, 0);
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        let most = (limit.rows as u64).min(limit.bytes as u64 / self.row_bytes).max(1);
        loop {
            let ahead = match &self.splits[..] {
                [split] => split.ahead(most, MOST_EVENTS),
                splits => splits.iter().map(Split::left).fold(0, u64::saturating_add).min(most),
            };
            if ahead == 0 {
                return Ok(None);
            }
            let due = match &self.pace {
                None => ahead,
                Some(pace) => {
                    pacer::wait_until(pace.due(self.paced)).await?;
                    pace.due_rows(self.paced, Instant::now(), ahead).max(1)
                }
            };
            let rows = match &mut self.splits[..] {
                [split] => split.make(due),
                splits => merged(splits, due),
            };
            self.paced += due;
            if rows.num_rows() > 0 {
                let bytes = rows.num_rows() as u64 * self.row_bytes;
                return Ok(Some(Read { rows, malformed: Vec::new(), bytes }));
            }
            tokio::task::yield_now().await;
        }
    }

    /// The splits of a position of the task `then`.
    fn splits_at(&self, position: &Position, then: TaskIndex) -> Result<Vec<Split>, ConnectorError> {
        if position.0.get("splits").is_none() {
            return Ok(vec![self.split_at(then, &position.read("the generator")?)?]);
        }
        let Dealt { splits } = position.read("the generator")?;
        let split_at = |DealtSplit { index, of, made }| {
            if index >= of {
                let message = format!("expected what a task had to make, found what task {index} of {of} had");
                return Err(ConnectorError::new("position-invalid", message));
            }
            self.split_at(TaskIndex { index, of }, &made)
        };
        splits.into_iter().map(split_at).collect()
    }

    fn split_at(&self, task: TaskIndex, &Made { rows, first, step }: &Made) -> Result<Split, ConnectorError> {
        let split = Split::new(&self.config, task)?;
        let share = split.share();
        if (first, step) != (share.first, share.step) {
            let message = format!(
                "the generator's rows started at {first} in steps of {step}, and now start at {} in steps of {}",
                share.first, share.step
            );
            let hint = "resume with the rows that the job had, or start with --fresh";
            return Err(ConnectorError::new("position-invalid", message).with_hint(hint));
        }
        if let Some(count) = share.count
            && rows > count
        {
            let message = format!("the generator is to go on behind {rows} rows, but makes {count}");
            let hint = "resume with the number of rows that the job had, or start with --fresh";
            return Err(ConnectorError::new("position-invalid", message).with_hint(hint));
        }
        Ok(split.at(rows))
    }
}

/// The next rows of several splits, in the order of their times; so many, or with `kind` those of them that are of it.
fn merged(splits: &mut [Split], count: u64) -> RecordBatch {
    let mut order = Vec::new();
    let mut counts = vec![0_u64; splits.len()];
    let mut rows = vec![0_usize; splits.len()];
    for _ in 0..count {
        let heads = splits.iter().zip(&counts).enumerate().filter(|(_, (split, made))| split.left() > **made);
        let Some((next, _)) = heads.min_by_key(|(_, (split, made))| split.time_order(**made)) else { break };
        if splits[next].hands_out(counts[next]) {
            order.push((next, rows[next]));
            rows[next] += 1;
        }
        counts[next] += 1;
    }
    let made: Vec<RecordBatch> = splits.iter_mut().zip(counts).map(|(split, count)| split.make(count)).collect();
    #[expect(clippy::expect_used, reason = "all have the same columns, and the rows that were counted")]
    interleave_record_batch(&made.iter().collect::<Vec<_>>(), &order).expect("rows of the splits")
}

impl Source for GeneratorSource {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        self.next(limit).boxed()
    }

    fn position(&self) -> Position {
        let of = |split: &Split| Made { rows: split.made(), first: split.share().first, step: split.share().step };
        match &self.splits[..] {
            [split] if split.task() == self.config.task => Position::of(&of(split)),
            splits => {
                let dealt = |split: &Split| {
                    let TaskIndex { index, of: tasks } = split.task();
                    DealtSplit { index, of: tasks, made: of(split) }
                };
                Position::of(&Dealt { splits: splits.iter().map(dealt).collect() })
            }
        }
    }

    /// Goes to a row. With a rate, that row is due at the configured start.
    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        self.go_on(self.splits_at(position, self.config.task)?);
        Ok(())
    }

    fn take_over(&mut self, former: &[Position], task: TaskIndex) -> Result<Vec<usize>, ConnectorError> {
        let mut left = Vec::new();
        for (index, position) in (0..).zip(former) {
            let then = TaskIndex { index, of: u32::try_from(former.len()).unwrap_or(u32::MAX) };
            let splits = self.splits_at(position, then)?;
            left.extend(splits.into_iter().filter(|split| split.left() > 0).map(|split| (index as usize, split)));
        }
        let mine = left.into_iter().skip(task.index as usize).step_by(task.of as usize);
        let (mut from, splits): (Vec<usize>, Vec<Split>) = mine.unzip();
        self.go_on(splits);
        from.dedup();
        Ok(from)
    }

    fn replays(&self) -> bool {
        true
    }

    fn extent(&self) -> Extent {
        let count: Option<u64> = self.splits.iter().map(Split::row_count).sum();
        count.map_or(Extent::Unknown, Extent::Rows)
    }

    fn done(&self) -> u64 {
        self.splits.iter().map(Split::made).sum()
    }
}

#[cfg(test)]
mod tests;
