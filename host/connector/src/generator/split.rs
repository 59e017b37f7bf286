//! What one task made at the job's start: its rows by their law, and how many of them were made.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use wasmill_flow::TaskIndex;

use super::fields::Fields;
use super::micro::{self, Micro};
use super::nexmark::Nexmark;
use super::share::Share;
use super::{GeneratorConfig, Workload};
use crate::ConnectorError;

/// The rows of one task, whichever makes them now.
#[derive(Debug)]
pub(super) struct Split {
    rows: Rows,
    row_bytes: u64,
    task: TaskIndex,
    share: Share,
    /// How many rows were made since the first: those that are handed over, and with `kind` those of other kinds between them.
    made: u64,
}

#[derive(Debug)]
enum Rows {
    Micro(Micro),
    Fields(Fields),
    Nexmark(Nexmark),
}

impl Split {
    /// What a task makes, at its first row.
    pub(super) fn new(config: &GeneratorConfig, task: TaskIndex) -> Result<Self, ConnectorError> {
        let GeneratorConfig { workload, rows, seed, .. } = config;
        let (made, row_bytes) = match workload {
            Workload::Micro => (Rows::Micro(Micro::new(*seed, task, *rows)), micro::ROW_BYTES),
            Workload::Fields(rules) => (Rows::Fields(Fields::new(rules, *seed, task, *rows)?), 8 * rules.len().max(1) as u64),
            Workload::Nexmark { kind, event_rate } => {
                if !(event_rate.is_finite() && *event_rate > 0.0) {
                    return Err(ConnectorError::new(
                        "generator-rate",
                        format!("event-rate: expected a number of events a second above 0, found {event_rate}"),
                    ));
                }
                (Rows::Nexmark(Nexmark::new(*kind, *event_rate, *seed, task, *rows)), Nexmark::row_bytes(*kind))
            }
        };
        Ok(Self { rows: made, row_bytes, task, share: Share::of(task, *rows), made: 0 })
    }

    /// The same, behind so many rows.
    pub(super) fn at(self, made: u64) -> Self {
        Self { made, ..self }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        match &self.rows {
            Rows::Micro(micro) => micro.schema(),
            Rows::Fields(fields) => fields.schema(),
            Rows::Nexmark(nexmark) => nexmark.schema(),
        }
    }

    pub(super) fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// Whose it was at the job's start.
    pub(super) fn task(&self) -> TaskIndex {
        self.task
    }

    pub(super) fn share(&self) -> Share {
        self.share
    }

    pub(super) fn made(&self) -> u64 {
        self.made
    }

    pub(super) fn left(&self) -> u64 {
        self.share.count.map_or(u64::MAX, |count| count.saturating_sub(self.made))
    }

    /// How many rows are handed out in all; `None` where there is no end.
    pub(super) fn row_count(&self) -> Option<u64> {
        match &self.rows {
            Rows::Micro(_) | Rows::Fields(_) => self.share.count,
            Rows::Nexmark(nexmark) => nexmark.row_count(),
        }
    }

    /// How many rows it takes to have `most` of those that are handed out; with `kind` at most `events`.
    pub(super) fn ahead(&self, most: u64, events: u64) -> u64 {
        match &self.rows {
            Rows::Micro(_) | Rows::Fields(_) => most.min(self.left()),
            Rows::Nexmark(nexmark) => nexmark.events(self.made, most, self.left().min(events)),
        }
    }

    /// Whether the row behind the next `ahead` is handed out.
    pub(super) fn hands_out(&self, ahead: u64) -> bool {
        match &self.rows {
            Rows::Micro(_) | Rows::Fields(_) => true,
            Rows::Nexmark(nexmark) => nexmark.hands_out(self.made + ahead),
        }
    }

    /// What the row behind the next `ahead` stands by among those of other splits, where times ascend: its number where rules go by that, else
    /// its place on the split's own timeline.
    pub(super) fn time_order(&self, ahead: u64) -> u64 {
        let place = self.made + ahead;
        match &self.rows {
            Rows::Micro(micro) => micro.local(place),
            Rows::Fields(_) => self.share.row(place),
            Rows::Nexmark(_) => place,
        }
    }

    /// Makes the next rows.
    pub(super) fn make(&mut self, rows: u64) -> RecordBatch {
        #[expect(clippy::cast_possible_truncation, reason = "at most the limit, which is a usize")]
        let made = match &self.rows {
            Rows::Micro(micro) => micro.rows(self.made, rows as usize),
            Rows::Fields(fields) => fields.rows(self.made, rows as usize),
            Rows::Nexmark(nexmark) => nexmark.rows(self.made, rows as usize),
        };
        self.made += rows;
        made
    }
}
