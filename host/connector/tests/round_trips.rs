//! Whatever rows are written in whatever format, the same rows are read back.

use std::path::Path;
use std::sync::Arc;

use arrow_array::*;
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use proptest::prelude::*;
use wasmill_connector::columnar::{ColumnarIn, ColumnarOut, ColumnarSource, Compression, ParquetOut};
use wasmill_connector::csv::{CsvIn, CsvOut};
use wasmill_connector::file::{
    Compressed, Existing, FileFormat, FilePath, FileSinkConfig, FileSource, FileSourceConfig, file_sink,
};
use wasmill_connector::json::{JsonIn, JsonOut};
use wasmill_connector::{BatchLimit, FormatIn, FormatOut, Source, Visibility};
use wasmill_flow::TaskIndex;
use wasmill_flow::column_type::{TIMESTAMP, is_nested, list_of};

/// The days and the milliseconds of the years 0 to 9999, which texts can say.
const DAYS: std::ops::Range<i32> = -719_528..2_932_897;
const MILLIS: std::ops::Range<i64> = -62_167_219_200_000..253_402_300_800_000;

/// A column of so many values, some of them null where it may have nulls.
fn column(data_type: DataType, nullable: bool, rows: usize) -> BoxedStrategy<ArrayRef> {
    fn of<T: std::fmt::Debug + Clone + 'static, A: Array + 'static>(
        value: impl Strategy<Value = T> + 'static,
        nullable: bool,
        rows: usize,
        make: impl Fn(Vec<Option<T>>) -> A + 'static,
    ) -> BoxedStrategy<ArrayRef> {
        let value = value.prop_map(Some).boxed();
        let value = if nullable { prop_oneof![7 => value, 3 => Just(None)].boxed() } else { value };
        let values = proptest::collection::vec(value, rows);
        values.prop_map(move |values| Arc::new(make(values)) as ArrayRef).boxed()
    }
    match data_type {
        DataType::Boolean => of(any::<bool>(), nullable, rows, BooleanArray::from),
        DataType::Int32 => of(any::<i32>(), nullable, rows, Int32Array::from),
        DataType::Int64 => of(any::<i64>(), nullable, rows, Int64Array::from),
        DataType::UInt64 => of(any::<u64>(), nullable, rows, UInt64Array::from),
        // NaN and infinities are null in JSON.
        DataType::Float32 => of(proptest::num::f32::NORMAL | proptest::num::f32::ZERO, nullable, rows, Float32Array::from),
        DataType::Float64 => of(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, nullable, rows, Float64Array::from),
        DataType::Date32 => of(DAYS, nullable, rows, Date32Array::from),
        DataType::Utf8View => of(any::<String>(), nullable, rows, StringViewArray::from_iter),
        DataType::BinaryView => of(proptest::collection::vec(any::<u8>(), 0..40), nullable, rows, BinaryViewArray::from_iter),
        DataType::Decimal128(precision, scale) => {
            let most = 10_i128.pow(u32::from(precision)) - 1;
            let decimals =
                move |values| Decimal128Array::from(values).with_precision_and_scale(precision, scale).expect("digits");
            of(-most..=most, nullable, rows, decimals)
        }
        DataType::List(item) => {
            let lengths = proptest::collection::vec(0_usize..4, rows);
            let lists = (lengths, nulls(nullable, rows)).prop_flat_map(move |(lengths, nulls)| {
                let item = Arc::clone(&item);
                let items = column(item.data_type().clone(), true, lengths.iter().sum());
                let offsets = OffsetBuffer::from_lengths(lengths);
                items.prop_map(move |items| {
                    Arc::new(ListArray::new(Arc::clone(&item), offsets.clone(), items, nulls.clone())) as ArrayRef
                })
            });
            lists.boxed()
        }
        DataType::Struct(fields) => {
            let columns: Vec<_> = fields.iter().map(|field| column(field.data_type().clone(), true, rows)).collect();
            let structs = (columns, nulls(nullable, rows));
            structs
                .prop_map(move |(columns, nulls)| Arc::new(StructArray::new(fields.clone(), columns, nulls)) as ArrayRef)
                .boxed()
        }
        _ => of(MILLIS, nullable, rows, TimestampMillisecondArray::from),
    }
}

fn nulls(nullable: bool, rows: usize) -> BoxedStrategy<Option<NullBuffer>> {
    let valid = prop_oneof![7 => Just(true), 3 => Just(!nullable)];
    proptest::collection::vec(valid, rows)
        .prop_map(|valid| Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0))
        .boxed()
}

