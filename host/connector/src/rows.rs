//! From bytes as they come to rows and malformed rows: what files and standard input share.

mod lines;

use arrow_schema::SchemaRef;

pub(crate) use self::lines::Place;
use self::lines::{Line, Lines};
use crate::format::{Decoder, FormatIn};
use crate::json::Fault;
use crate::{BatchLimit, ConnectorError, Malformed, Read};

/// The default of `max-row-bytes`: 16 MiB.
pub const MAX_ROW_BYTES: usize = 16 << 20;
/// The largest `max-row-bytes` there is: 1 GiB. A larger one is taken for this.
pub const MOST_ROW_BYTES: usize = 1 << 30;
/// How much is kept of a row that is too long: 64 KiB.
pub const KEPT_BYTES: usize = 64 << 10;

/// Reads rows from the bytes that are handed to it. A byte order mark at the start is passed over.
#[derive(Debug)]
pub(crate) struct RowReader {
    lines: Lines,
    decoder: Box<dyn Decoder>,
    max_row_bytes: usize,
    file: Option<String>,
    malformed: Vec<Malformed>,
    /// Behind the last row that was handed over.
    place: Place,
    /// Behind the last row that was read.
    read_to: Place,
}

impl RowReader {
    /// Reads rows of this schema; malformed ones are said to be of `file`.
    pub(crate) fn new(schema: SchemaRef, format: &FormatIn, file: Option<String>) -> Result<Self, ConnectorError> {
        Ok(Self {
            lines: Lines::new(format.max_row_bytes()),
            decoder: format.decoder(schema)?,
            max_row_bytes: format.max_row_bytes().min(MOST_ROW_BYTES),
            file,
            malformed: Vec::new(),
            place: Place::default(),
            read_to: Place::default(),
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        self.decoder.schema()
    }

    /// Behind the last row that [`Self::take`] handed over.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Forgets what came; bytes that come next lie at `place`.
    pub(crate) fn restart(&mut self, place: Place) {
        self.lines.restart(place);
        self.malformed.clear();
        drop(self.decoder.take_rows());
        (self.place, self.read_to) = (place, place);
    }

    /// Where bytes that come next are appended.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.lines.room()
    }

    /// No more bytes come.
    pub(crate) fn end(&mut self) {
        self.lines.end();
    }

    /// Whether the bytes of a row that is too long are being thrown away.
    pub(crate) fn is_skipping(&self) -> bool {
        self.lines.is_skipping()
    }

    /// Reads what has come, up to the limit. `false` where more bytes are needed to reach it.
    pub(crate) fn read(&mut self, limit: BatchLimit) -> bool {
        while self.waiting() < limit.rows.max(1) {
            let Some(bytes) = self.lines.ready() else { return false };
            let bytes = self.lines.place().byte - self.place.byte + bytes;
            if self.waiting() > 0 && bytes > limit.bytes as u64 {
                return true;
            }
            self.read_line();
        }
        true
    }

    fn waiting(&self) -> usize {
        self.decoder.rows() + self.malformed.len()
    }

    fn read_line(&mut self) {
        let start = self.lines.place();
        let (fault, raw) = match self.lines.take() {
            None => return,
            Some(Line::TooLong { mut kept, length }) => {
                keep_characters(&mut kept);
                let reason = format!("expected at most {} bytes (max-row-bytes), found a row of {length}", self.max_row_bytes);
                (Fault { reason, column: None, field: None }, kept)
            }
            Some(Line::Whole(line)) => {
                let text = if start.byte == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
                if self.decoder.is_blank(text) {
                    return;
                }
                match self.decoder.decode(text) {
                    Ok(()) => {
                        self.read_to = self.lines.place();
                        return;
                    }
                    Err(fault) => {
                        let mark = (line.len() - text.len()) as u64;
                        (Fault { column: fault.column.map(|column| column + mark), ..fault }, line.to_vec())
                    }
                }
            }
        };
        self.malformed.push(Malformed {
            reason: fault.reason,
            file: self.file.clone(),
            line: start.line + 1,
            column: fault.column,
            byte: start.byte + fault.column.map_or(0, |column| column - 1),
            field: fault.field,
            raw,
        });
        self.read_to = self.lines.place();
    }

    /// Hands over what was read, if anything was.
    pub(crate) fn take(&mut self) -> Option<Read> {
        if self.waiting() == 0 {
            return None;
        }
        let bytes = self.read_to.byte - self.place.byte;
        self.place = self.read_to;
        Some(Read { rows: self.decoder.take_rows(), malformed: std::mem::take(&mut self.malformed), bytes })
    }
}

/// Drops the part of a character at the end of bytes that were cut off, so that they stay the text that they were.
fn keep_characters(cut: &mut Vec<u8>) {
    if let Err(error) = std::str::from_utf8(cut)
        && error.error_len().is_none()
    {
        cut.truncate(error.valid_up_to());
    }
}
