//! Rows that could not be read, were rejected, or poisoned an operator: what is said of each.
//!
//! Dead letters travel as ordinary rows of [`schema`], so that any sink can take them. Columns marked with [`RAW_JSON`] hold JSON
//! text that a JSON encoder writes as it is.

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::column_type::TIMESTAMP;

/// The key of a field's metadata which says that its text is JSON already.
pub const RAW_JSON: &str = "wasmill.json";

/// Why a row is dead. Names are those of the dead-letter object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It could not be read.
    Malformed,
    /// An expression failed on it.
    Expression,
    /// An operator rejected it.
    Rejected,
    /// An operator trapped on it.
    Trap,
    /// An operator broke a limit on it.
    Limit,
    /// It is no row but a timer that an operator trapped on, or broke a limit on.
    Timer,
}

impl Kind {
    /// The word in the dead-letter object.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Expression => "expression",
            Self::Rejected => "rejected",
            Self::Trap => "trap",
            Self::Limit => "limit",
            Self::Timer => "timer",
        }
    }
}

/// One dead row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeadLetter {
    /// The job's name.
    pub job: String,
    /// Why it is dead; `malformed` where none is given.
    pub kind: Option<Kind>,
    /// The source that read it, for a malformed row.
    pub source: Option<String>,
    /// The operator that it died in, for a row inside the job.
    pub operator: Option<String>,
    /// What was wrong, in words.
    pub reason: String,
    /// The file that it came from.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<i64>,
    /// The column in that line at which reading failed, in bytes from 1.
    pub column: Option<i64>,
    /// The byte in the file at which reading failed, from 0.
    pub byte: Option<i64>,
    /// The field that was wrong.
    pub field: Option<String>,
    /// The bytes, where they are UTF-8.
    pub raw: Option<String>,
    /// The bytes in base64, where they are not.
    pub raw_base64: Option<String>,
    /// The row as a JSON object, for a row inside the job.
    pub row: Option<String>,
    /// Its key as a JSON object.
    pub key: Option<String>,
    /// Its event time, in milliseconds.
    pub time: Option<i64>,
}

/// The columns of a dead letter, in order; every field of the object is always there.
#[must_use]
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let text = |name: &str| Field::new(name, DataType::Utf8View, true);
        let json = |name: &str| text(name).with_metadata([(RAW_JSON.to_owned(), "true".to_owned())].into());
        let number = |name: &str| Field::new(name, DataType::Int64, true);
        let required = |name: &str| Field::new(name, DataType::Utf8View, false);
        Arc::new(Schema::new(vec![
            required("job"),
            required("kind"),
            text("source"),
            text("operator"),
            required("reason"),
            text("file"),
            number("line"),
            number("column"),
            number("byte"),
            text("field"),
            text("raw"),
            text("raw_base64"),
            json("row"),
            json("key"),
            Field::new("time", TIMESTAMP, true),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// Dead letters as rows of [`schema`].
///
/// # Panics
/// Never: the columns are those of the schema.
#[must_use]
pub fn to_rows(letters: &[DeadLetter]) -> RecordBatch {
    let text =
        |of: fn(&DeadLetter) -> Option<&str>| -> ArrayRef { Arc::new(letters.iter().map(of).collect::<StringViewArray>()) };
    let number = |of: fn(&DeadLetter) -> Option<i64>| -> ArrayRef { Arc::new(letters.iter().map(of).collect::<Int64Array>()) };
    let columns = vec![
        text(|l| Some(&l.job)),
        text(|l| Some(l.kind.unwrap_or(Kind::Malformed).name())),
        text(|l| l.source.as_deref()),
        text(|l| l.operator.as_deref()),
        text(|l| Some(&l.reason)),
        text(|l| l.file.as_deref()),
        number(|l| l.line),
        number(|l| l.column),
        number(|l| l.byte),
        text(|l| l.field.as_deref()),
        text(|l| l.raw.as_deref()),
        text(|l| l.raw_base64.as_deref()),
        text(|l| l.row.as_deref()),
        text(|l| l.key.as_deref()),
        Arc::new(letters.iter().map(|l| l.time).collect::<TimestampMillisecondArray>()),
    ];
    #[expect(clippy::expect_used, reason = "columns and schema are written side by side above")]
    RecordBatch::try_new(schema(), columns).expect("columns are those of the schema")
}
