//! What columns the rows of a file have: a schema to start from.

mod json;
mod seen;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use arrow_schema::{DataType, Field};
use wasmill_flow::column_type;

use self::json::Json;
use self::seen::Seen;
use crate::ConnectorError;
use crate::columnar::{self, ColumnarIn};
use crate::csv::fields::CsvFields;
use crate::file::{Compressed, FilePath, fault, open_regular};
use crate::format::{Fault, not_utf8};
use crate::rows::{Frame, Frames, MARK, MAX_ROW_BYTES, Place, RowEnd};

/// How much is read at once.
const CHUNK: u64 = 256 << 10;

/// Which format a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InferredFormat {
    /// JSON, one object a line.
    Json,
    /// CSV with a header and this delimiter.
    Csv(u8),
    /// A format that brings its columns.
    Columnar(ColumnarIn),
}

/// What was found in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Inferred {
    /// Its format.
    pub format: InferredFormat,
    /// The columns, in the order in which they were first seen.
    pub columns: Vec<InferredColumn>,
    /// Rows that were looked at; none in a file that brings its columns.
    pub rows: u64,
    /// Whether those are all.
    pub complete: bool,
    /// Rows that are none: not JSON objects, or with other fields than the header has.
    pub malformed: u64,
    /// The first of those, by its line and what is wrong.
    pub first_malformed: Option<(u64, String)>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferredColumn {
    /// Its name.
    pub name: String,
    /// Its type, as a job file has it: `float64`, `utf8 not null`, `list<utf8>`; what was found, where that is no type of a column.
    pub written: String,
    /// What doesn't fit this type, where values are of several: those rows would be malformed.
    pub misfits: Option<String>,
}

/// Looks at the first rows of a file, at most so many. Types are those that all values have: `boolean`, `int64`, `uint64`, `float64`,
/// `timestamp` (RFC 3339), `date`, `utf8`, lists and structs; `utf8` where there was no value. `not null` where every row had a value.
///
/// Without `format` it follows from the name (`.json`, `.ndjson`, `.jsonl`, `.csv`, `.tsv`, `.parquet`, `.arrow`, `.feather`), or else from
/// the first bytes.
///
/// # Errors
/// Codes `file-not-found`, `file-is-directory`, `file-not-regular`, `file-unreadable`, `archive-cut-off`, `archive-broken`,
/// `header-invalid`, `file-corrupt`.
pub fn infer(
    file: &FilePath,
    compressed: Compressed,
    format: Option<InferredFormat>,
    most_rows: u64,
) -> Result<Inferred, ConnectorError> {
    let format = format.or_else(|| by_name(&file.path));
    if let Some(InferredFormat::Columnar(columnar)) = format {
        return brought(file, columnar);
    }
    let mut input = Input::open(file, compressed)?;
    let mut start = Vec::new();
    input.fill(&mut start)?;
    let format = format.unwrap_or_else(|| by_content(&start));
    let end = match format {
        InferredFormat::Json => RowEnd::Line,
        InferredFormat::Csv(delimiter) => RowEnd::OutsideQuotes(delimiter),
        InferredFormat::Columnar(columnar) => return brought(file, columnar),
    };
    let mut frames = Frames::new(MAX_ROW_BYTES, end);
    frames.room().append(&mut start);
    let mut found = Columns { format, names: None, seen: Seen::default(), rows: 0, malformed: 0, first_malformed: None };
    let complete = loop {
        let place = frames.place();
        match frames.take() {
            Some(frame) => {
                if found.rows + found.malformed == most_rows && !is_blank(&frame) {
                    break false;
                }
                found.look(&frame, place, file)?;
            }
            None if input.ended => break true,
            None => {
                if input.fill(frames.room())? == 0 {
                    input.ended = true;
                    frames.end();
                }
            }
        }
    };
    Ok(found.finish(complete))
}