fn a_type() -> impl Strategy<Value = DataType> {
    a_scalar().prop_recursive(4, 12, 3, |part| {
        let list = part.clone().prop_map(list_of);
        let fields = proptest::collection::vec(part, 1..4);
        let named = |(place, data_type): (usize, DataType)| Field::new(format!("field \"{place}\", \u{e9}"), data_type, true);
        prop_oneof![list, fields.prop_map(move |fields| DataType::Struct(fields.into_iter().enumerate().map(named).collect()))]
    })
}

fn a_scalar() -> impl Strategy<Value = DataType> {
    use DataType::{BinaryView, Boolean, Date32, Decimal128, Float32, Float64, Int32, Int64, UInt64, Utf8View};
    let plain = vec![Boolean, Int32, Int64, UInt64, Float32, Float64, Date32, TIMESTAMP, Utf8View, BinaryView];
    let decimal = (1_u8..=38).prop_flat_map(|p| (Just(p), 0..=p.cast_signed())).prop_map(|(p, s)| Decimal128(p, s));
    prop_oneof![10 => proptest::sample::select(plain), 1 => decimal]
}

/// Rows of random columns.
fn a_batch() -> impl Strategy<Value = RecordBatch> {
    let columns = proptest::collection::vec((a_type(), any::<bool>()), 1..6);
    (columns, 0_usize..100).prop_flat_map(|(types, rows)| {
        let fields = types
            .iter()
            .enumerate()
            .map(|(place, (data_type, nullable))| Field::new(format!("column \"{place}\""), data_type.clone(), *nullable));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns: Vec<_> = types.into_iter().map(|(data_type, nullable)| column(data_type, nullable, rows)).collect();
        columns.prop_map(move |columns| RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns of the schema"))
    })
}

/// Writes the rows in pieces, and reads them back.
fn there_and_back(rows: &RecordBatch, format: FileFormat, path: &Path, piece: usize) -> RecordBatch {
    let file = FilePath { written: "rows".to_owned(), path: path.to_owned() };
    let config = FileSinkConfig {
        file: file.clone(),
        existing: Existing::Replace,
        format,
        compressed: Compressed::ByExtension,
        visibility: Visibility::AtOnce,
        parts: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut sink = file_sink(config, &rows.schema()).expect("a sink");
        for first in (0..rows.num_rows()).step_by(piece) {
            let piece = rows.slice(first, piece.min(rows.num_rows() - first));
            sink.write(&piece).await.expect("a write");
        }
        sink.close().await.expect("a close");
        let mut source: Box<dyn Source> = match format {
            FileFormat::Rows(rows_out) => {
                let format = match rows_out {
                    FormatOut::Json(_) => JsonIn::default().into(),
                    FormatOut::Csv(_) => FormatIn::Csv(CsvIn::default()),
                };
                let config = FileSourceConfig { path: file, format, compressed: Compressed::ByExtension, task: TaskIndex::ONLY };
                Box::new(FileSource::open(config, rows.schema()).expect("a file"))
            }
            FileFormat::Columns(columns) => {
                let format = match columns {
                    ColumnarOut::Parquet(_) => ColumnarIn::Parquet,
                    ColumnarOut::Arrow => ColumnarIn::Arrow,
                };
                let found = wasmill_connector::columnar::columns(&file, format, None).expect("columns");
                assert_eq!(found, rows.schema(), "a file of columns brings the schema that was written");
                Box::new(ColumnarSource::open(file, format, found, &[]).expect("a file"))
            }
        };
        let mut batches = Vec::new();
        while let Some(read) = source.read(BatchLimit { rows: 50, bytes: 1 << 20 }).await.expect("a read") {
            assert_eq!(read.malformed, []);
            batches.push(read.rows);
        }
        concat_batches(&rows.schema(), &batches).expect("rows of the schema")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_back_from_every_format_as_they_were_written(rows in a_batch(), piece in 1_usize..70, group in 1_usize..100) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        let parquet = |compression| FileFormat::Columns(ColumnarOut::Parquet(ParquetOut { compression, row_group_rows: group }));
        for format in [
            JsonOut::default().into(),
            JsonOut { timestamps_as_millis: true }.into(),
            FileFormat::Rows(FormatOut::Csv(CsvOut::default())),
            FileFormat::Columns(ColumnarOut::Arrow),
            parquet(Compression::Zstd),
            parquet(Compression::Snappy),
            parquet(Compression::Lz4),
            parquet(Compression::Gzip),
            parquet(Compression::None),
        ] {
            let has_parts = rows.schema_ref().fields().iter().any(|field| is_nested(field.data_type()));
            if has_parts && matches!(format, FileFormat::Rows(FormatOut::Csv(_))) {
                continue;
            }
            prop_assert_eq!(&there_and_back(&rows, format, &path, piece), &rows, "{:?}", format);
        }
    }
}
