//! Reads rows from JSON objects, strictly: a row is wholly right, or it is malformed and leaves no trace.

use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, FieldRef, SchemaRef};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use wasmill_flow::column_type;

use super::JsonIn;
use super::layout::Layout;
use super::nested::{PartFault, Reader, Step, Text, What};
use super::scan::{Place, scan};
use crate::ConnectorError;
use crate::format::{Decoder, Fault, not_utf8, shown};
use crate::rows::RowEnd;
use crate::value::columns::Column;
use crate::value::{self, Cell, Wrong, unfit};

/// Memory for so many parts of lists and structs is kept from row to row.
const KEPT_PARTS: usize = 64 << 10;

/// Reads lines into columns. One pass over a line and no tree: the text of each field that is a column is found, the syntax of all of
/// the line is checked, and then each text is read as its column's type. Values reach the columns when the whole row was right. A line
/// that the quick scan doesn't take is looked at by `serde_json`, which says what is wrong with it.
///
/// What is strict: numbers in quotes, fractions for integers, numbers out of range, decimals that would lose a digit, null or nothing
/// for `not null`, a field of the schema twice, anything after the object, bytes that aren't UTF-8, half a surrogate pair. A field
/// that the schema doesn't name is checked for syntax only. Items of lists and fields of structs are as strict, and may be null.
#[derive(Debug)]
pub struct RowDecoder {
    schema: SchemaRef,
    readers: Vec<Reader>,
    reject_unknown: bool,
    layout: Layout,
    columns: Vec<Column>,
    rows: usize,
    /// The row being read: where each column's value stands in the line, and what it is.
    places: Vec<Option<Place>>,
    cells: Vec<Cell>,
    /// Parts of its lists and structs.
    parts: Vec<Cell>,
}

