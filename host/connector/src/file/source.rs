//! The source of a local file of rows.

use std::fs::File;
use std::io::{Read as _, Seek, SeekFrom};

use arrow_schema::SchemaRef;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{FilePath, fault};
use crate::rows::{Place, RowReader};
use crate::{BatchLimit, ConnectorError, Extent, FormatIn, Position, Read, Source};

/// How much is read from the file at once.
const CHUNK: u64 = 256 << 10;

/// Reads a file from start to end. One file, one reader.
///
/// The file may grow while it is read, up to the moment at which its end was seen. A last line without its end is a row. The position
/// is the byte and the line behind the last row; a file must not change before it.
#[derive(Debug)]
pub struct FileSource {
    file: FilePath,
    handle: File,
    length: u64,
    reader: RowReader,
    ended: bool,
}

impl FileSource {
    /// Opens a file, at its start.
    ///
    /// # Errors
    /// Codes `file-not-found`, `file-is-directory`, `file-not-regular` (a pipe or a device), `file-unreadable`, `type-not-in-json`.
    pub fn open(file: FilePath, schema: SchemaRef, format: FormatIn) -> Result<Self, ConnectorError> {
        let failed = |error: &std::io::Error| fault::input(&file, "opened", error);
        let metadata = std::fs::metadata(&file.path).map_err(|error| failed(&error))?;
        if metadata.is_dir() {
            return Err(fault::is_directory(&file));
        }
        if !metadata.is_file() {
            let message = format!("{}: expected a regular file, found a pipe or a device", file.written);
            return Err(ConnectorError::new("file-not-regular", message).with_hint("read a pipe with `connector: stdio`"));
        }
        let handle = File::open(&file.path).map_err(|error| failed(&error))?;
        let reader = RowReader::new(schema, &format, Some(file.written.clone()))?;
        Ok(Self { handle, length: metadata.len(), reader, ended: false, file })
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        loop {
            while !self.reader.read(limit) && !self.ended {
                self.fill()?;
                if self.reader.is_skipping() {
                    break;
                }
            }
            if let Some(read) = self.reader.take() {
                return Ok(Some(read));
            }
            if !self.reader.is_skipping() {
                return Ok(None);
            }
            // A row of gigabytes must not hold the thread; no row is waiting here.
            tokio::task::yield_now().await;
        }
    }

    fn fill(&mut self) -> Result<(), ConnectorError> {
        let chunk = (&self.handle).take(CHUNK).read_to_end(self.reader.room());
        let bytes = chunk.map_err(|error| fault::input(&self.file, "read", &error))?;
        if bytes == 0 {
            self.ended = true;
            self.reader.end();
        }
        Ok(())
    }

    /// Checks that a position lies where a line starts.
    fn check(&mut self, place: Place) -> Result<(), ConnectorError> {
        let failed = |error: &std::io::Error| fault::input(&self.file, "read", error);
        let length = self.handle.metadata().map_err(|error| failed(&error))?.len();
        let path = &self.file.written;
        if place.byte > length {
            let message = format!("{path}: expected at least {} bytes, which were read before, found {length}", place.byte);
            let hint = "put back the file that the job was reading, or start with --fresh";
            return Err(ConnectorError::new("file-too-short", message).with_hint(hint));
        }
        let mut around = [b'\n'; 2];
        let start = place.byte.saturating_sub(1);
        self.handle.seek(SeekFrom::Start(start)).map_err(|error| failed(&error))?;
        let count = (length - start).min(2) as usize;
        self.handle.read_exact(&mut around[..count]).map_err(|error| failed(&error))?;
        // The last line that was read may have had no end, and may have been given one since.
        if place.byte > 0 && around[0] != b'\n' && place.byte != length && around[1] != b'\n' {
            let message = format!(
                "{path}: expected a line to start at byte {}, where reading stopped, found the middle of one",
                place.byte
            );
            let hint = "put back the file that the job was reading, or start with --fresh";
            return Err(ConnectorError::new("file-changed", message).with_hint(hint));
        }
        Ok(())
    }
}

impl Source for FileSource {
    fn schema(&self) -> SchemaRef {
        self.reader.schema().clone()
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        self.next(limit).boxed()
    }

    fn position(&self) -> Position {
        Position::of(&self.reader.place())
    }

    /// Goes to a place in the file.
    ///
    /// # Errors
    /// Codes `position-invalid`, `file-too-short`, `file-changed` (no line starts there), `file-unreadable`.
    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        let place: Place = position.read("a file")?;
        self.check(place)?;
        self.handle.seek(SeekFrom::Start(place.byte)).map_err(|error| fault::input(&self.file, "read", &error))?;
        self.reader.restart(place);
        self.ended = false;
        Ok(())
    }

    fn replays(&self) -> bool {
        true
    }

    /// The bytes that the file had when it was opened.
    fn extent(&self) -> Extent {
        Extent::Bytes(self.length)
    }

    fn done(&self) -> u64 {
        self.reader.place().byte
    }
}

#[cfg(test)]
mod tests;
