//! The source of a file of columns: decoded by blocks, handed over by rows.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wasmill_flow::Batch;
use wasmill_flow::column_type;
use wasmill_flow::comparison::Comparison;

use super::ColumnarIn;
use super::ipc::IpcBlocks;
use super::parquet::ParquetBlocks;
use super::types::{convert, row_type, rows_of};
use crate::file::{FilePath, fault};
use crate::{BatchLimit, ConnectorError, Extent, Malformed, Position, Read, Source, row_object};

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

/// Reads a file of columns from start to end. One file, one reader.
///
/// The position is the row within a block; the file must be the same when reading goes on. A null in a column that was declared
/// `not null` makes its row malformed; `line` is then the row's number, from 1, and `raw` the row as JSON. Bytes are those of the
/// rows, not of the file.
pub struct ColumnarSource {
    file: FilePath,
    format: ColumnarIn,
    length: u64,
    schema: SchemaRef,
    blocks: Box<dyn Blocks>,
    /// Where reading goes on: nothing of the block is handed over before this row.
    place: Place,
    /// The block at `place`, once it is open.
    current: Option<Current>,
}

/// A block that is being handed over.
struct Current {
    /// Its rows that are still to come.
    ahead: VecDeque<Range<usize>>,
    /// The first of them, decoded; may have no rows.
    decoded: RecordBatch,
    rows: usize,
}

/// The position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// The block, from 0.
    block: usize,
    /// The row within it, from 0.
    row: usize,
    /// The rows of the file before the block.
    before: u64,
    /// The bytes that the file has.
    length: u64,
}

/// The columns of rows that a file has, or those of `declared` where it fits them.
///
/// # Errors
/// As [`ColumnarSource::open`].
pub fn columns(file: &FilePath, format: ColumnarIn, declared: Option<&Schema>) -> Result<SchemaRef, ConnectorError> {
    let found = found_schema(file, format)?;
    rows_of(&found, declared).map_err(|fault| fault.of(&file.written))
}

/// The columns that a file says it has, each with the type that it has in rows; without one where rows can't have it.
///
/// # Errors
/// As [`ColumnarSource::open`].
pub fn found(file: &FilePath, format: ColumnarIn) -> Result<Vec<(Field, Option<DataType>)>, ConnectorError> {
    let found = found_schema(file, format)?;
    Ok(found.fields().iter().map(|field| (field.as_ref().clone(), row_type(field.data_type()))).collect())
}

fn found_schema(file: &FilePath, format: ColumnarIn) -> Result<SchemaRef, ConnectorError> {
    let (handle, _) = open(file)?;
    guarded(file, format, || match format {
        ColumnarIn::Parquet => ParquetBlocks::columns(handle),
        ColumnarIn::Arrow => IpcBlocks::columns(handle),
    })
}

impl ColumnarSource {
    /// Opens a file, at its start, to read these columns of it. Rows that don't meet all of `predicate` may be left out.
    ///
    /// # Errors
    /// Codes `file-not-found`, `file-is-directory`, `file-not-regular`, `file-unreadable`; `file-corrupt` for what isn't of the
    /// format; `file-schema` where the columns don't fit.
    pub fn open(file: FilePath, format: ColumnarIn, schema: SchemaRef, predicate: &[Comparison]) -> Result<Self, ConnectorError> {
        let (handle, length) = open(&file)?;
        let blocks: Box<dyn Blocks> = match format {
            ColumnarIn::Parquet => {
                let opened = guarded(&file, format, || ParquetBlocks::open(handle))?;
                rows_of(opened.found(), Some(&schema)).map_err(|fault| fault.of(&file.written))?;
                Box::new(guarded(&file, format, || opened.reading(&schema, predicate))?)
            }
            ColumnarIn::Arrow => {
                let found = guarded(&file, format, || IpcBlocks::columns(handle))?;
                rows_of(&found, Some(&schema)).map_err(|fault| fault.of(&file.written))?;
                let (handle, _) = open(&file)?;
                Box::new(guarded(&file, format, || IpcBlocks::open(handle, &found, &schema))?)
            }
        };
        let place = Place { block: 0, row: 0, before: 0, length };
        Ok(Self { file, format, length, schema, blocks, place, current: None })
    }

    fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        loop {
            if let Some(current) = &self.current
                && current.decoded.num_rows() > 0
            {
                let rows = fitting(&current.decoded, limit);
                return self.hand_over(rows).map(Some);
            }
            if !self.decode()? {
                return Ok(None);
            }
        }
    }

    /// Decodes the next rows; false at the end of the file.
    fn decode(&mut self) -> Result<bool, ConnectorError> {
        let Self { file, format, blocks, place, current, schema, .. } = self;
        let Some(open) = current else {
            let Some(opened) = guarded(file, *format, || blocks.open(place.block, place.row))? else { return Ok(false) };
            let decoded = RecordBatch::new_empty(SchemaRef::clone(schema));
            *current = Some(Current { ahead: opened.ahead.into(), decoded, rows: opened.rows });
            return Ok(true);
        };
        let next = if open.ahead.is_empty() { None } else { guarded(file, *format, || blocks.next())? };
        let Some(decoded) = next else {
            if !open.ahead.is_empty() {
                return Err(corrupt(file, *format, "it has fewer rows than it says"));
            }
            *place = Place { block: place.block + 1, row: 0, before: place.before + open.rows as u64, ..*place };
            *current = None;
            return Ok(true);
        };
        open.decoded = decoded;
        Ok(true)
    }

    /// The first rows of those that are decoded.
    fn hand_over(&mut self, rows: usize) -> Result<Read, ConnectorError> {
        let first = self.place.before;
        let Some(current) = &mut self.current else { return Err(corrupt(&self.file, self.format, "no block is open")) };
        let slice = current.decoded.slice(0, rows);
        current.decoded = current.decoded.slice(rows, current.decoded.num_rows() - rows);
        let numbers = current.advance(rows, first);
        self.place.row = current.ahead.front().map_or(current.rows, |range| range.start);
        if current.ahead.is_empty() {
            self.place = Place { block: self.place.block + 1, row: 0, before: first + current.rows as u64, ..self.place };
            self.current = None;
        }
        self.checked(&slice, &numbers)
    }

    /// Rows of the file as rows of the job; those with a null that may not be are malformed.
    fn checked(&self, slice: &RecordBatch, numbers: &[Range<u64>]) -> Result<Read, ConnectorError> {
        let unfit = |error: ArrowError| corrupt(&self.file, self.format, &error.to_string());
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let column = slice.column_by_name(field.name());
            let column = column.ok_or_else(|| corrupt(&self.file, self.format, &format!("column `{}` is gone", field.name())))?;
            columns.push(convert(column, field.data_type()).map_err(|error| {
                ConnectorError::new("file-value", format!("{}: column `{}`: {error}", self.file.written, field.name()))
            })?);
        }
        let lenient: Vec<_> = self.schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let bad: Option<NullBuffer> = (self.schema.fields().iter().zip(&columns))
            .filter(|(field, column)| !field.is_nullable() && column.null_count() > 0)
            .fold(None, |bad, (_, column)| NullBuffer::union(bad.as_ref(), column.nulls()));
        let rows = RecordBatch::try_new(Schema::new(lenient).into(), columns).map_err(unfit)?;
        let Some(bad) = bad else {
            let bytes = bytes(&rows);
            let rows = RecordBatch::try_new(SchemaRef::clone(&self.schema), rows.columns().to_vec()).map_err(unfit);
            return Ok(Read { rows: rows?, malformed: Vec::new(), bytes });
        };
        let numbers: Vec<u64> = numbers.iter().cloned().flatten().collect();
        let malformed = (0..rows.num_rows()).filter(|row| bad.is_null(*row)).map(|row| self.malformed(&rows, row, numbers[row]));
        let malformed: Vec<Malformed> = malformed.collect();
        let good = filter_record_batch(&rows, &BooleanArray::new(bad.inner().clone(), None)).map_err(unfit)?;
        let columns = good.columns().to_vec();
        let good = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns).map_err(unfit)?;
        Ok(Read { rows: good, malformed, bytes: bytes(&rows) })
    }

    fn malformed(&self, rows: &RecordBatch, row: usize, number: u64) -> Malformed {
        let mut nulls = self.schema.fields().iter().zip(rows.columns());
        let field = nulls.find(|(field, column)| !field.is_nullable() && column.is_null(row)).map(|(field, _)| field);
        let reason = field.map(|field| format!("{}: expected {}, found null", field.name(), column_type::describe(field)));
        Malformed {
            reason: reason.unwrap_or_default(),
            file: Some(self.file.written.clone()),
            line: number + 1,
            column: None,
            byte: 0,
            field: field.map(|field| field.name().clone()),
            raw: row_object(rows, row).into_bytes(),
        }
    }
}

