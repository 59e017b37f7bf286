//! The source of generated rows.

use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::fields::Fields;
use super::micro::{self, Micro};
use super::nexmark::Nexmark;
use super::pace::Pace;
use super::share::Share;
use super::{GeneratorConfig, Workload};
use crate::{BatchLimit, ConnectorError, Extent, Position, Read, Source, pacer};

/// So many events are looked at for rows of a kind before other tasks of the thread have their turn.
const MOST_EVENTS: u64 = 64 << 10;

/// One task's generator. Rows are made when they are read; with a rate, when they are due, all that are due at once.
#[derive(Debug)]
pub struct GeneratorSource {
    rows: Rows,
    row_bytes: u64,
    share: Share,
    pace: Option<Pace>,
    /// How many rows were made since the task's first: those that are handed over, and with `kind` those of other kinds between them.
    made: u64,
    /// Where `made` was when the pace began.
    pace_from: u64,
}

#[derive(Debug)]
enum Rows {
    Micro(Micro),
    Fields(Fields),
    Nexmark(Nexmark),
}

/// The position: how many of the task's rows were made, and which rows are the task's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    rows: u64,
    first: u64,
    step: u64,
}

impl GeneratorSource {
    /// A generator, at its first row.
    ///
    /// # Errors
    /// Codes `generator-rate` and `generator-field`, for a rate that isn't more than 0 and rules that allow no value.
    pub fn new(config: &GeneratorConfig) -> Result<Self, ConnectorError> {
        let GeneratorConfig { workload, rows, rate, seed, task, start } = config;
        if let Some(rate) = rate
            && !(rate.is_finite() && *rate > 0.0)
        {
            return Err(ConnectorError::new(
                "generator-rate",
                format!("rate: expected a number of rows a second above 0, found {rate}"),
            ));
        }
        let (rows_made, row_bytes) = match workload {
            Workload::Micro => (Rows::Micro(Micro::new(*seed, *task, *rows)), micro::ROW_BYTES),
            Workload::Fields(rules) => (Rows::Fields(Fields::new(rules, *seed, *task, *rows)?), 8 * rules.len().max(1) as u64),
            Workload::Nexmark { kind, event_rate } => {
                if !(event_rate.is_finite() && *event_rate > 0.0) {
                    return Err(ConnectorError::new(
                        "generator-rate",
                        format!("event-rate: expected a number of events a second above 0, found {event_rate}"),
                    ));
                }
                (Rows::Nexmark(Nexmark::new(*kind, *event_rate, *seed, *task, *rows)), Nexmark::row_bytes(*kind))
            }
        };
        Ok(Self {
            rows: rows_made,
            row_bytes,
            share: Share::of(*task, *rows),
            pace: rate.map(|rate| Pace::new(rate, *start, *task)),
            made: 0,
            pace_from: 0,
        })
    }

    fn left(&self) -> u64 {
        self.share.count.map_or(u64::MAX, |count| count.saturating_sub(self.made))
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        let most = (limit.rows as u64).min(limit.bytes as u64 / self.row_bytes).max(1);
        loop {
            let ahead = match &self.rows {
                Rows::Micro(_) | Rows::Fields(_) => most.min(self.left()),
                Rows::Nexmark(nexmark) => nexmark.events(self.made, most, self.left().min(MOST_EVENTS)),
            };
            if ahead == 0 {
                return Ok(None);
            }
            let due = match &self.pace {
                None => ahead,
                Some(pace) => {
                    let place = self.made - self.pace_from;
                    pacer::wait_until(pace.due(place)).await?;
                    pace.due_rows(place, Instant::now(), ahead).max(1)
                }
            };
            let rows = self.make(due);
            self.made += due;
            if rows.num_rows() > 0 {
                let bytes = rows.num_rows() as u64 * self.row_bytes;
                return Ok(Some(Read { rows, malformed: Vec::new(), bytes }));
            }
            tokio::task::yield_now().await;
        }
    }

    fn make(&self, rows: u64) -> RecordBatch {
        #[expect(clippy::cast_possible_truncation, reason = "at most the limit, which is a usize")]
        match &self.rows {
            Rows::Micro(micro) => micro.rows(self.made, rows as usize),
            Rows::Fields(fields) => fields.rows(self.made, rows as usize),
            Rows::Nexmark(nexmark) => nexmark.rows(self.made, rows as usize),
        }
    }
}

impl Source for GeneratorSource {
    fn schema(&self) -> SchemaRef {
        match &self.rows {
            Rows::Micro(micro) => micro.schema().clone(),
            Rows::Fields(fields) => fields.schema().clone(),
            Rows::Nexmark(nexmark) => nexmark.schema().clone(),
        }
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        self.next(limit).boxed()
    }

    fn position(&self) -> Position {
        Position::of(&Made { rows: self.made, first: self.share.first, step: self.share.step })
    }

    /// Goes to a row. With a rate, that row is due at the configured start.
    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        let Made { rows, first, step } = position.read("the generator")?;
        if (first, step) != (self.share.first, self.share.step) {
            let message = format!(
                "the generator's rows started at {first} in steps of {step}, and now start at {} in steps of {}",
                self.share.first, self.share.step
            );
            let hint = "resume with the rows and the parallelism that the job had, or start with --fresh";
            return Err(ConnectorError::new("position-invalid", message).with_hint(hint));
        }
        if let Some(count) = self.share.count
            && rows > count
        {
            let message = format!("the generator is to go on behind {rows} rows, but makes {count}");
            let hint = "resume with the number of rows that the job had, or start with --fresh";
            return Err(ConnectorError::new("position-invalid", message).with_hint(hint));
        }
        (self.made, self.pace_from) = (rows, rows);
        Ok(())
    }

    fn replays(&self) -> bool {
        true
    }

    fn extent(&self) -> Extent {
        let count = match &self.rows {
            Rows::Micro(_) | Rows::Fields(_) => self.share.count,
            Rows::Nexmark(nexmark) => nexmark.row_count(),
        };
        count.map_or(Extent::Unknown, Extent::Rows)
    }

    fn done(&self) -> u64 {
        self.made
    }
}

#[cfg(test)]
mod tests;
