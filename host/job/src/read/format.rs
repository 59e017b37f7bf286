//! How rows are read and written: `json`, `csv`, `parquet`, `arrow`, or `{ type: json, … }`; and how files are compressed.

use crate::graph::{
    ColumnarIn, ColumnarOut, Compression, CsvIn, CsvOut, FormatIn, FormatOut, JsonIn, JsonOut, ParquetCompression, TimestampUnit,
};
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;

const A_FORMAT: &str = "a format: `json`, `csv`, `parquet` or `arrow`, or a mapping with `type`";
const UNITS: &[(&str, TimestampUnit)] = &[
    ("ms", TimestampUnit::Milliseconds),
    ("s", TimestampUnit::Seconds),
    ("us", TimestampUnit::Microseconds),
    ("ns", TimestampUnit::Nanoseconds),
];

/// The longest row unless the job says otherwise.
const MAX_ROW_BYTES: usize = 16 << 20;
/// The longest row that a job may allow: a batch's offsets have 32 bits.
const MOST_ROW_BYTES: u64 = 1 << 30;

/// What a format's name stands for.
#[derive(Clone, Copy)]
enum Kind {
    Json,
    Csv,
    Parquet,
    Arrow,
}

const KINDS: &[(&str, Kind)] = &[("json", Kind::Json), ("csv", Kind::Csv), ("parquet", Kind::Parquet), ("arrow", Kind::Arrow)];
const PARQUET_COMPRESSIONS: &[(&str, ParquetCompression)] = &[
    ("zstd", ParquetCompression::Zstd),
    ("snappy", ParquetCompression::Snappy),
    ("lz4", ParquetCompression::Lz4),
    ("gzip", ParquetCompression::Gzip),
    ("none", ParquetCompression::None),
];
/// The most rows of a row group: Parquet counts them with 31 bits.
const MOST_GROUP_ROWS: i128 = i32::MAX as i128;

/// Reads a source's format.
pub fn read_in(field: &Field<'_>, problems: &mut Problems) -> Option<FormatIn> {
    let (kind, options) = open(field, problems)?;
    match kind {
        Kind::Json => json_in(options.as_ref(), problems).map(FormatIn::Json),
        Kind::Parquet => no_options(options.as_ref(), problems).then_some(FormatIn::Columnar(ColumnarIn::Parquet)),
        Kind::Arrow => no_options(options.as_ref(), problems).then_some(FormatIn::Columnar(ColumnarIn::Arrow)),
        Kind::Csv => csv_in(options.as_ref(), problems).map(FormatIn::Csv),
    }
}

/// Reads a sink's format.
pub fn read_out(field: &Field<'_>, problems: &mut Problems) -> Option<FormatOut> {
    let (kind, options) = open(field, problems)?;
    match kind {
        Kind::Json => json_out(options.as_ref(), problems).map(FormatOut::Json),
        Kind::Parquet => parquet_out(options.as_ref(), problems).map(FormatOut::Columnar),
        Kind::Arrow => no_options(options.as_ref(), problems).then_some(FormatOut::Columnar(ColumnarOut::Arrow)),
        Kind::Csv => csv_out(options.as_ref(), problems).map(FormatOut::Csv),
    }
}

fn json_in(options: Option<&Mapping<'_>>, problems: &mut Problems) -> Option<JsonIn> {
    let default = JsonIn { timestamps: TimestampUnit::Milliseconds, reject_unknown_fields: false, max_row_bytes: MAX_ROW_BYTES };
    let Some(format) = options else { return Some(default) };
    let before = problems.count();
    format.check_keys(&["type", "timestamps", "unknown-fields", "max-row-bytes"], &[], problems);
    let (timestamps, reject, bytes) =
        (timestamps(format, problems), unknown_fields(format, problems), row_bytes(format, problems));
    (problems.count() == before).then(|| JsonIn {
        timestamps: timestamps.unwrap_or(default.timestamps),
        reject_unknown_fields: reject.unwrap_or(default.reject_unknown_fields),
        max_row_bytes: bytes.unwrap_or(default.max_row_bytes),
    })
}

fn json_out(options: Option<&Mapping<'_>>, problems: &mut Problems) -> Option<JsonOut> {
    let Some(format) = options else { return Some(JsonOut::default()) };
    let before = problems.count();
    format.check_keys(&["type", "timestamps"], &[], problems);
    let millis = millis(format, problems);
    (problems.count() == before).then(|| JsonOut { timestamps_as_millis: millis.unwrap_or(false) })
}

fn parquet_out(options: Option<&Mapping<'_>>, problems: &mut Problems) -> Option<ColumnarOut> {
    let default = ColumnarOut::Parquet { compression: ParquetCompression::default(), row_group_rows: None };
    let Some(format) = options else { return Some(default) };
    let before = problems.count();
    format.check_keys(&["type", "compression", "row-group-rows"], &[], problems);
    let compression = format.get("compression").and_then(|f| f.word(PARQUET_COMPRESSIONS, &[], problems));
    let row_group_rows = format.get("row-group-rows").and_then(|f| f.integer(1..=MOST_GROUP_ROWS, problems));
    (problems.count() == before).then(|| ColumnarOut::Parquet { compression: compression.unwrap_or_default(), row_group_rows })
}

