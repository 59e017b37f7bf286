//! Files of columns as a source: the contract, types, nulls that may not be, damaged files, and rows that statistics rule out.
#![expect(clippy::single_range_in_vec_init, reason = "one range is one case of several")]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, Int32Builder, MapBuilder, MapFieldNames, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::types::Int8Type;
use arrow_array::*;
use arrow_buffer::OffsetBuffer;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use wasmill_flow::comparison::Comparator;

use super::*;
use crate::conformance::{SourceUnderTest, check_source};

const LIMIT: BatchLimit = BatchLimit { rows: 1024, bytes: 1 << 20 };

/// The ways in which files are written here.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Written {
    Parquet,
    File,
    Stream,
}

const ALL: [Written; 3] = [Written::Parquet, Written::File, Written::Stream];

impl Written {
    fn format(self) -> ColumnarIn {
        if self == Self::Parquet { ColumnarIn::Parquet } else { ColumnarIn::Arrow }
    }

    /// The bytes of a file with these batches, as row groups and pages of seven and three rows where it is Parquet.
    fn bytes(self, batches: &[RecordBatch]) -> Vec<u8> {
        let (schema, mut out) = (batches[0].schema(), Vec::new());
        match self {
            Self::Parquet => {
                let properties = WriterProperties::builder()
                    .set_max_row_group_row_count(Some(7))
                    .set_data_page_row_count_limit(3)
                    .set_write_batch_size(1);
                let mut writer = ArrowWriter::try_new(&mut out, schema, Some(properties.build())).expect("a writer");
                batches.iter().for_each(|batch| writer.write(batch).expect("rows"));
                writer.close().expect("a footer");
            }
            Self::File => {
                let mut writer = FileWriter::try_new(&mut out, &schema).expect("a writer");
                batches.iter().for_each(|batch| writer.write(batch).expect("rows"));
                writer.finish().expect("a footer");
            }
            Self::Stream => {
                let mut writer = StreamWriter::try_new(&mut out, &schema).expect("a writer");
                batches.iter().for_each(|batch| writer.write(batch).expect("rows"));
                writer.finish().expect("an end");
            }
        }
        out
    }
}

/// A folder with one file, `in/rows`.
struct Given {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Given {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        fs::write(&path, bytes).expect("a file");
        Self { _folder: folder, path }
    }

    fn file(&self) -> FilePath {
        FilePath { written: "in/rows".to_owned(), path: self.path.clone() }
    }

    fn open(&self, format: ColumnarIn, schema: Option<&SchemaRef>) -> Result<ColumnarSource, ConnectorError> {
        let schema = columns(&self.file(), format, schema.map(Arc::as_ref))?;
        ColumnarSource::open(self.file(), format, schema, &[])
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).expect("columns")
}

/// Rows with a number and a text each, in several batches.
fn numbered(batches: &[Range<i64>]) -> Vec<RecordBatch> {
    let batch_of = |range: &Range<i64>| {
        let texts = range.clone().map(|n| (n % 3 > 0).then(|| format!("a text that no view holds in itself, {n}")));
        batch(vec![("n", Arc::new(Int64Array::from_iter_values(range.clone()))), ("t", Arc::new(texts.collect::<StringArray>()))])
    };
    batches.iter().map(batch_of).collect()
}

async fn rows(source: &mut dyn Source) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(read) = source.read(LIMIT).await.expect("a read") {
        all.extend((0..read.rows.num_rows()).map(|row| row_object(&read.rows, row)));
    }
    all
}

/// The rows of a file of columns, each as JSON; none where there is no file.
pub(crate) fn lines_of(path: &Path, format: ColumnarIn, schema: SchemaRef) -> Vec<String> {
    if !path.exists() {
        return Vec::new();
    }
    let file = FilePath { written: "rows".to_owned(), path: path.to_owned() };
    let mut source = ColumnarSource::open(file, format, schema, &[]).expect("a file");
    // Tests of sinks look at files in between, on the thread of a runtime.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(rows(&mut source))
    })
    .join()
    .expect("rows")
}

#[tokio::test]
async fn files_of_columns_keep_the_contract() {
    for written in ALL {
        let given = Given::new(&written.bytes(&numbered(&[0..10, 10..11, 11..30])));
        let open = || -> Box<dyn Source> { Box::new(given.open(written.format(), None).expect("a file")) };
        check_source(&SourceUnderTest { open: &open, rows: 30, ends: true }).await;
    }
}