impl RowDecoder {
    /// A decoder of rows with these columns.
    ///
    /// # Errors
    /// Code `type-not-in-json` for a column whose type rows can't have ([`column_type`]).
    pub fn new(schema: SchemaRef, options: JsonIn) -> Result<Self, ConnectorError> {
        let reader = |field: &FieldRef| {
            Reader::of(field.data_type(), options.timestamps)
                .ok_or_else(|| unfit(field, "type-not-in-json", "JSON", column_type::NAMES))
        };
        let readers = schema.fields().iter().map(reader).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            layout: Layout::new(schema.fields().iter().map(|field| field.name().as_str())),
            columns: schema.fields().iter().map(|field| Column::new(field.data_type())).collect(),
            places: vec![None; readers.len()],
            cells: Vec::with_capacity(readers.len()),
            parts: Vec::new(),
            reject_unknown: options.reject_unknown_fields,
            rows: 0,
            schema,
            readers,
        })
    }

    /// The rows' columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows there are to be taken.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Reads one row from a line, which has no line end but may end in space. A line of at most [`MOST_ROW_BYTES`](crate::rows::MOST_ROW_BYTES).
    ///
    /// # Errors
    /// What is wrong with the row. Nothing of it is kept.
    pub fn decode(&mut self, line: &[u8]) -> Result<(), Fault> {
        let line = std::str::from_utf8(line).map_err(|error| not_utf8(line, &error))?;
        self.places.fill(None);
        if scan(line, &mut self.layout, &mut self.places, self.reject_unknown).is_none() {
            self.places.fill(None);
            self.scan_closely(line)?;
        }
        self.read_cells(line)?;
        for ((column, cell), place) in self.columns.iter_mut().zip(&self.cells).zip(&self.places) {
            column.push(cell, place.map_or("", |place| place.of(line)), &self.parts);
        }
        self.rows += 1;
        Ok(())
    }

    #[cold]
    fn scan_closely(&mut self, line: &str) -> Result<(), Fault> {
        let mut scan =
            Scan { layout: &mut self.layout, places: &mut self.places, reject_unknown: self.reject_unknown, line, fault: None };
        let mut deserializer = serde_json::Deserializer::from_str(line);
        let scanned = scan.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        if let Err(error) = scanned {
            return Err(match scan.fault.take() {
                Some((field, fault)) => self.field_fault(line, &field, fault),
                None => not_json(line, &error),
            });
        }
        Ok(())
    }

    fn read_cells(&mut self, line: &str) -> Result<(), Fault> {
        self.cells.clear();
        self.parts.clear();
        for index in 0..self.readers.len() {
            let read = match (self.places[index].map(|place| (place.of(line), place.plain)), &mut self.readers[index]) {
                (None | Some(("null", _)), _) if self.schema.field(index).is_nullable() => Ok(Cell::Null),
                (None | Some(("null", _)), _) => Err(Wrong::Type),
                (Some((json, plain)), Reader::Scalar(kind)) => value::parse_json(*kind, json, plain),
                (Some((json, _)), nested) => {
                    let first = self.parts.len();
                    let mut text = Text { json, reject_unknown: self.reject_unknown, parts: &mut self.parts };
                    match nested.read(&mut text, 0) {
                        Ok(_) => Ok(Cell::Nested(first)),
                        Err(fault) => return Err(self.part_fault(line, index, &fault)),
                    }
                }
            };
            match read {
                Ok(cell) => self.cells.push(cell),
                Err(wrong) => return Err(self.value_fault(line, index, wrong)),
            }
        }
        Ok(())
    }

    /// The rows read since the last time; the decoder is empty then.
    #[must_use]
    pub fn take_rows(&mut self) -> RecordBatch {
        self.parts.clear();
        self.parts.shrink_to(KEPT_PARTS);
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        #[expect(clippy::expect_used, reason = "columns were made for the schema, and nulls were refused where it has none")]
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).expect("columns of the schema")
    }

    #[cold]
    fn value_fault(&self, line: &str, index: usize, wrong: Wrong) -> Fault {
        let field = self.schema.field(index);
        let found = match self.places[index] {
            Some(place) => shown(place.of(line)),
            None => "nothing".to_owned(),
        };
        let expected = match self.places[index].map(|place| place.of(line)) {
            None | Some("null") => column_type::describe(field),
            Some(_) => column_type::name(field.data_type()),
        };
        Fault {
            reason: format!("{}: expected {expected}, found {found}{}", field.name(), why(wrong)),
            column: self.places[index].map(|place| u64::from(place.start) + 1),
            field: Some(field.name().clone()),
        }
    }

    /// What is wrong with a part of a list or struct. Items are counted from 0, as in JSON paths.
    #[cold]
    fn part_fault(&self, line: &str, index: usize, fault: &PartFault) -> Fault {
        let start = self.places[index].map_or(0, |place| place.start as usize);
        let found = shown(&line[start + fault.start..start + fault.end]);
        let mut path = self.schema.field(index).name().clone();
        let mut of = self.schema.field(index).data_type();
        for step in fault.path.iter().rev() {
            of = match (step, of) {
                (Step::Item(number), DataType::List(item)) => {
                    path.push_str(&format!("[{number}]"));
                    item.data_type()
                }
                (Step::Field(number), DataType::Struct(fields)) => {
                    path.push_str(&format!(".{}", fields[*number].name()));
                    fields[*number].data_type()
                }
                (_, other) => other,
            };
        }
        let reason = match (&fault.what, of) {
            (What::Wrong(wrong), of) => format!("{path}: expected {}, found {found}{}", column_type::name(of), why(*wrong)),
            (What::Twice, _) => format!("{path}: expected once, found again as {found}"),
            (What::Unknown(name), DataType::Struct(fields)) => {
                path.push_str(&format!(".{name}"));
                let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
                format!("{}: expected one of the fields {}, found another", shown(&path), names.join(", "))
            }
            (What::Unknown(name), _) => format!("{path}: expected no field `{name}`"),
        };
        Fault { reason, column: Some((start + fault.start) as u64 + 1), field: Some(path) }
    }

    #[cold]
    fn field_fault(&self, line: &str, field: &str, fault: FieldFault) -> Fault {
        let (reason, start) = match fault {
            FieldFault::Twice(place) => {
                (format!("{}: expected once, found again as {}", shown(field), shown(place.of(line))), place.start)
            }
            FieldFault::Unknown(place) => {
                let names: Vec<_> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
                (format!("{}: expected one of the fields {}, found another", shown(field), names.join(", ")), place.start)
            }
        };
        Fault { reason, column: Some(u64::from(start) + 1), field: Some(field.to_owned()) }
    }
}