/// The columns that a file says it has.
fn brought(file: &FilePath, format: ColumnarIn) -> Result<Inferred, ConnectorError> {
    let column = |(field, as_rows): (Field, Option<DataType>)| {
        let unfit = "values of a type that rows can't have: leave the column out of `schema`";
        let written = match &as_rows {
            Some(data_type) => column_type::describe(&field.clone().with_data_type(data_type.clone())),
            None => field.data_type().to_string(),
        };
        InferredColumn { name: field.name().clone(), written, misfits: as_rows.is_none().then(|| unfit.to_owned()) }
    };
    let columns = columnar::found(file, format)?.into_iter().map(column).collect();
    let format = InferredFormat::Columnar(format);
    Ok(Inferred { format, columns, rows: 0, complete: true, malformed: 0, first_malformed: None })
}

fn by_name(path: &Path) -> Option<InferredFormat> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    match Path::new(name).extension()?.to_str()? {
        "json" | "ndjson" | "jsonl" => Some(InferredFormat::Json),
        "csv" => Some(InferredFormat::Csv(b',')),
        "tsv" => Some(InferredFormat::Csv(b'\t')),
        "parquet" => Some(InferredFormat::Columnar(ColumnarIn::Parquet)),
        "arrow" | "feather" => Some(InferredFormat::Columnar(ColumnarIn::Arrow)),
        _ => None,
    }
}

fn by_content(start: &[u8]) -> InferredFormat {
    for (magic, format) in [(&b"PAR1"[..], ColumnarIn::Parquet), (b"ARROW1", ColumnarIn::Arrow)] {
        if start.starts_with(magic) {
            return InferredFormat::Columnar(format);
        }
    }
    let start = start.strip_prefix(&MARK).unwrap_or(start);
    if start.trim_ascii_start().first() == Some(&b'{') { InferredFormat::Json } else { InferredFormat::Csv(b',') }
}

fn is_blank(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::Whole(row) if row.trim_ascii().is_empty())
}

/// The bytes of a file, decompressed.
struct Input<'a> {
    file: &'a FilePath,
    compression: Option<crate::file::Compression>,
    bytes: Box<dyn Read + Send>,
    read: u64,
    ended: bool,
}

impl<'a> Input<'a> {
    fn open(file: &'a FilePath, compressed: Compressed) -> Result<Self, ConnectorError> {
        let handle: File = open_regular(file)?;
        let length = handle.metadata().map_err(|error| fault::input(file, "opened", &error))?.len();
        let compression = compressed.of(&file.path).filter(|_| length > 0);
        let bytes: Box<dyn Read + Send> = match compression {
            None => Box::new(handle),
            Some(compression) => compression.reader(handle).map_err(|error| fault::input(file, "opened", &error))?,
        };
        Ok(Self { file, compression, bytes, read: 0, ended: false })
    }

    fn fill(&mut self, room: &mut Vec<u8>) -> Result<usize, ConnectorError> {
        let filled = (&mut self.bytes).take(CHUNK).read_to_end(room).map_err(|error: io::Error| match self.compression {
            Some(compression) => fault::archive(self.file, compression, Place { byte: self.read, line: 0 }, &error),
            None => fault::input(self.file, "read", &error),
        })?;
        self.read += filled as u64;
        Ok(filled)
    }
}

/// What was seen so far.
struct Columns {
    format: InferredFormat,
    /// The fields of a CSV file's header, once that was read.
    names: Option<Vec<String>>,
    /// All rows, as one struct.
    seen: Seen,
    rows: u64,
    malformed: u64,
    first_malformed: Option<(u64, String)>,
}