#[tokio::test]
async fn a_file_without_rows_ends_at_once() {
    for written in ALL {
        let given = Given::new(&written.bytes(&numbered(&[0..0])));
        let open = || -> Box<dyn Source> { Box::new(given.open(written.format(), None).expect("a file")) };
        check_source(&SourceUnderTest { open: &open, rows: 0, ends: true }).await;
    }
}

#[tokio::test]
async fn only_the_columns_that_are_asked_for_are_read_in_their_order() {
    for written in ALL {
        let given = Given::new(&written.bytes(&numbered(&[0..3])));
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8View, true)]));
        let mut source = given.open(written.format(), Some(&schema)).expect("a file");
        let read = source.read(LIMIT).await.expect("a read").expect("rows");
        assert_eq!(read.rows.schema(), schema);
        assert_eq!(row_object(&read.rows, 0), "{\"t\":null}");
        let turned =
            SchemaRef::new(Schema::new(vec![Field::new("t", DataType::Utf8View, true), Field::new("n", DataType::Int64, true)]));
        let mut source = given.open(written.format(), Some(&turned)).expect("a file");
        assert_eq!(rows(&mut source).await[1], "{\"t\":\"a text that no view holds in itself, 1\",\"n\":1}");
    }
}

#[tokio::test]
async fn types_are_widened_to_those_of_rows_and_timestamps_cut_towards_the_past() {
    let mut words = StringDictionaryBuilder::<Int8Type>::new();
    words.append_value("a");
    let mut four = FixedSizeBinaryBuilder::new(4);
    four.append_value([0, 1, 2, 255]).expect("four bytes");
    let rows_written = batch(vec![
        ("i8", Arc::new(Int8Array::from(vec![-8]))),
        ("u16", Arc::new(UInt16Array::from(vec![65_535]))),
        ("u32", Arc::new(UInt32Array::from(vec![u32::MAX]))),
        ("u64", Arc::new(UInt64Array::from(vec![u64::MAX]))),
        ("large", Arc::new(LargeStringArray::from(vec!["x"]))),
        ("word", Arc::new(words.finish())),
        ("four", Arc::new(four.finish())),
        ("s", Arc::new(TimestampSecondArray::from(vec![-1]))),
        ("us", Arc::new(TimestampMicrosecondArray::from(vec![-1]).with_timezone("+02:00"))),
        ("ns", Arc::new(TimestampNanosecondArray::from(vec![1_999_999]))),
        ("d", Arc::new(Decimal128Array::from(vec![-1_05]).with_precision_and_scale(5, 2).expect("a decimal"))),
        ("day", Arc::new(Date32Array::from(vec![1]))),
    ]);
    let expected = "{\"i8\":-8,\"u16\":65535,\"u32\":4294967295,\"u64\":18446744073709551615,\"large\":\"x\",\"word\":\"a\",\
        \"four\":\"AAEC/w==\",\"s\":\"1969-12-31T23:59:59.000Z\",\"us\":\"1969-12-31T23:59:59.999Z\",\
        \"ns\":\"1970-01-01T00:00:00.001Z\",\"d\":\"-1.05\",\"day\":\"1970-01-02\"}";
    for written in ALL {
        let given = Given::new(&written.bytes(std::slice::from_ref(&rows_written)));
        let mut source = given.open(written.format(), None).expect("a file");
        let types: Vec<_> = source.schema().fields().iter().map(|field| column_type::name(field.data_type())).collect();
        let names = "int32 int32 int64 uint64 utf8 utf8 binary timestamp timestamp timestamp decimal(5,2) date";
        assert_eq!(types.join(" "), names, "{written:?}");
        assert_eq!(rows(&mut source).await, [expected], "{written:?}");
    }
}

