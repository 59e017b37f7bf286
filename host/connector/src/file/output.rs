//! Rows on their way into a file: encoded, gathered, and compressed where the file is.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use arrow_array::RecordBatch;

use super::{Compression, FilePath, fault};
use crate::ConnectorError;
use crate::format::Encoder;
use crate::rows::whole_rows;

/// So many bytes are gathered before they are written, if nobody asks before. More where they become a member of an archive, which
/// would be larger in small pieces.
const BUFFER: usize = 256 << 10;
const MEMBER: usize = 1 << 20;

/// A header is looked for in so many bytes, and so much of it is told.
const LONGEST_HEADER: usize = 64 << 10;
const SHOWN: usize = 200;

/// The rows that are gathered.
#[derive(Debug)]
pub(super) struct Output {
    encoder: Box<dyn Encoder>,
    compression: Option<Compression>,
    buffer: Vec<u8>,
    /// How much of the buffer stands before its first row: a header, or the end of a line that had none.
    lead: usize,
    rows: u64,
}

impl Output {
    pub(super) fn new(encoder: Box<dyn Encoder>, compression: Option<Compression>) -> Self {
        Self { encoder, compression, buffer: Vec::new(), lead: 0, rows: 0 }
    }

    /// The rows go to a file that has these bytes: what belongs before them is put there. In a compressed file, all of it is read
    /// for that.
    ///
    /// # Errors
    /// Code `header-invalid` where the file has a header of other columns; codes of files that can't be read.
    pub(super) fn begin(&mut self, file: &FilePath, length: u64) -> Result<(), ConnectorError> {
        let failed = |error: io::Error| fault::output(file, "opened", &error);
        if length > 0 && !self.encoder.preamble().is_empty() {
            self.check_header(file)?;
        }
        let lead: &[u8] = if length == 0 {
            self.encoder.preamble()
        } else if self.ends_a_line(&file.path).map_err(failed)? {
            b""
        } else {
            b"\n"
        };
        self.lead = lead.len();
        self.buffer.splice(0..0, lead.iter().copied());
        Ok(())
    }

    fn check_header(&self, file: &FilePath) -> Result<(), ConnectorError> {
        let expected = self.encoder.preamble();
        let most = expected.len().max(LONGEST_HEADER) as u64;
        let read = || {
            let (opened, mut start) = (File::open(&file.path)?, Vec::new());
            match self.compression {
                None => opened.take(most).read_to_end(&mut start)?,
                Some(compression) => compression.reader(opened)?.take(most).read_to_end(&mut start)?,
            };
            Ok(start)
        };
        let start = read().map_err(|error: io::Error| fault::output(file, "opened", &error))?;
        let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if start.starts_with(expected) || self.encoder.can_follow(line) {
            return Ok(());
        }
        let shown = |line: &[u8]| String::from_utf8_lossy(line).chars().take(SHOWN).collect::<String>();
        let (path, expected, found) = (&file.written, shown(expected.trim_ascii_end()), shown(line));
        let message =
            format!("{path}: expected the header `{expected}`, found `{found}`: rows of other columns can't follow in the file");
        Err(ConnectorError::new("header-invalid", message)
            .with_hint("give the sink another path, or `select` the columns that the file has, or start with --fresh and `existing: replace`"))
    }

    /// Whether what a file that isn't empty holds ends in a line end.
    fn ends_a_line(&self, path: &Path) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let Some(compression) = self.compression else {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            return Ok(last == [b'\n']);
        };
        let mut plain = compression.reader(file)?;
        let (mut chunk, mut last) = (vec![0; 64 << 10], b'\n');
        loop {
            match plain.read(&mut chunk) {
                Ok(0) => return Ok(last == b'\n'),
                Ok(count) => last = chunk[count - 1],
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(io::Error::other(format!("the {} archive that is there is cut off", compression.name())));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds rows. Whether there is enough to be written.
    pub(super) fn push(&mut self, rows: &RecordBatch) -> bool {
        self.encoder.encode(rows, &mut self.buffer);
        self.rows += rows.num_rows() as u64;
        self.buffer.len() >= if self.compression.is_some() { MEMBER } else { BUFFER }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Rows that are gathered.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes that are gathered, before they are compressed.
    pub(super) fn len(&self) -> u64 {
        self.buffer.len() as u64
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.compression.is_some()
    }

    /// What is gathered, as it goes to the file.
    pub(super) fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        match self.compression {
            None => Ok(Cow::Borrowed(&self.buffer)),
            Some(compression) => compression.member(&self.buffer).map(Cow::Owned),
        }
    }

    /// How many of these first bytes of [`Self::bytes`] can stay in the file where the others couldn't be written, and how many rows
    /// they are. Nothing of an archive: its rows can't be told apart.
    pub(super) fn whole(&self, written: usize) -> (usize, u64) {
        if self.is_compressed() || written < self.lead {
            return (0, 0);
        }
        let (rows, bytes) = whole_rows(self.encoder.row_end(), &self.buffer[self.lead..written]);
        (self.lead + bytes, rows)
    }

    /// Forgets the first bytes, which have so many rows: they are in the file.
    pub(super) fn written(&mut self, bytes: usize, rows: u64) {
        self.buffer.drain(..bytes);
        self.lead = self.lead.saturating_sub(bytes);
        self.rows -= rows;
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        (self.lead, self.rows) = (0, 0);
    }
}
