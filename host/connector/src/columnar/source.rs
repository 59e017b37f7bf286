//! The source of a file of columns: decoded by blocks, handed over by rows.

use std::fs::File;
use std::io;

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
use super::decoding::{Ahead, Blocks, Decoded, Decoder, Place, corrupt, guarded, take};
use super::ipc::IpcBlocks;
use super::parquet::ParquetBlocks;
use super::types::{row_type, rows_of};
use crate::file::{FilePath, fault};
use crate::{BatchLimit, ConnectorError, Extent, Malformed, Position, Read, Source, row_object};

/// Reads a file of columns from start to end. One file, one reader.
///
/// The position is the row within a block; the file must be the same when reading goes on. A null in a column that was declared
/// `not null` makes its row malformed; `line` is then the row's number, from 1, and `raw` the row as JSON. Bytes are those of the
/// rows, not of the file. Rows are decoded off the task threads, and two decoded batches are in memory: of 8,192 rows each where it is
/// Parquet, as the file has them where it is Arrow.
pub struct ColumnarSource {
    file: FilePath,
    format: ColumnarIn,
    length: u64,
    schema: SchemaRef,
    /// How many rows come in all, where it is known, and how many are left out.
    rows: Option<u64>,
    pruned: u64,
    ahead: Ahead,
    /// Where reading goes on.
    place: Place,
    /// Rows that are decoded, and not yet handed over.
    decoded: Option<Decoded>,
}

/// The position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnarPosition {
    place: Place,
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
        let (rows, pruned) = (blocks.rows(), blocks.pruned());
        let ahead = Ahead::new(Decoder::new(file.clone(), format, &schema, blocks));
        Ok(Self { file, format, length, schema, rows, pruned, ahead, place: Place::default(), decoded: None })
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        let decoded = match &mut self.decoded {
            Some(decoded) => decoded,
            none => match self.ahead.next().await? {
                Some(next) => none.insert(next),
                None => return Ok(None),
            },
        };
        let count = fitting(&decoded.rows, limit);
        let slice = decoded.rows.slice(0, count);
        let numbers = take(&mut decoded.numbers, count);
        let first = decoded.place.before;
        if count < decoded.rows.num_rows() {
            decoded.rows = decoded.rows.slice(count, decoded.rows.num_rows() - count);
            decoded.place.row = decoded.numbers.front().map_or(decoded.place.row, |range| range.start);
            self.place = decoded.place;
        } else {
            self.place = decoded.next;
            self.decoded = None;
        }
        let numbers = numbers.into_iter().flatten().map(|row| first + row as u64);
        self.checked(&slice, numbers).map(Some)
    }

    /// Rows of the job; those with a null that may not be are malformed.
    fn checked(&self, rows: &RecordBatch, numbers: impl Iterator<Item = u64>) -> Result<Read, ConnectorError> {
        let unfit = |error: ArrowError| corrupt(&self.file, self.format, &error.to_string());
        let bytes = Batch::unkeyed(rows.clone()).bytes().max(1) as u64;
        let bad: Option<NullBuffer> = (self.schema.fields().iter().zip(rows.columns()))
            .filter(|(field, column)| !field.is_nullable() && column.null_count() > 0)
            .fold(None, |bad, (_, column)| NullBuffer::union(bad.as_ref(), column.nulls()));
        let Some(bad) = bad else {
            let rows = RecordBatch::try_new(SchemaRef::clone(&self.schema), rows.columns().to_vec()).map_err(unfit);
            return Ok(Read { rows: rows?, malformed: Vec::new(), bytes });
        };
        let malformed = numbers.enumerate().filter(|(row, _)| bad.is_null(*row));
        let malformed = malformed.map(|(row, number)| self.malformed(rows, row, number)).collect();
        let good = filter_record_batch(rows, &BooleanArray::new(bad.inner().clone(), None)).map_err(unfit)?;
        let good = RecordBatch::try_new(SchemaRef::clone(&self.schema), good.columns().to_vec()).map_err(unfit)?;
        Ok(Read { rows: good, malformed, bytes })
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

impl Source for ColumnarSource {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        self.next(limit).boxed()
    }

    fn position(&self) -> Position {
        Position::of(&ColumnarPosition { place: self.place, length: self.length })
    }

    /// Goes to a row.
    ///
    /// # Errors
    /// Codes `position-invalid`, `file-changed` (the file has another length than it had).
    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        let ColumnarPosition { place, length } = position.read("a file of columns")?;
        if length != self.length {
            let message = format!("{}: expected the {length} bytes that it had, found {}", self.file.written, self.length);
            let hint = "put back the file that the job was reading, or start with --fresh";
            return Err(ConnectorError::new("file-changed", message).with_hint(hint));
        }
        (self.place, self.decoded) = (place, None);
        self.ahead.go_to(place);
        Ok(())
    }

    fn replays(&self) -> bool {
        true
    }

    fn extent(&self) -> Extent {
        self.rows.map_or(Extent::Unknown, Extent::Rows)
    }

    /// The rows of the file before the position, those that were left out among them: near enough for a bar.
    fn done(&self) -> u64 {
        self.place.before + self.place.row as u64
    }

    fn pruned(&self) -> u64 {
        self.pruned
    }
}

/// How many of the first rows fit a limit; at least one.
fn fitting(rows: &RecordBatch, limit: BatchLimit) -> usize {
    let most = rows.num_rows().min(limit.rows.max(1));
    let bytes = Batch::unkeyed(rows.slice(0, most)).bytes();
    if bytes <= limit.bytes { most } else { (most * limit.bytes / bytes).max(1) }
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

#[cfg(test)]
pub(crate) mod tests;