#[tokio::test]
async fn lists_structs_and_maps_of_every_layout_are_lists_and_structs() {
    let ints: ArrayRef = Arc::new(Int16Array::from(vec![Some(1), None, Some(3), Some(4)]));
    let item = Arc::new(Field::new("element", DataType::Int16, true));
    let lengths = OffsetBuffer::<i64>::from_lengths([1, 3]);
    let large = LargeListArray::new(Arc::clone(&item), lengths, Arc::clone(&ints), None);
    let fixed = FixedSizeListArray::new(item, 2, ints, None);
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![-1, 1_999]));
    let words: ArrayRef = Arc::new(LargeStringArray::from(vec![Some("x"), None]));
    let fields = vec![Field::new("t", times.data_type().clone(), false), Field::new("w", words.data_type().clone(), true)];
    let structs = StructArray::new(fields.into(), vec![times, words], Some(vec![true, false].into()));
    let names = MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), Int32Builder::new());
    maps.keys().append_value("k");
    maps.values().append_value(7);
    maps.append(true).expect("a key for each value");
    maps.append(false).expect("a key for each value");
    let rows_written = batch(vec![
        ("large", Arc::new(large)),
        ("fixed", Arc::new(fixed)),
        ("struct", Arc::new(structs)),
        ("map", Arc::new(maps.finish())),
    ]);
    for written in ALL {
        let given = Given::new(&written.bytes(std::slice::from_ref(&rows_written)));
        let mut source = given.open(written.format(), None).expect("a file");
        let types: Vec<_> = source.schema().fields().iter().map(|field| column_type::name(field.data_type())).collect();
        let names = "list<int32>; list<int32>; struct<t: timestamp, w: utf8>; list<struct<key: utf8, value: int32>>";
        assert_eq!(types.join("; "), names, "{written:?}");
        let found = rows(&mut source).await.join("\n");
        let expected = r#"{"large":[1],"fixed":[1,null],"struct":{"t":"1969-12-31T23:59:59.999Z","w":"x"},"map":[{"key":"k","value":7}]}
{"large":[null,3,4],"fixed":[3,4],"struct":null,"map":null}"#;
        assert_eq!(found, expected, "{written:?}");
    }
}

#[test]
fn columns_that_do_not_fit_are_named_with_what_to_do() {
    let noon = Time64MicrosecondArray::from(vec![43_200_000_000]);
    let rows = batch(vec![("n", Arc::new(Int64Array::from(vec![1]))), ("l", Arc::new(noon))]);
    let field = |name: &str, data_type| Some(SchemaRef::new(Schema::new(vec![Field::new(name, data_type, true)])));
    for written in ALL {
        let given = Given::new(&written.bytes(std::slice::from_ref(&rows)));
        let error = |schema: Option<SchemaRef>| {
            let error = given.open(written.format(), schema.as_ref()).err().expect("columns that don't fit");
            assert_eq!(error.code, "file-schema");
            (error.message, error.hint.unwrap_or_default())
        };
        assert_eq!(
            error(field("n", DataType::Utf8View)),
            (
                "in/rows: column `n`: expected utf8, as `schema` says, found int64".to_owned(),
                "write int64 in `schema` and cast it in an expression, or leave `schema` out".to_owned()
            )
        );
        assert_eq!(error(field("m", DataType::Int64)).0, "in/rows: there is no column `m`; there are n, l");
        let (message, hint) = error(None);
        assert_eq!(message, "in/rows: column `l` has type Time64(µs), which rows can't have");
        assert!(hint.starts_with("name the columns to be read in `schema`, without this one; the types are boolean"), "{hint}");
        given.open(written.format(), field("n", DataType::Int64).as_ref()).expect("the other column alone");
    }
}

#[tokio::test]
async fn a_null_that_may_not_be_makes_its_row_malformed() {
    let schema: SchemaRef =
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("t", DataType::Utf8View, false)]));
    for written in ALL {
        let given = Given::new(&written.bytes(&numbered(&[0..4, 4..8])));
        let mut source = given.open(written.format(), Some(&schema)).expect("a file");
        let (mut good, mut malformed) = (0, Vec::new());
        while let Some(read) = source.read(BatchLimit { rows: 3, bytes: 1 << 20 }).await.expect("a read") {
            good += read.rows.num_rows();
            malformed.extend(read.malformed);
        }
        assert_eq!((good, malformed.len()), (5, 3), "{written:?}");
        let third = &malformed[2];
        assert_eq!((third.reason.as_str(), third.line), ("t: expected utf8 not null, found null", 7));
        assert_eq!((third.field.as_deref(), third.file.as_deref()), (Some("t"), Some("in/rows")));
        assert_eq!(third.raw, b"{\"n\":6,\"t\":null}");
        let open = || -> Box<dyn Source> { Box::new(given.open(written.format(), Some(&schema)).expect("a file")) };
        check_source(&SourceUnderTest { open: &open, rows: 8, ends: true }).await;
    }
}

