//! Reads the rows of one file, from start to end.

use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom};

use super::{Compression, FilePath, fault};
use crate::rows::{Place, RowReader};
use crate::{BatchLimit, ConnectorError, Read};

/// How much is read at once.
const CHUNK: u64 = 256 << 10;

/// A file that is open, and the rows of it.
pub(super) struct FileReader {
    file: FilePath,
    handle: File,
    input: Input,
    rows: RowReader,
    ended: bool,
    /// Why nothing more can be read; told once all rows before it are handed over.
    broken: Option<io::Error>,
    /// The bytes of a compressed file that rows were counted for.
    counted: u64,
}

enum Input {
    /// The handle itself.
    Plain,
    /// What is decompressed of a second handle, which shares its place in the file with the first.
    Compressed(Compression, Box<dyn io::Read + Send>),
}

impl FileReader {
    /// Opens a file, at its start; its rows are read by `rows`, which starts anew.
    ///
    /// # Errors
    /// Codes `file-not-found`, `file-is-directory`, `file-not-regular` (a pipe or a device), `file-unreadable`.
    pub(super) fn open(file: FilePath, compression: Option<Compression>, mut rows: RowReader) -> Result<Self, ConnectorError> {
        let handle = open(&file)?;
        rows.restart_with(file.written.clone());
        let mut reader = Self { file, handle, input: Input::Plain, rows, ended: false, broken: None, counted: 0 };
        if let Some(compression) = compression {
            reader.decompress(compression)?;
        }
        Ok(reader)
    }

    /// The reader of rows, for another file.
    pub(super) fn into_rows(self) -> RowReader {
        self.rows
    }