impl Current {
    /// Takes the next rows from those that are ahead; their numbers in the file, where `before` rows come before the block.
    fn advance(&mut self, mut rows: usize, before: u64) -> Vec<Range<u64>> {
        let mut numbers = Vec::new();
        while let Some(range) = self.ahead.front_mut().filter(|_| rows > 0) {
            let taken = rows.min(range.len());
            numbers.push(before + range.start as u64..before + (range.start + taken) as u64);
            range.start += taken;
            rows -= taken;
            if range.start >= range.end {
                self.ahead.pop_front();
            }
        }
        numbers
    }
}

impl Source for ColumnarSource {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        async move { self.next(limit) }.boxed()
    }

    fn position(&self) -> Position {
        Position::of(&self.place)
    }

    /// Goes to a row.
    ///
    /// # Errors
    /// Codes `position-invalid`, `file-changed` (the file has another length than it had).
    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        let place: Place = position.read("a file of columns")?;
        if place.length != self.length {
            let message =
                format!("{}: expected the {} bytes that it had, found {}", self.file.written, place.length, self.length);
            let hint = "put back the file that the job was reading, or start with --fresh";
            return Err(ConnectorError::new("file-changed", message).with_hint(hint));
        }
        (self.place, self.current) = (place, None);
        Ok(())
    }

    fn replays(&self) -> bool {
        true
    }

    fn extent(&self) -> Extent {
        self.blocks.rows().map_or(Extent::Unknown, Extent::Rows)
    }

    /// The rows of the file before the position, those that were left out among them: near enough for a bar.
    fn done(&self) -> u64 {
        self.place.before + self.place.row as u64
    }

    fn pruned(&self) -> u64 {
        self.blocks.pruned()
    }
}

/// How many of the first rows fit a limit; at least one.
fn fitting(rows: &RecordBatch, limit: BatchLimit) -> usize {
    let most = rows.num_rows().min(limit.rows.max(1));
    let bytes = Batch::unkeyed(rows.slice(0, most)).bytes();
    if bytes <= limit.bytes { most } else { (most * limit.bytes / bytes).max(1) }
}

fn bytes(rows: &RecordBatch) -> u64 {
    Batch::unkeyed(rows.clone()).bytes().max(1) as u64
}

/// Opens a file; its length.
fn open(file: &FilePath) -> Result<(File, u64), ConnectorError> {
    let failed = |error: &io::Error| fault::input(file, "opened", error);
    let metadata = std::fs::metadata(&file.path).map_err(|error| failed(&error))?;
    if metadata.is_dir() {
        return Err(fault::is_directory(file));
    }
    if !metadata.is_file() {
        let message = format!("{}: expected a regular file, found a pipe or a device", file.written);
        return Err(
            ConnectorError::new("file-not-regular", message).with_hint("columns are read from a file that is there as a whole")
        );
    }
    Ok((File::open(&file.path).map_err(|error| failed(&error))?, metadata.len()))
}

/// What a format's reader gives, its panics being faults of the file: on damaged files the readers index past what is there.
fn guarded<T>(file: &FilePath, format: ColumnarIn, work: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, ConnectorError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|Unreadable(reason)| corrupt(file, format, &reason)),
        Err(_) => Err(corrupt(file, format, "its parts contradict each other")),
    }
}

fn corrupt(file: &FilePath, format: ColumnarIn, reason: &str) -> ConnectorError {
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

#[cfg(test)]
mod tests;
