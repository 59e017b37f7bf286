//! Decodes a file of columns off the task threads, one batch ahead of what was asked for.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use super::ColumnarIn;
use super::types::convert;
use crate::ConnectorError;
use crate::file::FilePath;

/// What a file is read by: row groups of Parquet, record batches of Arrow.
pub(super) trait Blocks: Send {
    /// Goes to a row of a block. Which rows of it will come from there on, ascending; `None` behind the last block.
    fn open(&mut self, block: usize, row: usize) -> Result<Option<Opened>, Unreadable>;

    /// The next rows of the block that is open, with the columns that were asked for, in any order; `None` at its end.
    fn next(&mut self) -> Result<Option<RecordBatch>, Unreadable>;

    /// How many rows will come in all, where it is known.
    fn rows(&self) -> Option<u64>;

    /// How many rows are left out.
    fn pruned(&self) -> u64;
}

/// A block that is open.
pub(super) struct Opened {
    /// The rows that come.
    pub ahead: Vec<Range<usize>>,
    /// The rows that it has.
    pub rows: usize,
}

/// Why a file can't be read: what its format's reader says.
#[derive(Debug)]
pub(super) struct Unreadable(pub String);

impl From<ArrowError> for Unreadable {
    fn from(error: ArrowError) -> Self {
        Self(error.to_string())
    }
}

/// A place between two rows of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// The block, from 0.
    pub block: usize,
    /// The row within it, from 0.
    pub row: usize,
    /// The rows of the file before the block.
    pub before: u64,
}

/// Rows that were decoded, as the columns of rows; nulls may be where none is allowed.
pub(super) struct Decoded {
    pub rows: RecordBatch,
    /// The rows within their block.
    pub numbers: VecDeque<Range<usize>>,
    /// Where the first of them is.
    pub place: Place,
    /// Where reading goes on behind them.
    pub next: Place,
}

/// Reads a file's blocks.
pub(super) struct Decoder {
    file: FilePath,
    format: ColumnarIn,
    schema: SchemaRef,
    blocks: Box<dyn Blocks>,
    /// Where reading goes on.
    place: Place,
    /// The block at `place`, once it is open: its rows that are still to come, and how many it has.
    open: Option<(VecDeque<Range<usize>>, usize)>,
}

impl Decoder {
    /// At the start of a file, to read it as these columns.
    pub(super) fn new(file: FilePath, format: ColumnarIn, schema: &Schema, blocks: Box<dyn Blocks>) -> Self {
        let lenient: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        Self { file, format, schema: Schema::new(lenient).into(), blocks, place: Place::default(), open: None }
    }

    fn go_to(&mut self, place: Place) {
        (self.place, self.open) = (place, None);
    }

    /// The next rows, at least one; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<Decoded>, ConnectorError> {
        loop {
            let Self { file, format, blocks, place, open, .. } = self;
            let Some((ahead, rows)) = open else {
                let Some(opened) = guarded(file, *format, || blocks.open(place.block, place.row))? else { return Ok(None) };
                *open = Some((opened.ahead.into(), opened.rows));
                continue;
            };
            let next = if ahead.is_empty() { None } else { guarded(file, *format, || blocks.next())? };
            let Some(decoded) = next else {
                if !ahead.is_empty() {
                    return Err(corrupt(file, *format, "it has fewer rows than it says"));
                }
                self.end_block();
                continue;
            };
            if decoded.num_rows() > 0 {
                let numbers = take(ahead, decoded.num_rows());
                let before = Place { row: numbers.front().map_or(*rows, |first| first.start), ..*place };
                match ahead.front() {
                    Some(first) => place.row = first.start,
                    None => self.end_block(),
                }
                let rows = self.converted(&decoded)?;
                return Ok(Some(Decoded { rows, numbers, place: before, next: self.place }));
            }
        }
    }

    fn end_block(&mut self) {
        let rows = self.open.take().map_or(0, |(_, rows)| rows);
        self.place = Place { block: self.place.block + 1, row: 0, before: self.place.before + rows as u64 };
    }

    /// Rows of the file as columns of rows.
    fn converted(&self, decoded: &RecordBatch) -> Result<RecordBatch, ConnectorError> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let column = decoded.column_by_name(field.name());
            let column = column.ok_or_else(|| corrupt(&self.file, self.format, &format!("column `{}` is gone", field.name())))?;
            columns.push(convert(column, field.data_type()).map_err(|error| {
                ConnectorError::new("file-value", format!("{}: column `{}`: {error}", self.file.written, field.name()))
            })?);
        }
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns);
        rows.map_err(|error| corrupt(&self.file, self.format, &error.to_string()))
    }
}

