//! Parquet by row groups: only the columns that are asked for are decoded, of the rows that statistics don't rule out.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use wasmill_flow::comparison::Comparison;

use super::decoding::{Blocks, Opened, Unreadable};
use super::pruning;
use super::types::row_type;

/// So many rows are decoded at once.
const DECODED_ROWS: usize = 8_192;

/// A Parquet file that is open.
pub(super) struct ParquetBlocks {
    file: File,
    metadata: ArrowReaderMetadata,
    columns: ProjectionMask,
    /// For each row group the rows that come.
    selected: Vec<Vec<Range<usize>>>,
    /// The row group that is being read.
    reader: Option<ParquetRecordBatchReader>,
}

impl From<ParquetError> for Unreadable {
    fn from(error: ParquetError) -> Self {
        Self(match error {
            ParquetError::General(text) | ParquetError::EOF(text) => text,
            other => other.to_string(),
        })
    }
}

impl ParquetBlocks {
    /// The columns of a file.
    pub(super) fn columns(file: File) -> Result<SchemaRef, Unreadable> {
        Ok(SchemaRef::clone(Self::open(file)?.found()))
    }

    /// A file, all of its columns and rows to be read.
    pub(super) fn open(file: File) -> Result<Self, Unreadable> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
        let options = ArrowReaderOptions::new().with_schema(views(metadata.schema()));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
        let selected = groups(&metadata).map(|rows| std::iter::once(0..rows).collect()).collect();
        Ok(Self { file, metadata, columns: ProjectionMask::all(), selected, reader: None })
    }

    /// The columns of the file.
    pub(super) fn found(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// The same file, to read these columns, which it has, of rows that may meet the predicate.
    pub(super) fn reading(self, schema: &Schema, predicate: &[Comparison]) -> Result<Self, Unreadable> {
        let places = schema.fields().iter().filter_map(|field| self.found().index_of(field.name()).ok());
        let columns = ProjectionMask::roots(self.metadata.parquet_schema(), places);
        if predicate.is_empty() {
            return Ok(Self { columns, ..self });
        }
        let options = ArrowReaderOptions::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_schema(SchemaRef::clone(self.found()));
        let metadata = ArrowReaderMetadata::load(&self.file, options)?;
        let selected = pruning::selected(&metadata, schema, predicate);
        Ok(Self { columns, metadata, selected, ..self })
    }
}

impl Blocks for ParquetBlocks {
    fn open(&mut self, block: usize, row: usize) -> Result<Option<Opened>, Unreadable> {
        let Some(rows) = groups(&self.metadata).nth(block) else { return Ok(None) };
        let ahead: Vec<_> = (self.selected[block].iter())
            .map(|range| range.start.max(row)..range.end)
            .filter(|range| !range.is_empty())
            .collect();
        self.reader = None;
        if !ahead.is_empty() {
            let selection = RowSelection::from_consecutive_ranges(ahead.iter().cloned(), rows);
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
                self.file.try_clone().map_err(ParquetError::from)?,
                self.metadata.clone(),
            );
            let builder =
                builder.with_batch_size(DECODED_ROWS).with_row_groups(vec![block]).with_projection(self.columns.clone());
            let is_all = ahead.iter().map(Range::len).sum::<usize>() == rows;
            let builder = if is_all { builder } else { builder.with_row_selection(selection) };
            self.reader = Some(builder.build()?);
        }
        Ok(Some(Opened { ahead, rows }))
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, Unreadable> {
        Ok(self.reader.as_mut().and_then(Iterator::next).transpose()?)
    }

    fn rows(&self) -> Option<u64> {
        Some(self.selected.iter().flatten().map(|range| range.len() as u64).sum())
    }

    fn pruned(&self) -> u64 {
        let rows: u64 = groups(&self.metadata).map(|rows| rows as u64).sum();
        rows - self.rows().unwrap_or(rows)
    }
}

/// The rows of each row group.
fn groups(metadata: &ArrowReaderMetadata) -> impl Iterator<Item = usize> + '_ {
    metadata.metadata().row_groups().iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0))
}

/// The same columns, texts and binary values as views: those are what rows have, and they share the pages' bytes.
fn views(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new_with_metadata(schema.fields().iter().map(with_views).collect::<Vec<_>>(), schema.metadata().clone()))
}

fn with_views(field: &FieldRef) -> FieldRef {
    let views = match field.data_type() {
        DataType::List(item) => DataType::List(with_views(item)),
        DataType::LargeList(item) => DataType::LargeList(with_views(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(with_views).collect()),
        DataType::FixedSizeBinary(_) => return Arc::clone(field),
        other => match row_type(other) {
            Some(text @ (DataType::Utf8View | DataType::BinaryView)) => text,
            _ => return Arc::clone(field),
        },
    };
    Arc::new(field.as_ref().clone().with_data_type(views))
}
