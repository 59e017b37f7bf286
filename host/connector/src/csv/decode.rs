//! Reads rows from CSV, strictly: a row is wholly right, or it is malformed and leaves no trace.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use wasmill_flow::column_type;

use super::CsvIn;
use super::fields::{Broken, CsvField, CsvFields};
use crate::ConnectorError;
use crate::format::{Decoder, Fault, not_utf8, shown};
use crate::rows::RowEnd;
use crate::value::columns::Column;
use crate::value::{self, Cell, Kind, Wrong};

/// Reads rows of CSV into columns, in one pass over a row. Values reach the columns when the whole row was right.
///
/// An empty field is null, `""` is the empty text. What is strict: fields more or fewer than the header has, quotes that don't enclose
/// the whole field or don't end, text that isn't a number as JSON writes it, fractions for integers, numbers out of range, decimals that
/// would lose a digit, null for `not null`, bytes that aren't UTF-8. Every column has a field in the header, by its name; other fields
/// are checked for their quotes only. Numbers may stand in quotes. An empty line is no row, but for a file of one field, where it is null.
#[derive(Debug)]
pub struct RowDecoder {
    schema: SchemaRef,
    options: CsvIn,
    kinds: Vec<Kind>,
    columns: Vec<Column>,
    rows: usize,
    /// The column of each field, where it is one; `None` until the header was read.
    fields: Option<Vec<Option<usize>>>,
    /// The row being read: each column's value, and its text.
    cells: Vec<Cell>,
    texts: Vec<Text>,
    /// Texts of this row that had doubled quotes.
    unescaped: String,
}

/// Where a column's text stands: in the row, or in what was unescaped of it.
#[derive(Debug, Clone, Copy, Default)]
struct Text {
    start: usize,
    end: usize,
    unescaped: bool,
}

impl RowDecoder {
    /// A decoder of rows with these columns.
    ///
    /// # Errors
    /// Code `type-not-in-csv` for a column whose type rows can't have ([`column_type`]).
    pub fn new(schema: SchemaRef, options: CsvIn) -> Result<Self, ConnectorError> {
        let kinds = super::kinds(&schema, options.timestamps)?;
        Ok(Self {
            columns: schema.fields().iter().map(|field| Column::new(field.data_type())).collect(),
            cells: vec![Cell::Null; kinds.len()],
            texts: vec![Text::default(); kinds.len()],
            fields: Self::without_header(&schema, options),
            unescaped: String::new(),
            rows: 0,
            schema,
            options,
            kinds,
        })
    }

    fn without_header(schema: &SchemaRef, options: CsvIn) -> Option<Vec<Option<usize>>> {
        (!options.header).then(|| (0..schema.fields().len()).map(Some).collect())
    }

