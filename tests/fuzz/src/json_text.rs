//! JSON lines, beside serde_json: a line is read exactly where it stands for a row, and with the same values.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use wasmill_connector::json::JsonIn;
use wasmill_flow::column_type::parse_field;

use crate::cells::{Cell, found, of_json};
use crate::pieces::{self, ReadText};

const COLUMNS: &[(&str, &str)] = &[
    ("o", "boolean"),
    ("i", "int32"),
    ("l", "int64"),
    ("u", "uint64"),
    ("f", "float32"),
    ("d", "float64"),
    ("m", "decimal(10,2)"),
    ("y", "date"),
    ("t", "timestamp"),
    ("s", "utf8"),
    ("x", "binary"),
];

/// The bytes are lines, but for the first, which chooses options.
pub fn run(bytes: &[u8]) {
    let Some((&options, text)) = bytes.split_first() else { return };
    let schema = schema(options & 1 != 0);
    let format = JsonIn { reject_unknown_fields: options & 2 != 0, ..JsonIn::default() };
    let ReadText { rows, malformed } =
        pieces::read(&schema, format.into(), text, usize::from(options >> 2) + 1).expect("JSON has no header");
    let mut malformed = malformed.iter().peekable();
    let mut row = 0;
    let body = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = body.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for (number, line) in (1..).zip(lines) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let refused = malformed.next_if(|malformed| malformed.line == number);
        match (expected(line, &schema, format.reject_unknown_fields), refused) {
            (Expected::Unknown, None) => row += 1,
            (Expected::Unknown, Some(_)) | (Expected::Refused, Some(_)) => {}
            (Expected::Row(cells), None) => {
                assert_eq!(cells, row_of(&rows, row), "line {number}");
                row += 1;
            }
            (Expected::Row(cells), Some(malformed)) => panic!("line {number} is {cells:?}, but was refused: {malformed:?}"),
            (Expected::Refused, None) => panic!("line {number} was read as {:?}", row_of(&rows, row)),
        }
    }
    assert_eq!((row, malformed.next()), (rows.num_rows(), None), "every line is one row, good or malformed");
}

fn schema(not_null: bool) -> SchemaRef {
    let suffix = if not_null { " not null" } else { "" };
    let field = |(name, kind): &(&str, &str)| match *name {
        "i" => parse_field(name, &format!("{kind}{suffix}")),
        _ => parse_field(name, kind),
    };
    Arc::new(Schema::new(COLUMNS.iter().map(|column| field(column).expect("a type")).collect::<Vec<_>>()))
}

fn row_of(rows: &RecordBatch, row: usize) -> Vec<Cell> {
    assert!(row < rows.num_rows(), "a row is missing");
    (0..rows.num_columns()).map(|column| found(rows, column, row)).collect()
}

/// What a line stands for.
enum Expected {
    Row(Vec<Cell>),
    Refused,
    /// The reference can't say: it nests deeper than the reference goes.
    Unknown,
}

fn expected(line: &[u8], schema: &Schema, reject_unknown: bool) -> Expected {
    let Ok(text) = std::str::from_utf8(line) else { return Expected::Refused };
    let fields = match serde_json::from_str::<Fields>(text) {
        Ok(Fields(fields)) => fields,
        Err(error) if error.to_string().starts_with("recursion limit") => return Expected::Unknown,
        Err(_) => return Expected::Refused,
    };
    let mut row = BTreeMap::new();
    for (name, json) in &fields {
        match schema.index_of(name) {
            Ok(column) if row.insert(column, json.get()).is_some() => return Expected::Refused,
            Err(_) if reject_unknown => return Expected::Refused,
            _ => {}
        }
    }
    let cell = |column| match row.get(&column) {
        None | Some(&"null") => schema.field(column).is_nullable().then_some(Cell::Null),
        Some(json) => of_json(schema.field(column).data_type(), json),
    };
    (0..schema.fields().len()).map(cell).collect::<Option<_>>().map_or(Expected::Refused, Expected::Row)
}

/// The fields of an object, as they stand there, those that come twice included.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Each)
    }
}
