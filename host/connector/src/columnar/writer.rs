//! Writes rows as a file of columns, which is whole only once it is finished.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use wasmill_flow::Batch;
use wasmill_flow::column_type::{self, TIMESTAMP};

use super::{ColumnarOut, Compression, ParquetOut};
use crate::ConnectorError;

/// A row group has at most so many bytes before it is compressed further than page by page.
const ROW_GROUP_BYTES: usize = 128 << 20;
/// A record batch is written with so many rows, or so many bytes.
const BATCH_ROWS: usize = 64 << 10;
const BATCH_BYTES: usize = 16 << 20;

/// Where a file's bytes go: a file, or memory on its way to a bucket.
pub(crate) type PartOut = Box<dyn Write + Send>;

/// Writes one file that can be read once it is finished.
pub(crate) trait PartWriter: Send {
    /// Adds rows, at least one.
    fn write(&mut self, rows: &RecordBatch) -> io::Result<()>;

    /// Writes what is missing. The file is whole then, and not synced.
    fn finish(self: Box<Self>) -> io::Result<()>;

    /// The bytes so far, those that are buffered too.
    fn bytes(&self) -> u64;
}

/// What rows become on their way into a file of columns.
#[derive(Debug, Clone)]
pub(crate) struct ColumnsOut {
    format: ColumnarOut,
    schema: SchemaRef,
}

/// How rows of these columns are written: timestamps as moments in UTC; in Arrow texts and binary values with offsets, which every
/// reader knows, instead of as views.
///
/// # Errors
/// Code `type-not-in-columns` for a column whose type rows can't have.
pub(crate) fn columns_out(format: ColumnarOut, schema: &Schema) -> Result<ColumnsOut, ConnectorError> {
    let field = |field: &Arc<Field>| {
        if !column_type::is_supported(field.data_type()) {
            let message = format!("{}: type `{}` can't be written", field.name(), column_type::describe(field));
            let hint = format!("the types are {}", column_type::NAMES.join(", "));
            return Err(ConnectorError::new("type-not-in-columns", message).with_hint(hint));
        }
        Ok(Field::new(field.name(), written(field.data_type(), format), field.is_nullable()))
    };
    let fields: Vec<Field> = schema.fields().iter().map(field).collect::<Result<_, _>>()?;
    Ok(ColumnsOut { format, schema: Arc::new(Schema::new(fields)) })
}

/// The type that a column of this type has in a file.
fn written(data_type: &DataType, format: ColumnarOut) -> DataType {
    match (data_type, format) {
        (&TIMESTAMP, _) => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        (DataType::Utf8View, ColumnarOut::Arrow) => DataType::Utf8,
        (DataType::BinaryView, ColumnarOut::Arrow) => DataType::Binary,
        (DataType::List(item), format) => {
            // Parquet's own name for items is another than Arrow's.
            let name = if format == ColumnarOut::Arrow { item.name() } else { "element" };
            DataType::List(Arc::new(Field::new(name, written(item.data_type(), format), true)))
        }
        (DataType::Struct(fields), format) => {
            let field = |field: &Arc<Field>| Field::new(field.name(), written(field.data_type(), format), true);
            DataType::Struct(fields.iter().map(field).collect())
        }
        (other, _) => other.clone(),
    }
}

impl ColumnsOut {
    /// What a file's name ends in.
    pub(crate) fn extension(&self) -> &'static str {
        match self.format {
            ColumnarOut::Parquet(_) => "parquet",
            ColumnarOut::Arrow => "arrow",
        }
    }

    /// A writer into an empty file.
    pub(crate) fn begin(&self, out: PartOut) -> io::Result<Box<dyn PartWriter>> {
        let schema = SchemaRef::clone(&self.schema);
        Ok(match self.format {
            ColumnarOut::Parquet(options) => {
                let writer = ArrowWriter::try_new(out, schema, Some(properties(options))).map_err(of_parquet)?;
                Box::new(ParquetPart { columns: self.clone(), writer })
            }
            ColumnarOut::Arrow => {
                let writer = FileWriter::try_new_buffered(out, &schema).map_err(of_arrow)?;
                Box::new(IpcPart { columns: self.clone(), writer, waiting: Vec::new(), rows: 0, waiting_bytes: 0, written: 0 })
            }
        })
    }

    fn convert(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = rows.columns().iter().zip(self.schema.fields());
        let columns: Vec<ArrayRef> = columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>()?;
        RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)
    }
}

fn properties(options: ParquetOut) -> WriterProperties {
    let codec = match options.compression {
        Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
        Compression::Snappy => Codec::SNAPPY,
        Compression::Lz4 => Codec::LZ4_RAW,
        Compression::Gzip => Codec::GZIP(GzipLevel::default()),
        Compression::None => Codec::UNCOMPRESSED,
    };
    WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_created_by(concat!("wasmill version ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

struct ParquetPart {
    columns: ColumnsOut,
    writer: ArrowWriter<PartOut>,
}

impl PartWriter for ParquetPart {
    fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        let rows = self.columns.convert(rows).map_err(of_arrow)?;
        self.writer.write(&rows).map_err(of_parquet)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        // Not `into_inner`, which would hide the disk's error.
        self.writer.finish().map_err(of_parquet)?;
        self.writer.sync()
    }

    fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }
}

struct IpcPart {
    columns: ColumnsOut,
    writer: FileWriter<BufWriter<PartOut>>,
    /// Rows that are to be one record batch.
    waiting: Vec<RecordBatch>,
    rows: usize,
    waiting_bytes: usize,
    written: u64,
}

impl IpcPart {
    fn write_out(&mut self) -> Result<(), ArrowError> {
        if let Some(first) = self.waiting.first() {
            let rows = concat_batches(&first.schema(), &self.waiting)?;
            self.writer.write(&self.columns.convert(&rows)?)?;
        }
        self.written += self.waiting_bytes as u64;
        (self.rows, self.waiting_bytes) = (0, 0);
        self.waiting.clear();
        Ok(())
    }
}

impl PartWriter for IpcPart {
    fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        self.rows += rows.num_rows();
        self.waiting_bytes += Batch::unkeyed(rows.clone()).bytes();
        self.waiting.push(rows.clone());
        let full = self.rows >= BATCH_ROWS || self.waiting_bytes >= BATCH_BYTES;
        if full { self.write_out().map_err(of_arrow) } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_out().and_then(|()| self.writer.finish()).map_err(of_arrow)?;
        let buffered = self.writer.into_inner().map_err(of_arrow)?;
        buffered.into_inner().map_err(io::IntoInnerError::into_error)?.flush()
    }

    fn bytes(&self) -> u64 {
        self.written + self.waiting_bytes as u64
    }
}

/// The error of the disk that stands behind one of Parquet's.
fn of_parquet(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

fn of_arrow(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}