/// Takes the first rows of those that are ahead.
pub(super) fn take(ahead: &mut VecDeque<Range<usize>>, mut rows: usize) -> VecDeque<Range<usize>> {
    let mut taken = VecDeque::new();
    while let Some(range) = ahead.front_mut().filter(|_| rows > 0) {
        let count = rows.min(range.len());
        taken.push_back(range.start..range.start + count);
        range.start += count;
        rows -= count;
        if range.start >= range.end {
            ahead.pop_front();
        }
    }
    taken
}

/// A decoder that has decoded a batch, and what came of it.
type Done = (Box<Decoder>, Result<Option<Decoded>, ConnectorError>);

/// A decoder, and the batch that it is decoding: while rows are handed over, those behind them are decoded.
pub(super) enum Ahead {
    Idle(Box<Decoder>),
    Running {
        batch: JoinHandle<Done>,
        /// What is being decoded isn't wanted any more: reading goes on here.
        then: Option<Place>,
    },
    /// A thread took the decoder with it.
    Gone,
}

impl Ahead {
    /// Nothing is decoded before it is asked for.
    pub(super) fn new(decoder: Decoder) -> Self {
        Self::Idle(Box::new(decoder))
    }

    pub(super) fn go_to(&mut self, place: Place) {
        match self {
            Self::Idle(decoder) => decoder.go_to(place),
            Self::Running { then, .. } => *then = Some(place),
            Self::Gone => {}
        }
    }

    /// The next rows, at least one; `None` at the end of the file. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Decoded>, ConnectorError> {
        loop {
            self.start();
            let Self::Running { batch, then } = self else { return Err(stopping()) };
            let (mut decoder, decoded) = match batch.await {
                Ok(done) => done,
                Err(error) => {
                    *self = Self::Gone;
                    return match error.try_into_panic() {
                        Ok(panic) => resume_unwind(panic),
                        Err(_) => Err(stopping()),
                    };
                }
            };
            let then = then.take();
            if let Some(place) = then {
                decoder.go_to(place);
            }
            *self = Self::Idle(decoder);
            if then.is_none() {
                if let Ok(Some(_)) = decoded {
                    self.start();
                }
                return decoded;
            }
        }
    }

    fn start(&mut self) {
        if let Self::Idle(_) = self
            && let Self::Idle(mut decoder) = std::mem::replace(self, Self::Gone)
        {
            let batch = spawn_blocking(move || {
                let decoded = decoder.next();
                (decoder, decoded)
            });
            *self = Self::Running { batch, then: None };
        }
    }
}

fn stopping() -> ConnectorError {
    ConnectorError::new("file-unreadable", "the process is stopping")
}

/// What a format's reader gives, its panics being faults of the file: on damaged files the readers index past what is there.
pub(super) fn guarded<T>(
    file: &FilePath,
    format: ColumnarIn,
    work: impl FnOnce() -> Result<T, Unreadable>,
) -> Result<T, ConnectorError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|Unreadable(reason)| corrupt(file, format, &reason)),
        Err(_) => Err(corrupt(file, format, "its parts contradict each other")),
    }
}

pub(super) fn corrupt(file: &FilePath, format: ColumnarIn, reason: &str) -> ConnectorError {
    let name = match format {
        ColumnarIn::Parquet => "Parquet",
        ColumnarIn::Arrow => "Arrow IPC",
    };
    ConnectorError::new(
        "file-corrupt",
        format!("{}: this is no {name} file, or it is damaged or cut off: {reason}", file.written),
    )
    .with_hint("write the file anew, or name the format that it has")
}
