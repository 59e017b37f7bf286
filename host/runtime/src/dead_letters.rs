//! Where dead rows go: to the job's dead letters, or, where it has none, into the error that ends the job.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow_array::RecordBatch;
use wasmill_connector::json::row_object;
use wasmill_connector::{Malformed, dead_letter};
use wasmill_flow::dead_letter::{DeadLetter, Kind, to_rows};
use wasmill_flow::{Batch, Message};
use wasmill_operator::Dead;

use crate::clock::TaskClock;
use crate::edge::LaneSender;
use crate::error::{JobError, RowPlace};

/// One task's way to the dead letters.
pub(crate) struct DeadLetters {
    pub job: Arc<str>,
    /// The task's.
    pub clock: Arc<TaskClock>,
    /// The lane to their sink; none where the job has no dead letters.
    pub lane: Option<LaneSender>,
    /// How many there are, in the whole job.
    pub count: Arc<AtomicU64>,
    /// More than so many fail the job.
    pub limit: Option<u64>,
}

impl DeadLetters {
    /// Buries rows that a source could not read.
    pub async fn malformed(&mut self, source: &str, rows: &[Malformed]) -> Result<(), JobError> {
        let letters = rows.iter().map(|row| dead_letter(&self.job, source, row)).collect();
        self.bury(source, letters).await
    }

    /// Buries rows that died in an operator; `key` are the names of its key's columns.
    pub async fn dead(&mut self, operator: &str, key: &[String], dead: &Dead) -> Result<(), JobError> {
        let place = DeadLetter { operator: Some(operator.to_owned()), ..DeadLetter::default() };
        let letters = self.letters(&place, key, dead);
        self.bury(operator, letters).await
    }

    /// Buries rows that a source has read, and whose event time can't be worked out.
    pub async fn dead_at_source(&mut self, source: &str, dead: &Dead) -> Result<(), JobError> {
        let place = DeadLetter { source: Some(source.to_owned()), ..DeadLetter::default() };
        let letters = self.letters(&place, &[], dead);
        self.bury(source, letters).await
    }

    fn letters(&self, place: &DeadLetter, key: &[String], dead: &Dead) -> Vec<DeadLetter> {
        let rows = &dead.rows.rows;
        let key_columns: Option<RecordBatch> = key_of(rows, key);
        let letter = |(row, reason): (usize, &String)| DeadLetter {
            job: self.job.to_string(),
            kind: Some(dead.kind),
            reason: reason.clone(),
            // A timer is a key and a moment: there is no row.
            row: (dead.kind != Kind::Timer).then(|| row_object(rows, row)),
            time: dead.rows.times.as_ref().map(|times| times[row]),
            key: key_columns.as_ref().map(|key| row_object(key, row)),
            ..place.clone()
        };
        dead.reasons.iter().enumerate().map(letter).collect()
    }

    /// Sends a mark to the dead letters' sink.
    pub async fn mark(&mut self, mark: &Message) -> Result<(), JobError> {
        match &mut self.lane {
            Some(lane) => self.clock.held_up(lane.send(mark.clone())).await.map_err(|_| receiver_gone()),
            None => Ok(()),
        }
    }

    async fn bury(&mut self, name: &str, letters: Vec<DeadLetter>) -> Result<(), JobError> {
        let Some(first) = letters.first() else { return Ok(()) };
        let Some(lane) = &mut self.lane else { return Err(unburied(name, first)) };
        let count = self.count.fetch_add(letters.len() as u64, Relaxed) + letters.len() as u64;
        if let Some(limit) = self.limit.filter(|limit| count > *limit) {
            let mut error = unburied(name, first);
            error.message = format!("more than {limit} dead letters; the last: {}", error.message);
            error.code = "too-many-dead-letters";
            error.hint = Some(
                "see the dead-letters output for the others; `limit` in `dead-letters` says how many are tolerated".to_owned(),
            );
            return Err(error);
        }
        let rows = Message::Rows(Batch::unkeyed(to_rows(&letters)));
        self.clock.held_up(lane.send(rows)).await.map_err(|_| receiver_gone())
    }
}

/// Where a malformed row stands, with its text as far as that is known.
fn row_place(letter: &DeadLetter) -> Option<Box<RowPlace>> {
    let line = u64::try_from(letter.line?).ok()?;
    let column = letter.column.and_then(|column| u64::try_from(column).ok());
    Some(Box::new(RowPlace { file: letter.file.clone(), line, column, text: letter.raw.clone() }))
}

fn key_of(rows: &RecordBatch, key: &[String]) -> Option<RecordBatch> {
    if key.is_empty() {
        return None;
    }
    let indices: Vec<usize> = key.iter().filter_map(|name| rows.schema().index_of(name).ok()).collect();
    rows.project(&indices).ok()
}

/// The error of a row that can't be buried.
fn unburied(name: &str, letter: &DeadLetter) -> JobError {
    let kind = letter.kind.unwrap_or(Kind::Malformed);
    let place = match (&letter.file, letter.line, letter.column) {
        (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}: "),
        (Some(file), Some(line), None) => format!("{file}:{line}: "),
        (None, Some(line), _) => format!("line {line}: "),
        _ => String::new(),
    };
    let node = if letter.source.is_some() { "source" } else { "operator" };
    let (code, what) = match kind {
        Kind::Malformed => ("row-malformed", "a row can't be read"),
        Kind::Expression => ("row-expression", "an expression fails on a row"),
        Kind::Rejected => ("row-rejected", "a row is rejected"),
        Kind::Trap => ("row-trap", "a row is poison"),
        Kind::Limit => ("row-limit", "a row is poison"),
        Kind::Timer => ("timer-poison", "a timer is poison"),
    };
    JobError {
        code,
        message: format!("{node} `{name}`: {what}: {place}{}", letter.reason),
        operator: Some(name.to_owned()),
        row: letter.row.clone(),
        place: row_place(letter),
        hint: Some(
            "mend the row, or let the job go on without such rows by adding to the job: \
             dead-letters: { connector: file, path: dead.ndjson, format: json }"
                .to_owned(),
        ),
    }
}

/// The error of a task whose receiver has failed: the receiver's own error comes first, this one is never the one that is shown.
pub(crate) fn receiver_gone() -> JobError {
    JobError::new("task-gone", "a task downstream is gone")
}
