//! From bytes as they come to rows and malformed rows: what files and standard input share.

mod ends;
mod frames;
mod search;

use arrow_schema::SchemaRef;

#[cfg(test)]
pub(crate) use self::ends::RowEnds;
pub(crate) use self::ends::{MARK, RowEnd, whole_rows};
pub(crate) use self::frames::{Frame, Frames, Place};
pub(crate) use self::search::find;
use crate::format::{Decoder, Fault, FormatIn};
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
    frames: Frames,
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
        let decoder = format.decoder(schema)?;
        Ok(Self {
            frames: Frames::new(format.max_row_bytes(), decoder.row_end()),
            decoder,
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

    /// Forgets what came; bytes that come next lie at `place`. A header that was read holds for all places of a file but its start.
    pub(crate) fn restart(&mut self, place: Place) {
        self.frames.restart(place);
        self.malformed.clear();
        drop(self.decoder.take_rows());
        if place.byte == 0 {
            self.decoder.restart();
        }
        (self.place, self.read_to) = (place, place);
    }

    /// Starts another file.
    pub(crate) fn restart_with(&mut self, file: String) {
        self.file = Some(file);
        self.restart(Place::default());
    }

    /// Whether rows can be read in the middle of a file only once its header was.
    pub(crate) fn wants_header(&self) -> bool {
        self.decoder.wants_header()
    }

    /// Where bytes that come next are appended.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.frames.room()
    }

    /// Keeps no more memory than bytes need that came and weren't taken.
    pub(crate) fn shrink(&mut self) {
        self.frames.shrink();
    }

    /// No more bytes come.
    pub(crate) fn end(&mut self) {
        self.frames.end();
    }

    /// Whether the bytes of a row that is too long are being thrown away.
    pub(crate) fn is_skipping(&self) -> bool {
        self.frames.is_skipping()
    }

    /// Reads the header, where there is one. `false` where more bytes are needed.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_header(&mut self) -> Result<bool, ConnectorError> {
        while self.decoder.wants_header() {
            if self.frames.ready().is_none() {
                return Ok(false);
            }
            self.read_row()?;
        }
        Ok(true)
    }

    /// Reads what has come, up to the limit. `false` where more bytes are needed to reach it.
    ///
    /// # Errors
    /// Code `header-invalid` for a header that doesn't fit the schema.
    pub(crate) fn read(&mut self, limit: BatchLimit) -> Result<bool, ConnectorError> {
        while self.waiting() < limit.rows.max(1) {
            let Some(bytes) = self.frames.ready() else { return Ok(false) };
            let bytes = self.frames.place().byte - self.place.byte + bytes;
            if self.waiting() > 0 && bytes > limit.bytes as u64 {
                return Ok(true);
            }
            self.read_row()?;
        }
        Ok(true)
    }

    fn waiting(&self) -> usize {
        self.decoder.rows() + self.malformed.len()
    }

    fn read_row(&mut self) -> Result<(), ConnectorError> {
        let start = self.frames.place();
        let is_header = self.decoder.wants_header();
        let may_be_mark = start.byte == 0 && self.frames.ready() == Some(MARK.len() as u64);
        let (fault, raw) = match self.frames.take() {
            None => return Ok(()),
            // A file that has nothing else has no row, not even an empty one.
            Some(Frame::Whole(row)) if may_be_mark && row == MARK => return Ok(()),
            Some(Frame::TooLong { mut kept, length }) => {
                keep_characters(&mut kept);
                let reason = format!("expected at most {} bytes (max-row-bytes), found a row of {length}", self.max_row_bytes);
                (Fault { reason, column: None, field: None }, kept)
            }
            Some(Frame::Whole(row)) => {
                let text = if start.byte == 0 { row.strip_prefix(&MARK).unwrap_or(row) } else { row };
                if self.decoder.is_blank(text) {
                    return Ok(());
                }
                let read = if is_header { self.decoder.header(text) } else { self.decoder.decode(text) };
                match read {
                    Ok(()) if is_header => return Ok(()),
                    Ok(()) => {
                        self.read_to = self.frames.place();
                        return Ok(());
                    }
                    Err(fault) => {
                        let mark = (row.len() - text.len()) as u64;
                        (Fault { column: fault.column.map(|column| column + mark), ..fault }, row.to_vec())
                    }
                }
            }
        };
        let malformed = malformed(start, fault, raw, self.file.clone());
        if is_header {
            return Err(header_invalid(&malformed));
        }
        self.malformed.push(malformed);
        self.read_to = self.frames.place();
        Ok(())
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

/// What is said of a row that starts at `start`; the line is the one in which reading failed.
fn malformed(start: Place, fault: Fault, raw: Vec<u8>, file: Option<String>) -> Malformed {
    let offset = fault.column.map_or(0, |column| column - 1);
    let before = usize::try_from(offset).ok().and_then(|offset| raw.get(..offset)).unwrap_or_default();
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |end| end as u64 + 1);
    Malformed {
        reason: fault.reason,
        file,
        line: start.line + memchr::memchr_iter(b'\n', before).count() as u64 + 1,
        column: fault.column.map(|column| column - line_start),
        byte: start.byte + offset,
        field: fault.field,
        raw,
    }
}

#[cold]
fn header_invalid(header: &Malformed) -> ConnectorError {
    let file = header.file.as_deref().unwrap_or("standard input");
    let column = header.column.map_or_else(String::new, |column| format!(":{column}"));
    let message = format!("{file}:{}{column}: the header doesn't fit the schema: {}", header.line, header.reason);
    ConnectorError::new("header-invalid", message)
        .with_hint("name the columns of `schema` as the header does, or say `header: false` where there is none")
}

/// Drops the part of a character at the end of bytes that were cut off, so that they stay the text that they were.
fn keep_characters(cut: &mut Vec<u8>) {
    if let Err(error) = std::str::from_utf8(cut)
        && error.error_len().is_none()
    {
        cut.truncate(error.valid_up_to());
    }
}