#[test]
fn what_is_no_file_of_columns_is_said_to_be_none() {
    for (bytes, format, name) in [
        (&b""[..], ColumnarIn::Parquet, "Parquet"),
        (b"{\"n\":1}\n{\"n\":2}\n", ColumnarIn::Parquet, "Parquet"),
        (b"", ColumnarIn::Arrow, "Arrow IPC"),
        (b"{\"n\":1}\n{\"n\":2}\n", ColumnarIn::Arrow, "Arrow IPC"),
        (b"ARROW1\0\0", ColumnarIn::Arrow, "Arrow IPC"),
    ] {
        let error = Given::new(bytes).open(format, None).err().expect("no file of columns");
        assert_eq!(error.code, "file-corrupt");
        let start = format!("in/rows: this is no {name} file, or it is damaged or cut off: ");
        assert!(error.message.starts_with(&start), "{}", error.message);
    }
    let missing = FilePath { written: "in/none".to_owned(), path: "/nowhere/none".into() };
    let error = columns(&missing, ColumnarIn::Parquet, None).expect_err("no file");
    assert_eq!((error.code, error.message.as_str()), ("file-not-found", "in/none: there is no such file"));
}

/// Whatever is done to a file, it is read, or an error names it: nothing panics, and nothing is read for ever.
#[tokio::test]
async fn a_file_that_is_damaged_anywhere_is_read_or_told() {
    for written in ALL {
        let whole = written.bytes(&numbered(&[0..10, 10..20]));
        let cut = (0..whole.len()).step_by(7).map(|length| whole[..length].to_vec());
        let flipped = (0..whole.len()).map(|place| {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x55;
            bytes
        });
        for bytes in cut.chain(flipped) {
            let given = Given::new(&bytes);
            let mut source = match given.open(written.format(), None) {
                Ok(source) => source,
                Err(error) => {
                    assert!(error.message.starts_with("in/rows: "), "{}", error.message);
                    continue;
                }
            };
            for _ in 0..1000 {
                match source.read(LIMIT).await {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        assert!(error.message.starts_with("in/rows: "), "{}", error.message);
                        break;
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_is_another_than_it_was_is_not_gone_on_with() {
    let given = Given::new(&Written::Parquet.bytes(&numbered(&[0..20])));
    let position = given.open(ColumnarIn::Parquet, None).expect("a file").position();
    fs::write(&given.path, Written::Parquet.bytes(&numbered(&[0..21]))).expect("a file");
    let error = given.open(ColumnarIn::Parquet, None).expect("a file").seek(&position).expect_err("another file");
    assert_eq!(error.code, "file-changed");
    assert!(error.message.starts_with("in/rows: expected the "), "{}", error.message);
}

fn comparison(column: &str, comparator: Comparator, value: impl Array + 'static) -> Comparison {
    Comparison { column: column.to_owned(), comparator, value: Arc::new(value) }
}

#[tokio::test]
async fn row_groups_and_pages_that_a_filter_rules_out_are_left_out_and_counted() {
    let given = Given::new(&Written::Parquet.bytes(&numbered(&[0..30])));
    let schema = columns(&given.file(), ColumnarIn::Parquet, None).expect("columns");
    let open = |predicate: &[Comparison]| {
        ColumnarSource::open(given.file(), ColumnarIn::Parquet, Arc::clone(&schema), predicate).expect("a file")
    };
    // Groups of seven rows, pages of three.
    let at_least_12 = comparison("n", Comparator::GreaterOrEqual, Int64Array::from(vec![12]));
    let below_20 = comparison("n", Comparator::Less, Int64Array::from(vec![20]));
    let mut source = open(&[at_least_12.clone(), below_20.clone()]);
    assert_eq!((source.pruned(), source.extent()), (20, Extent::Rows(10)));
    let found = rows(&mut source).await;
    assert!(found[0].starts_with("{\"n\":10,") && found[9].starts_with("{\"n\":19,"), "{found:?}");
    assert_eq!(found.len(), 10);
    let under_test = || -> Box<dyn Source> { Box::new(open(&[at_least_12.clone(), below_20.clone()])) };
    check_source(&SourceUnderTest { open: &under_test, rows: 10, ends: true }).await;
    let none = open(&[comparison("n", Comparator::Greater, Int64Array::from(vec![29]))]);
    assert_eq!(none.pruned(), 30);
    let by_float = open(&[comparison("n", Comparator::Greater, Float64Array::from(vec![0.0]))]);
    assert_eq!(by_float.pruned(), 0);
}

#[tokio::test]
async fn nan_which_no_statistics_know_is_left_out_by_no_comparison() {
    let floats = Float64Array::from(vec![Some(0.5), Some(f64::NAN), Some(-f64::NAN), None, Some(-0.0), Some(0.0)]);
    let given = Given::new(&Written::Parquet.bytes(&[batch(vec![("x", Arc::new(floats))])]));
    let schema = columns(&given.file(), ColumnarIn::Parquet, None).expect("columns");
    let pruned = |comparator, value| {
        let predicate = [comparison("x", comparator, Float64Array::from(vec![value]))];
        ColumnarSource::open(given.file(), ColumnarIn::Parquet, Arc::clone(&schema), &predicate).expect("a file").pruned()
    };
    for comparator in [Comparator::Less, Comparator::LessOrEqual, Comparator::Greater, Comparator::GreaterOrEqual] {
        assert_eq!(pruned(comparator, 7.0) + pruned(comparator, -7.0), 0, "{comparator:?}");
    }
    assert_eq!((pruned(Comparator::Equal, 7.0), pruned(Comparator::Equal, 0.0), pruned(Comparator::Equal, f64::NAN)), (6, 0, 0));
}

#[tokio::test]
async fn a_filter_does_not_hide_rows_with_a_null_that_may_not_be() {
    // Groups of seven rows; every third text is null up to 14, none from there on.
    let texts = (0..21).map(|n| (n >= 14 || n % 3 > 0).then_some("text"));
    let columns =
        vec![("n", Arc::new(Int64Array::from_iter_values(0..21)) as ArrayRef), ("t", Arc::new(texts.collect::<StringArray>()))];
    let given = Given::new(&Written::Parquet.bytes(&[batch(columns)]));
    let schema =
        SchemaRef::new(Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("t", DataType::Utf8View, false)]));
    let beyond = [comparison("n", Comparator::Greater, Int64Array::from(vec![100]))];
    let mut source = ColumnarSource::open(given.file(), ColumnarIn::Parquet, schema, &beyond).expect("a file");
    assert_eq!(source.pruned(), 7, "only the group without a null");
    let mut malformed = 0;
    while let Some(read) = source.read(LIMIT).await.expect("a read") {
        malformed += read.malformed.len();
    }
    assert_eq!(malformed, 5);
}

#[test]
fn a_compressed_file_that_claims_more_than_memory_has_is_refused_before_room_is_made() {
    let rows = batch(vec![("n", Arc::new(Int64Array::from(vec![7; 1000])))]);
    let schema = rows.schema();
    for codec in [arrow_ipc::CompressionType::LZ4_FRAME, arrow_ipc::CompressionType::ZSTD] {
        let options = || {
            let options = arrow_ipc::writer::IpcWriteOptions::default();
            options.try_with_compression(Some(codec)).expect("a codec")
        };
        let mut file = FileWriter::try_new_with_options(Vec::new(), &schema, options()).expect("a writer");
        file.write(&rows).expect("rows");
        let mut stream = StreamWriter::try_new_with_options(Vec::new(), &schema, options()).expect("a writer");
        stream.write(&rows).expect("rows");
        for mut bytes in [file.into_inner().expect("a footer"), stream.into_inner().expect("an end")] {
            Given::new(&bytes).open(ColumnarIn::Arrow, None).expect("what it claims is true");
            let honest = 8000_u64.to_le_bytes();
            let at = bytes.windows(8).position(|window| window == honest).expect("the length before the buffer");
            bytes[at..at + 8].copy_from_slice(&(1_u64 << 44).to_le_bytes());
            let error = Given::new(&bytes).open(ColumnarIn::Arrow, None).err().expect("a claim that is not believed");
            assert_eq!(error.code, "file-corrupt");
            let says =
                "one of its batches says that it has 17592186044416 bytes once it is decompressed, and at most 1073741824 are";
            assert!(error.message.contains(says), "{}", error.message);
        }
    }
}