impl Columns {
    fn look(&mut self, frame: &Frame<'_>, place: Place, file: &FilePath) -> Result<(), ConnectorError> {
        let line = place.line + 1;
        let row = match frame {
            Frame::Whole(row) if place.byte == 0 => row.strip_prefix(&MARK).unwrap_or(row),
            Frame::Whole(row) => row,
            Frame::TooLong { length, .. } => {
                self.refuse(line, format!("a row of {length} bytes"));
                return Ok(());
            }
        };
        let looked = match std::str::from_utf8(row) {
            Ok(text) if text.trim_ascii().is_empty() && (self.format == InferredFormat::Json || text.is_empty()) => return Ok(()),
            Ok(text) => match self.format {
                InferredFormat::Json | InferredFormat::Columnar(_) => self.look_at_json(text, line),
                InferredFormat::Csv(delimiter) => match self.names.take() {
                    Some(names) => {
                        let looked = self.look_at_csv(text, &names, delimiter, line);
                        self.names = Some(names);
                        looked
                    }
                    None => {
                        self.names = Some(header(text, delimiter).map_err(|fault| bad_header(file, line, &fault))?);
                        return Ok(());
                    }
                },
            },
            Err(error) => Err(not_utf8(row, &error).reason),
        };
        match looked {
            Ok(()) => self.rows += 1,
            Err(reason) => self.refuse(line, reason),
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, reason: String) {
        self.malformed += 1;
        self.first_malformed.get_or_insert((line, reason));
    }

    fn look_at_json(&mut self, text: &str, line: u64) -> Result<(), String> {
        match serde_json::from_str::<Json>(text) {
            Ok(Json::Object(fields)) => {
                self.seen.look(&Json::Object(fields), line);
                Ok(())
            }
            Ok(_) => Err("expected a JSON object, found another value".to_owned()),
            Err(error) => Err(format!("expected a JSON object, found what isn't one at column {}", error.column())),
        }
    }

    fn look_at_csv(&mut self, text: &str, names: &[String], delimiter: u8, line: u64) -> Result<(), String> {
        let mut fields = CsvFields::new(text.as_bytes(), delimiter);
        let mut row = Vec::with_capacity(names.len());
        while let Some(field) = fields.next() {
            let field = field
                .map_err(|_| "expected quotes around whole fields, found one within a field or without its end".to_owned())?;
            let text = field.text(text);
            row.push(if text.is_empty() && !field.quoted { Json::Null } else { seen::of_csv(&text) });
        }
        if row.len() != names.len() {
            return Err(format!("expected {} fields, as the header has, found {}", names.len(), row.len()));
        }
        self.seen.look(&Json::Object(names.iter().cloned().zip(row).collect()), line);
        Ok(())
    }

    fn finish(self, complete: bool) -> Inferred {
        let Self { format, names, seen, rows, malformed, first_malformed } = self;
        let mut columns = seen.columns(rows, matches!(format, InferredFormat::Csv(_)));
        for name in names.unwrap_or_default() {
            if !columns.iter().any(|column| column.name == name) {
                columns.push(InferredColumn { name, written: "utf8".to_owned(), misfits: None });
            }
        }
        Inferred { format, columns, rows, complete, malformed, first_malformed }
    }
}

fn header(text: &str, delimiter: u8) -> Result<Vec<String>, Fault> {
    let mut fields = CsvFields::new(text.as_bytes(), delimiter);
    let mut names = Vec::new();
    while let Some(field) = fields.next() {
        let field = field.map_err(|broken| Fault {
            reason: "expected quotes around whole names".to_owned(),
            column: Some(broken.place() as u64 + 1),
            field: None,
        })?;
        let name = field.text(text).into_owned();
        if names.contains(&name) {
            let reason = format!("expected the field `{name}` once, found it twice");
            return Err(Fault { reason, column: Some(field.start() as u64 + 1), field: Some(name) });
        }
        names.push(name);
    }
    Ok(names)
}

fn bad_header(file: &FilePath, line: u64, fault: &Fault) -> ConnectorError {
    let column = fault.column.map_or_else(String::new, |column| format!(":{column}"));
    let message = format!("{}:{line}{column}: the header can't be read: {}", file.written, fault.reason);
    ConnectorError::new("header-invalid", message).with_hint("the first row of a CSV file names its columns")
}

#[cfg(test)]
mod tests;
