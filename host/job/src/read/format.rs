//! How rows are read and written: `json`, `parquet`, `arrow`, or `{ type: json, … }`.

use crate::graph::{ColumnarIn, ColumnarOut, Compression, FormatIn, FormatOut, JsonIn, JsonOut, TimestampUnit};
use crate::problem::Problems;
use crate::read::field::Field;
use crate::read::mapping::Mapping;

const LATER: &[&str] = &["csv"];
const A_FORMAT: &str = "a format: `json`, or a mapping with `type`";
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
    Parquet,
    Arrow,
}

const KINDS: &[(&str, Kind)] = &[("json", Kind::Json), ("parquet", Kind::Parquet), ("arrow", Kind::Arrow)];
const COMPRESSIONS: &[(&str, Compression)] = &[
    ("zstd", Compression::Zstd),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("gzip", Compression::Gzip),
    ("none", Compression::None),
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
    }
}

/// Reads a sink's format.
pub fn read_out(field: &Field<'_>, problems: &mut Problems) -> Option<FormatOut> {
    let (kind, options) = open(field, problems)?;
    match kind {
        Kind::Json => json_out(options.as_ref(), problems).map(FormatOut::Json),
        Kind::Parquet => parquet_out(options.as_ref(), problems).map(FormatOut::Columnar),
        Kind::Arrow => no_options(options.as_ref(), problems).then_some(FormatOut::Columnar(ColumnarOut::Arrow)),
    }
}

fn json_in(options: Option<&Mapping<'_>>, problems: &mut Problems) -> Option<JsonIn> {
    let default = JsonIn { timestamps: TimestampUnit::Milliseconds, reject_unknown_fields: false, max_row_bytes: MAX_ROW_BYTES };
    let Some(format) = options else { return Some(default) };
    let before = problems.count();
    format.check_keys(&["type", "timestamps", "unknown-fields", "max-row-bytes"], &[], problems);
    let timestamps = format.get("timestamps").and_then(|f| f.word(UNITS, &[], problems));
    let reject = format.get("unknown-fields").and_then(|f| f.word(&[("ignore", false), ("reject", true)], &[], problems));
    let bytes = format.get("max-row-bytes").and_then(|f| f.size(MOST_ROW_BYTES, problems));
    (problems.count() == before).then(|| JsonIn {
        timestamps: timestamps.unwrap_or(default.timestamps),
        reject_unknown_fields: reject.unwrap_or(default.reject_unknown_fields),
        max_row_bytes: bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(default.max_row_bytes),
    })
}

fn json_out(options: Option<&Mapping<'_>>, problems: &mut Problems) -> Option<JsonOut> {
    let Some(format) = options else { return Some(JsonOut::default()) };
    let before = problems.count();
    format.check_keys(&["type", "timestamps"], &[], problems);
    let millis = format.get("timestamps").and_then(|f| f.word(&[("ms", true)], &[], problems));
    (problems.count() == before).then(|| JsonOut { timestamps_as_millis: millis.unwrap_or(false) })
}

fn parquet_out(options: Option<&Mapping<'_>>, problems: &mut Problems) -> Option<ColumnarOut> {
    let default = ColumnarOut::Parquet { compression: Compression::default(), row_group_rows: None };
    let Some(format) = options else { return Some(default) };
    let before = problems.count();
    format.check_keys(&["type", "compression", "row-group-rows"], &[], problems);
    let compression = format.get("compression").and_then(|f| f.word(COMPRESSIONS, &[], problems));
    let row_group_rows = format.get("row-group-rows").and_then(|f| f.integer(1..=MOST_GROUP_ROWS, problems));
    (problems.count() == before).then(|| ColumnarOut::Parquet { compression: compression.unwrap_or_default(), row_group_rows })
}

/// Complains about every option of a format that has none. Whether there was none.
fn no_options(options: Option<&Mapping<'_>>, problems: &mut Problems) -> bool {
    options.is_none_or(|format| format.check_keys(&["type"], &[], problems))
}

/// Which format it is, and its mapping, which a name alone doesn't have. `None` for one that there isn't.
fn open<'a>(field: &Field<'a>, problems: &mut Problems) -> Option<(Kind, Option<Mapping<'a>>)> {
    if !field.is_mapping() {
        return field.word(KINDS, LATER, problems).map(|kind| (kind, None));
    }
    let format = Mapping::open(field, A_FORMAT, problems)?;
    let kind = format.require("type", "the format's name", problems)?;
    let kind = kind.word(KINDS, LATER, problems)?;
    Some((kind, Some(format)))
}