    /// The room for bytes to come.
    #[cfg(test)]
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        self.rows.room()
    }

    pub(super) fn file(&self) -> &FilePath {
        &self.file
    }

    /// The bytes that were read of the file, once it was read to its end; of a compressed file, as it is.
    ///
    /// # Errors
    /// Code `file-unreadable`.
    pub(super) fn length(&self) -> Result<u64, ConnectorError> {
        (&self.handle).stream_position().map_err(|error| self.failed(&error))
    }

    /// Behind the last row that was handed over. In a compressed file, a place in what is decompressed of it.
    pub(super) fn place(&self) -> Place {
        self.rows.place()
    }

    /// Decompresses the file from its start. One without a byte has no member, which is fine.
    fn decompress(&mut self, compression: Compression) -> Result<(), ConnectorError> {
        let length = self.handle.metadata().and_then(|metadata| self.handle.rewind().map(|()| metadata.len()));
        let opened = length.and_then(|length| match length {
            0 => Ok(Input::Plain),
            _ => Ok(Input::Compressed(compression, compression.reader(self.handle.try_clone()?)?)),
        });
        self.input = opened.map_err(|error| self.failed(&error))?;
        Ok(())
    }

    /// The next rows; `None` at the end of the file.
    pub(super) async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        loop {
            while !self.rows.read(limit)? && !self.ended && self.broken.is_none() {
                self.fill()?;
                if self.rows.is_skipping() {
                    break;
                }
            }
            if let Some(read) = self.rows.take() {
                return self.counted(read).map(Some);
            }
            if let Some(error) = &self.broken {
                let error = self.archive_fault(error);
                // What was read before goes its way first.
                tokio::task::yield_now().await;
                return Err(error);
            }
            if !self.rows.is_skipping() {
                return Ok(None);
            }
            // A row of gigabytes must not hold the thread; no row is waiting here.
            tokio::task::yield_now().await;
        }
    }

    /// Rows of a compressed file stand for the bytes that were read of it since the last ones.
    fn counted(&mut self, read: Read) -> Result<Read, ConnectorError> {
        if let Input::Plain = self.input {
            return Ok(read);
        }
        let place = self.handle.stream_position().map_err(|error| self.failed(&error))?;
        let bytes = place - std::mem::replace(&mut self.counted, place);
        Ok(Read { bytes, ..read })
    }

    fn fill(&mut self) -> Result<(), ConnectorError> {
        let room = self.rows.room();
        let filled = match &mut self.input {
            Input::Plain => (&self.handle).take(CHUNK).read_to_end(room),
            Input::Compressed(_, input) => input.take(CHUNK).read_to_end(room),
        };
        match filled {
            Ok(0) => {
                self.ended = true;
                self.rows.end();
            }
            Ok(_) => {}
            Err(error) if matches!(self.input, Input::Plain) => return Err(self.failed(&error)),
            // What was decompressed before the fault is in the room.
            Err(error) => self.broken = Some(error),
        }
        Ok(())
    }

    /// Goes to a place. In a compressed file everything before it is decompressed again.
    ///
    /// # Errors
    /// Codes `file-too-short`, `file-changed` (no row starts there), `file-unreadable`, `header-invalid`.
    pub(super) fn seek(&mut self, place: Place) -> Result<(), ConnectorError> {
        if place.byte > 0 && self.rows.wants_header() {
            self.read_header()?;
        }
        (self.ended, self.broken, self.counted) = (false, None, 0);
        self.rows.restart(place);
        match &self.input {
            Input::Plain => {
                self.check(place)?;
                self.handle.seek(SeekFrom::Start(place.byte)).map_err(|error| self.failed(&error))?;
            }
            Input::Compressed(compression, _) => {
                self.decompress(*compression)?;
                self.skip(place.byte)?;
                self.counted = self.handle.stream_position().map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }

    fn read_header(&mut self) -> Result<(), ConnectorError> {
        match &self.input {
            Input::Plain => self.handle.rewind().map_err(|error| self.failed(&error))?,
            Input::Compressed(compression, _) => self.decompress(*compression)?,
        }
        self.rows.restart(Place::default());
        (self.ended, self.broken) = (false, None);
        while !self.rows.read_header()? && !self.ended && self.broken.is_none() {
            self.fill()?;
        }
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), ConnectorError> {
        let Input::Compressed(_, input) = &mut self.input else { return Ok(()) };
        match io::copy(&mut input.take(bytes), &mut io::sink()) {
            Ok(skipped) if skipped == bytes => Ok(()),
            Ok(skipped) => Err(self.too_short(bytes, skipped)),
            Err(error) => Err(self.archive_fault(&error)),
        }
    }

    /// Checks that a position lies where a line starts.
    fn check(&self, place: Place) -> Result<(), ConnectorError> {
        let failed = |error: io::Error| self.failed(&error);
        let length = self.handle.metadata().map_err(failed)?.len();
        if place.byte > length {
            return Err(self.too_short(place.byte, length));
        }
        let mut around = [b'\n'; 2];
        let start = place.byte.saturating_sub(1);
        (&self.handle).seek(SeekFrom::Start(start)).map_err(failed)?;
        let count = (length - start).min(2) as usize;
        (&self.handle).read_exact(&mut around[..count]).map_err(failed)?;
        // The last line that was read may have had no end, and may have been given one since.
        if place.byte > 0 && around[0] != b'\n' && place.byte != length && around[1] != b'\n' {
            let path = &self.file.written;
            let message = format!(
                "{path}: expected a line to start at byte {}, where reading stopped, found the middle of one",
                place.byte
            );
            return Err(ConnectorError::new("file-changed", message).with_hint(PUT_BACK));
        }
        Ok(())
    }

    fn too_short(&self, expected: u64, found: u64) -> ConnectorError {
        let path = &self.file.written;
        let message = format!("{path}: expected at least {expected} bytes, which were read before, found {found}");
        ConnectorError::new("file-too-short", message).with_hint(PUT_BACK)
    }

    fn failed(&self, error: &io::Error) -> ConnectorError {
        fault::input(&self.file, "read", error)
    }

    fn archive_fault(&self, error: &io::Error) -> ConnectorError {
        match self.input {
            Input::Compressed(compression, _) => fault::archive(&self.file, compression, self.place(), error),
            Input::Plain => self.failed(error),
        }
    }
}

const PUT_BACK: &str = "put back the file that the job was reading, or start with --fresh";

/// Opens a regular file to be read.
pub(crate) fn open(file: &FilePath) -> Result<File, ConnectorError> {
    let failed = |error: &io::Error| fault::input(file, "opened", error);
    let metadata = std::fs::metadata(&file.path).map_err(|error| failed(&error))?;
    if metadata.is_dir() {
        return Err(fault::is_directory(file));
    }
    if !metadata.is_file() {
        let message = format!("{}: expected a regular file, found a pipe or a device", file.written);
        return Err(ConnectorError::new("file-not-regular", message).with_hint("read a pipe with `connector: stdio`"));
    }
    File::open(&file.path).map_err(|error| failed(&error))
}