impl Decoder for RowDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn row_end(&self) -> RowEnd {
        RowEnd::Line
    }

    fn restart(&mut self) {}

    fn wants_header(&self) -> bool {
        false
    }

    fn header(&mut self, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }

    fn is_blank(&self, row: &[u8]) -> bool {
        row.trim_ascii().is_empty()
    }

    fn decode(&mut self, row: &[u8]) -> Result<(), Fault> {
        self.decode(row)
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn take_rows(&mut self) -> RecordBatch {
        self.take_rows()
    }
}

fn why(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::Type => "",
        Wrong::Range => ", which is out of range",
        Wrong::Surrogate => ", which has half of a surrogate pair",
    }
}

/// A field that must not be there.
enum FieldFault {
    Twice(Place),
    Unknown(Place),
}

/// Finds the values of columns in one line.
struct Scan<'a> {
    layout: &'a mut Layout,
    places: &'a mut [Option<Place>],
    reject_unknown: bool,
    line: &'a str,
    fault: Option<(String, FieldFault)>,
}

impl Scan<'_> {
    fn place(&self, json: &str) -> Place {
        let start = json.as_ptr() as usize - self.line.as_ptr() as usize;
        #[expect(clippy::cast_possible_truncation, reason = "a line is at most 1 GiB long")]
        Place { start: start as u32, end: (start + json.len()) as u32, plain: false }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Scan<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Scan<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut place = 0;
        while let Some(found) = map.next_key_seed(Key { layout: self.layout, place, keep_unknown: self.reject_unknown })? {
            place += 1;
            match found {
                Found::Column(column) => {
                    let json: &RawValue = map.next_value()?;
                    let here = self.place(json.get());
                    if self.places[column].replace(here).is_some() {
                        self.fault = Some((self.layout.name(column).to_owned(), FieldFault::Twice(here)));
                        return Err(A::Error::custom("twice"));
                    }
                }
                Found::Ignored => {
                    map.next_value::<IgnoredAny>()?;
                }
                Found::Unknown(name) => {
                    let json: &RawValue = map.next_value()?;
                    self.fault = Some((name, FieldFault::Unknown(self.place(json.get()))));
                    return Err(A::Error::custom("unknown"));
                }
            }
        }
        Ok(())
    }
}

/// What a field's name stands for.
enum Found {
    Column(usize),
    Ignored,
    Unknown(String),
}

/// Reads a field's name.
struct Key<'a> {
    layout: &'a mut Layout,
    place: usize,
    keep_unknown: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Found;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<Found, E> {
        Ok(match self.layout.column(self.place, name) {
            Some(column) => Found::Column(column),
            None if self.keep_unknown => Found::Unknown(name.to_owned()),
            None => Found::Ignored,
        })
    }
}

#[cold]
fn not_json(line: &str, error: &serde_json::Error) -> Fault {
    // serde_json's columns count from 1, and 0 is before the first byte of a line.
    let column = error.column().clamp(1, line.len().max(1));
    let start = line.len() - line.trim_start().len();
    if !line[start..].starts_with('{') {
        let reason = format!("expected a JSON object, found {}", shown(line[start..].trim_end()));
        return Fault { reason, column: Some(start as u64 + 1), field: None };
    }
    if error.is_eof() {
        let reason = "expected a whole JSON object, found a line that is cut off".to_owned();
        return Fault { reason, column: Some(line.len() as u64 + 1), field: None };
    }
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let at = (0..column).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let reason = format!("expected a JSON object, found {} where it isn't JSON: {what}", shown(line[at..].trim_end()));
    Fault { reason, column: Some(at as u64 + 1), field: None }
}

#[cfg(test)]
mod tests;