/// Complains about every option of a format that has none. Whether there was none.
fn no_options(options: Option<&Mapping<'_>>, problems: &mut Problems) -> bool {
    options.is_none_or(|format| format.check_keys(&["type"], &[], problems))
}

fn csv_in(options: Option<&Mapping<'_>>, problems: &mut Problems) -> Option<CsvIn> {
    let default = CsvIn {
        header: true,
        delimiter: b',',
        timestamps: TimestampUnit::Milliseconds,
        reject_unknown_fields: false,
        max_row_bytes: MAX_ROW_BYTES,
    };
    let Some(format) = options else { return Some(default) };
    let before = problems.count();
    format.check_keys(&["type", "header", "delimiter", "timestamps", "unknown-fields", "max-row-bytes"], &[], problems);
    let (header, delimiter) = (header(format, problems), delimiter(format, problems));
    let (timestamps, reject, bytes) =
        (timestamps(format, problems), unknown_fields(format, problems), row_bytes(format, problems));
    (problems.count() == before).then(|| CsvIn {
        header: header.unwrap_or(default.header),
        delimiter: delimiter.unwrap_or(default.delimiter),
        timestamps: timestamps.unwrap_or(default.timestamps),
        reject_unknown_fields: reject.unwrap_or(default.reject_unknown_fields),
        max_row_bytes: bytes.unwrap_or(default.max_row_bytes),
    })
}

fn csv_out(options: Option<&Mapping<'_>>, problems: &mut Problems) -> Option<CsvOut> {
    let default = CsvOut { header: true, delimiter: b',', timestamps_as_millis: false };
    let Some(format) = options else { return Some(default) };
    let before = problems.count();
    format.check_keys(&["type", "header", "delimiter", "timestamps"], &[], problems);
    let (header, delimiter, millis) = (header(format, problems), delimiter(format, problems), millis(format, problems));
    (problems.count() == before).then(|| CsvOut {
        header: header.unwrap_or(default.header),
        delimiter: delimiter.unwrap_or(default.delimiter),
        timestamps_as_millis: millis.unwrap_or(default.timestamps_as_millis),
    })
}

fn timestamps(format: &Mapping<'_>, problems: &mut Problems) -> Option<TimestampUnit> {
    format.get("timestamps")?.word(UNITS, &[], problems)
}

fn millis(format: &Mapping<'_>, problems: &mut Problems) -> Option<bool> {
    format.get("timestamps")?.word(&[("ms", true)], &[], problems)
}

fn unknown_fields(format: &Mapping<'_>, problems: &mut Problems) -> Option<bool> {
    format.get("unknown-fields")?.word(&[("ignore", false), ("reject", true)], &[], problems)
}

fn row_bytes(format: &Mapping<'_>, problems: &mut Problems) -> Option<usize> {
    usize::try_from(format.get("max-row-bytes")?.size(MOST_ROW_BYTES, problems)?).ok()
}

fn header(format: &Mapping<'_>, problems: &mut Problems) -> Option<bool> {
    format.get("header")?.flag(problems)
}

fn delimiter(format: &Mapping<'_>, problems: &mut Problems) -> Option<u8> {
    let expected = "one ASCII character that doesn't stand in a number: no letter, digit, quote, line end, `.`, `+` or `-`";
    let written = format.get("delimiter")?.text(expected, problems)?;
    match written.value.as_bytes() {
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n.+-".contains(byte) => Some(*byte),
        _ => {
            problems.error(code::INVALID_VALUE, &written.spot).found(written.value.clone()).expected(expected);
            None
        }
    }
}

/// Complains about a file of columns that is to be compressed as a whole.
pub fn compressed_inside(keys: &Mapping<'_>, problems: &mut Problems) {
    if let Some(field) = keys.get("compression") {
        let problem = problems.error(code::MISPLACED_KEY, &field.key_spot()).found("compression");
        problem
            .expected("it in the format, as `format: { type: parquet, compression: zstd }`: columns are compressed page by page");
    }
}

/// Reads how files are compressed.
pub fn read_compression(keys: &Mapping<'_>, problems: &mut Problems) -> Option<Compression> {
    const KINDS: &[(&str, Compression)] =
        &[("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];
    keys.get("compression")?.word(KINDS, &[], problems)
}

/// Which format it is, and its mapping, which a name alone doesn't have. `None` for one that there isn't.
fn open<'a>(field: &Field<'a>, problems: &mut Problems) -> Option<(Kind, Option<Mapping<'a>>)> {
    if !field.is_mapping() {
        return field.word(KINDS, &[], problems).map(|kind| (kind, None));
    }
    let format = Mapping::open(field, A_FORMAT, problems)?;
    let kind = format.require("type", "the format's name", problems)?;
    let kind = kind.word(KINDS, &[], problems)?;
    Some((kind, Some(format)))
}
