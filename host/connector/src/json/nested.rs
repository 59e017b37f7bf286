//! Reads arrays and objects as lists and structs, as strictly as rows.

use std::borrow::Cow;

use arrow_schema::DataType;
use wasmill_flow::column_type;

use super::TimestampUnit;
use super::layout::Layout;
use super::scan::{skip_plain, skip_space, skip_value};
use crate::value::{self, Cell, Kind, Wrong};

/// How the values of a column are read.
#[derive(Debug)]
pub(super) enum Reader {
    Scalar(Kind),
    List(Box<Reader>),
    Struct(Box<StructReader>),
}

/// How structs are read.
#[derive(Debug)]
pub(super) struct StructReader {
    layout: Layout,
    fields: Vec<Reader>,
    /// For each field, the number of the struct that had it last.
    last_seen: Vec<u64>,
    /// The number of the struct that is being read.
    current: u64,
}

/// JSON that is known to be one value, on the way through it.
pub(super) struct Text<'a> {
    pub json: &'a str,
    pub reject_unknown: bool,
    /// Where the parts of its lists and structs go.
    pub parts: &'a mut Vec<Cell>,
}

/// What is wrong with a part of a value.
#[derive(Debug)]
pub(super) struct PartFault {
    /// The way to the part, from within.
    pub path: Vec<Step>,
    pub what: What,
    /// Where its value stands in the text.
    pub start: usize,
    pub end: usize,
}

/// A step from a value to a part of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The item of this number, from 0.
    Item(usize),
    /// The field of this number.
    Field(usize),
}

#[derive(Debug)]
pub(super) enum What {
    /// It isn't of its type.
    Wrong(Wrong),
    /// A field that was there before.
    Twice,
    /// A field of this name, which the struct doesn't have.
    Unknown(String),
}

impl PartFault {
    #[cold]
    fn wrong(wrong: Wrong, start: usize, end: usize) -> Box<Self> {
        Box::new(Self { path: Vec::new(), what: What::Wrong(wrong), start, end })
    }

    #[cold]
    fn within(mut self: Box<Self>, step: Step) -> Box<Self> {
        self.path.push(step);
        self
    }
}

impl Reader {
    /// How a column of this type is read; `None` where rows can't have it.
    pub(super) fn of(data_type: &DataType, timestamps: TimestampUnit) -> Option<Self> {
        if !column_type::is_supported(data_type) {
            return None;
        }
        Some(match data_type {
            DataType::List(item) => Self::List(Box::new(Self::of(item.data_type(), timestamps)?)),
            DataType::Struct(fields) => Self::Struct(Box::new(StructReader {
                layout: Layout::new(fields.iter().map(|field| field.name().as_str())),
                fields: fields.iter().map(|field| Self::of(field.data_type(), timestamps)).collect::<Option<_>>()?,
                last_seen: vec![0; fields.len()],
                current: 0,
            })),
            scalar => Self::Scalar(Kind::of(scalar, timestamps)?),
        })
    }

    /// Reads the value that starts here; its end.
    pub(super) fn read(&mut self, text: &mut Text<'_>, start: usize) -> Result<usize, Box<PartFault>> {
        let bytes = text.json.as_bytes();
        match (self, bytes.get(start)) {
            (_, Some(b'n')) => {
                text.parts.push(Cell::Null);
                Ok(start + "null".len())
            }
            (Self::Scalar(kind), _) => read_scalar(*kind, text, start),
            (Self::List(item), Some(b'[')) => read_list(item, text, start),
            (Self::Struct(reader), Some(b'{')) => reader.read(text, start),
            _ => {
                let (end, _) = skip_value(text.json, start).unwrap_or((bytes.len(), false));
                Err(PartFault::wrong(Wrong::Type, start, end))
            }
        }
    }
}

#[inline]
fn read_scalar(kind: Kind, text: &mut Text<'_>, start: usize) -> Result<usize, Box<PartFault>> {
    let (end, plain) = skip_value(text.json, start).unwrap_or((text.json.len(), false));
    let cell = match value::parse_json(kind, &text.json[start..end], plain) {
        Ok(Cell::Verbatim(place)) => Cell::Verbatim(start + place.start..start + place.end),
        Ok(cell) => cell,
        Err(wrong) => return Err(PartFault::wrong(wrong, start, end)),
    };
    text.parts.push(cell);
    Ok(end)
}

fn read_list(item: &mut Reader, text: &mut Text<'_>, start: usize) -> Result<usize, Box<PartFault>> {
    let bytes = text.json.as_bytes();
    let place = text.parts.len();
    text.parts.push(Cell::List(0));
    let mut at = skip_space(bytes, start + 1);
    if bytes.get(at) == Some(&b']') {
        return Ok(at + 1);
    }
    for number in 0.. {
        at = item.read(text, at).map_err(|fault| fault.within(Step::Item(number)))?;
        at = skip_space(bytes, at);
        if bytes.get(at) != Some(&b',') {
            text.parts[place] = Cell::List(number + 1);
            break;
        }
        at = skip_space(bytes, at + 1);
    }
    Ok(at + 1)
}

impl StructReader {
    fn read(&mut self, text: &mut Text<'_>, start: usize) -> Result<usize, Box<PartFault>> {
        let bytes = text.json.as_bytes();
        let place = text.parts.len();
        text.parts.push(Cell::Struct(0));
        self.current += 1;
        let mut found = 0;
        let mut at = skip_space(bytes, start + 1);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        for number in 0.. {
            let (name, end) = name(text.json, at);
            let column = self.layout.column(number, &name);
            at = skip_space(bytes, skip_space(bytes, end) + 1);
            at = match column {
                Some(column) => {
                    if self.last_seen[column] == self.current {
                        return Err(unread(text.json, at, What::Twice).within(Step::Field(column)));
                    }
                    self.last_seen[column] = self.current;
                    found += 1;
                    text.parts.push(Cell::Field(column));
                    self.fields[column].read(text, at).map_err(|fault| fault.within(Step::Field(column)))?
                }
                None if text.reject_unknown => {
                    return Err(unread(text.json, at, What::Unknown(name.into_owned())));
                }
                None => skip_value(text.json, at).map_or(bytes.len(), |(end, _)| end),
            };
            at = skip_space(bytes, at);
            if bytes.get(at) != Some(&b',') {
                break;
            }
            at = skip_space(bytes, at + 1);
        }
        text.parts[place] = Cell::Struct(found);
        Ok(at + 1)
    }
}

/// The name of a field, and the end of its text.
#[inline]
fn name(json: &str, start: usize) -> (Cow<'_, str>, usize) {
    let end = skip_plain(json.as_bytes(), start + 1);
    if json.as_bytes().get(end) == Some(&b'"') {
        return (Cow::Borrowed(&json[start + 1..end]), end + 1);
    }
    let end = skip_value(json, start).map_or(json.len(), |(end, _)| end);
    let written = &json[start..end];
    // A name with half of a surrogate pair is that of no field.
    (serde_json::from_str(written).map_or(Cow::Borrowed(written), Cow::Owned), end)
}

/// A fault of the field whose value starts here.
#[cold]
fn unread(json: &str, start: usize, what: What) -> Box<PartFault> {
    let end = skip_value(json, start).map_or(json.len(), |(end, _)| end);
    Box::new(PartFault { path: Vec::new(), what, start, end })
}

#[cfg(test)]
mod tests;
