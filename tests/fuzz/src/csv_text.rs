//! CSV, beside the `csv` crate and beside RFC 4180 read a byte at a time.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use wasmill_connector::FormatIn;
use wasmill_connector::csv::CsvIn;
use wasmill_flow::column_type::parse_field;

use crate::cells::{Cell, found, of_text};
use crate::pieces;

const COLUMNS: &[(&str, &str)] =
    &[("s", "utf8"), ("l", "int64"), ("d", "float64 not null"), ("t", "timestamp"), ("m", "decimal(10,2)"), ("o", "boolean")];
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The bytes are rows without a header, but for the first two, which choose options.
pub fn run(bytes: &[u8]) {
    let [options, piece, text @ ..] = bytes else { return };
    let delimiter = DELIMITERS[usize::from(options & 3)];
    let columns = usize::from(options >> 2) % COLUMNS.len() + 1;
    let schema = schema(columns);
    let format = FormatIn::Csv(CsvIn { header: false, delimiter, ..CsvIn::default() });
    let read = pieces::read(&schema, format, text, usize::from(*piece) + 1).expect("there is no header");
    let body = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let written = rows(body, delimiter, columns);
    if written.iter().all(Option::is_some) {
        same_as_the_crate(text, delimiter, &written);
    }
    let expected: Vec<_> = written.iter().map(|row| row.as_ref().and_then(|fields| cells(fields, &schema))).collect();
    let mut malformed = read.malformed.iter();
    let mut row = 0;
    for (number, cells) in expected.iter().enumerate() {
        match cells {
            Some(cells) => {
                assert!(row < read.rows.num_rows(), "row {number}, {cells:?}, is missing: {:?}", read.malformed);
                let found: Vec<_> = (0..columns).map(|column| found(&read.rows, column, row)).collect();
                assert_eq!(&found, cells, "row {number}");
                row += 1;
            }
            None => assert!(malformed.next().is_some(), "row {number} was read"),
        }
    }
    assert_eq!((row, malformed.next()), (read.rows.num_rows(), None), "every row is there once, good or malformed");
}

fn schema(columns: usize) -> SchemaRef {
    let fields = COLUMNS[..columns].iter().map(|(name, kind)| parse_field(name, kind).expect("a type"));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A field as it is written: its text, and whether it stood in quotes.
type Written = (Vec<u8>, bool);

/// The rows that RFC 4180 finds, each as its fields, or as none where its quotes are broken. An empty line is none, but for a single column.
fn rows(text: &[u8], delimiter: u8, columns: usize) -> Vec<Option<Vec<Written>>> {
    let (mut rows, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let (row, next) = one_row(text, at, delimiter);
        at = next;
        if columns == 1 || row.as_ref().is_none_or(|fields| !is_blank(fields)) {
            rows.push(row);
        }
    }
    rows
}

fn is_blank(fields: &[Written]) -> bool {
    matches!(fields, [(text, false)] if text.is_empty())
}

/// The fields of the row that starts at a place, unless its quotes are broken, and where the next row starts.
fn one_row(text: &[u8], start: usize, delimiter: u8) -> (Option<Vec<Written>>, usize) {
    let (mut fields, mut good) = (vec![(Vec::new(), false)], true);
    let (mut at, mut inside, mut field_start) = (start, false, true);
    while at < text.len() {
        let byte = text[at];
        let returns = byte == b'\r' && matches!(text.get(at + 1), None | Some(b'\n'));
        let field = fields.last_mut().expect("there is a field");
        match byte {
            b'"' if inside && text.get(at + 1) == Some(&b'"') => {
                field.0.push(b'"');
                at += 1;
            }
            b'"' if inside => {
                inside = false;
                let behind = text.get(at + 1).copied();
                let ends = matches!(behind, None | Some(b'\n'))
                    || behind == Some(b'\r') && matches!(text.get(at + 2), None | Some(b'\n'));
                good &= ends || behind == Some(delimiter);
            }
            _ if inside => field.0.push(byte),
            b'"' if field_start => (inside, field.1) = (true, true),
            b'\n' => return (good.then_some(fields), at + 1),
            _ if returns => {}
            b'"' | b'\r' => good = false,
            _ if byte == delimiter => fields.push((Vec::new(), false)),
            _ => field.0.push(byte),
        }
        field_start = !inside && byte == delimiter;
        at += 1;
    }
    ((good && !inside).then_some(fields), at)
}

fn cells(fields: &[Written], schema: &Schema) -> Option<Vec<Cell>> {
    let of = |(index, (text, quoted)): (usize, &Written)| {
        let (text, field) = (std::str::from_utf8(text).ok()?, schema.field(index));
        if text.is_empty() && !quoted {
            return field.is_nullable().then_some(Cell::Null);
        }
        of_text(field.data_type(), text)
    };
    (fields.len() == schema.fields().len()).then(|| fields.iter().enumerate().map(of).collect()).flatten()
}

/// Where all quotes are as they should be, the `csv` crate finds the same fields. It passes over empty lines.
fn same_as_the_crate(text: &[u8], delimiter: u8, written: &[Option<Vec<Written>>]) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text);
    let of_crate: Vec<Vec<Vec<u8>>> =
        reader.byte_records().map(|record| record.expect("bytes in memory").iter().map(<[u8]>::to_vec).collect()).collect();
    let rows = written.iter().flatten().filter(|fields| !is_blank(fields));
    let ours: Vec<Vec<Vec<u8>>> = rows.map(|fields| fields.iter().map(|(text, _)| text.clone()).collect()).collect();
    assert_eq!(ours, of_crate, "RFC 4180 read a byte at a time, and the csv crate");
}