    /// How many rows there are to be taken.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows read since the last time; the decoder is empty then.
    #[must_use]
    pub fn take_rows(&mut self) -> RecordBatch {
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        #[expect(clippy::expect_used, reason = "columns were made for the schema, and nulls were refused where it has none")]
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).expect("columns of the schema")
    }

    /// Reads the names of the fields, from the first row of a file.
    ///
    /// # Errors
    /// Where it isn't a row, a column is missing or there twice, or a field is unknown and that is to be rejected.
    pub fn header(&mut self, row: &[u8]) -> Result<(), Fault> {
        let text = std::str::from_utf8(row).map_err(|error| not_utf8(row, &error))?;
        let mut fields = CsvFields::new(row, self.options.delimiter);
        let (mut found, mut names) = (Vec::new(), Vec::new());
        while let Some(field) = fields.next() {
            let field = field.map_err(|broken| broken_fault(None, text, broken))?;
            let name = field.text(text).into_owned();
            let place = self.schema.index_of(&name).ok();
            let wrong = |reason: String| Fault { reason, column: Some(field.start() as u64 + 1), field: Some(name.clone()) };
            if place.is_some() && found.contains(&place) {
                return Err(wrong(format!("expected the field `{}` once, found it twice", shown(&name))));
            }
            if place.is_none() && self.options.reject_unknown_fields {
                return Err(wrong(format!("expected one of the fields {}, found `{}`", self.names(), shown(&name))));
            }
            found.push(place);
            names.push(name);
        }
        for (index, field) in self.schema.fields().iter().enumerate() {
            if !found.contains(&Some(index)) {
                let reason = format!("expected a field `{}`, found the fields {}", field.name(), shown(&names.join(", ")));
                return Err(Fault { reason, column: None, field: Some(field.name().clone()) });
            }
        }
        self.fields = Some(found);
        Ok(())
    }

    fn names(&self) -> String {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Reads one row, which has no line end. The header must have been read.
    ///
    /// # Errors
    /// What is wrong with the row. Nothing of it is kept.
    pub fn decode(&mut self, row: &[u8]) -> Result<(), Fault> {
        let text = std::str::from_utf8(row).map_err(|error| not_utf8(row, &error))?;
        let fields = self.fields.take().unwrap_or_default();
        let read = self.read_fields(text, &fields);
        self.fields = Some(fields);
        read?;
        for ((column, cell), place) in self.columns.iter_mut().zip(&self.cells).zip(&self.texts) {
            let text = if place.unescaped { self.unescaped.as_str() } else { text };
            column.push(cell, &text[place.start..place.end], &[]);
        }
        self.rows += 1;
        Ok(())
    }

    fn read_fields(&mut self, row: &str, columns: &[Option<usize>]) -> Result<(), Fault> {
        self.unescaped.clear();
        let mut fields = CsvFields::new(row.as_bytes(), self.options.delimiter);
        for column in columns {
            let field = match fields.next() {
                Some(Ok(field)) => field,
                Some(Err(broken)) => return Err(broken_fault(self.name(*column), row, broken)),
                None => return Err(self.count_fault(row, columns.len())),
            };
            if let Some(column) = *column {
                self.read_value(row, column, &field)?;
            }
        }
        match fields.next() {
            None => Ok(()),
            Some(_) => Err(self.count_fault(row, columns.len())),
        }
    }

    #[inline]
    fn read_value(&mut self, row: &str, column: usize, field: &CsvField) -> Result<(), Fault> {
        let mut place = Text { start: field.place.start, end: field.place.end, unescaped: false };
        if field.escaped {
            place.start = self.unescaped.len();
            self.unescaped.push_str(&field.text(row));
            place = Text { end: self.unescaped.len(), unescaped: true, ..place };
        }
        let text = if place.unescaped { &self.unescaped } else { row };
        let read = match &text[place.start..place.end] {
            "" if !field.quoted && self.schema.field(column).is_nullable() => Ok(Cell::Null),
            "" if !field.quoted => Err(Wrong::Type),
            text => value::parse_text(self.kinds[column], text),
        };
        match read {
            Ok(cell) => self.cells[column] = cell,
            Err(wrong) => return Err(self.value_fault(row, column, field, wrong)),
        }
        self.texts[column] = place;
        Ok(())
    }

    fn name(&self, column: Option<usize>) -> Option<&str> {
        column.map(|column| self.schema.field(column).name().as_str())
    }

    #[cold]
    fn value_fault(&self, row: &str, column: usize, field: &CsvField, wrong: Wrong) -> Fault {
        let definition = self.schema.field(column);
        let (expected, found) = if field.place.is_empty() && !field.quoted {
            (column_type::describe(definition), "nothing".to_owned())
        } else {
            (column_type::name(definition.data_type()), format!("\"{}\"", shown(&field.text(row))))
        };
        let why = if wrong == Wrong::Range { ", which is out of range" } else { "" };
        Fault {
            reason: format!("{}: expected {expected}, found {found}{why}", definition.name()),
            column: Some(field.start() as u64 + 1),
            field: Some(definition.name().clone()),
        }
    }

    #[cold]
    fn count_fault(&self, row: &str, expected: usize) -> Fault {
        let found = CsvFields::count(row.as_bytes(), self.options.delimiter);
        let of = if self.options.header { "the header" } else { "the schema" };
        let fields = if expected == 1 { "1 field".to_owned() } else { format!("{expected} fields") };
        Fault { reason: format!("expected {fields}, as {of} has, found {found}"), column: None, field: None }
    }
}

#[cold]
fn broken_fault(name: Option<&str>, row: &str, broken: Broken) -> Fault {
    let at = broken.place();
    let what = match broken {
        Broken::Quote(_) => "expected quotes around the whole field, found one within it".to_owned(),
        Broken::Behind(_) => format!("expected a delimiter behind the closing quote, found {}", shown(&row[at..])),
        Broken::Open(_) => "expected a closing quote, found none to the end of the file".to_owned(),
        Broken::Return(_) => "expected a line end or quotes around the field, found a carriage return".to_owned(),
    };
    let reason = name.map_or_else(|| what.clone(), |name| format!("{name}: {what}"));
    Fault { reason, column: Some(at as u64 + 1), field: name.map(str::to_owned) }
}

impl Decoder for RowDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn row_end(&self) -> RowEnd {
        RowEnd::OutsideQuotes(self.options.delimiter)
    }

    fn restart(&mut self) {
        self.fields = Self::without_header(&self.schema, self.options);
    }

    fn wants_header(&self) -> bool {
        self.fields.is_none()
    }

    fn header(&mut self, row: &[u8]) -> Result<(), Fault> {
        self.header(row)
    }

    fn is_blank(&self, row: &[u8]) -> bool {
        row.is_empty() && self.fields.as_ref().is_none_or(|fields| fields.len() != 1)
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

#[cfg(test)]
mod tests;
