//! One file that grows.

use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};

use super::found::Identity;
use super::position::{Mark, TailPosition};
use crate::file::{FilePath, fault, reader};
use crate::rows::{Place, RowReader};
use crate::{BatchLimit, ConnectorError, Read};

/// How much is read at once.
const CHUNK: u64 = 256 << 10;

/// A file that is open, and how far it was read.
pub(super) struct Tail {
    file: FilePath,
    pub identity: Identity,
    handle: File,
    rows: RowReader,
    /// Bytes that were read of it.
    read: u64,
    /// The last of these.
    last: Vec<u8>,
    mark: Mark,
    /// How far it is read before the next file has its turn.
    until: u64,
    /// It has another name than it had when it was opened.
    renamed: bool,
    /// It is no longer written: once it is read to its end, it is done.
    last_time: bool,
    ended: bool,
}

impl Tail {
    pub(super) fn open(file: FilePath, rows: RowReader) -> Result<Self, ConnectorError> {
        let handle = reader::open(&file)?;
        let metadata = handle.metadata().map_err(|error| fault::input(&file, "opened", &error))?;
        let identity = Identity::of(&metadata);
        Ok(Self {
            file,
            identity,
            handle,
            rows,
            read: 0,
            last: Vec::new(),
            mark: Mark::of(0, &[]),
            until: metadata.len(),
            renamed: false,
            last_time: false,
            ended: false,
        })
    }

    pub(super) fn file(&self) -> &FilePath {
        &self.file
    }

    /// It is found by this name now.
    pub(super) fn call(&mut self, file: FilePath) {
        self.renamed |= file.path != self.file.path;
        self.last_time = false;
        self.file = file;
    }

    pub(super) fn position(&self) -> TailPosition {
        let Place { byte, line } = self.rows.place();
        let Identity { device, inode } = self.identity;
        TailPosition { file: self.file.written.clone(), device, inode, byte, line, mark: self.mark.clone() }
    }

    /// Its turn comes: it is read as far as it goes now. One that is shorter than what was read of it, or has other bytes where reading
    /// stopped, was written anew, and is read from its start.
    pub(super) fn visit(&mut self) -> Result<(), ConnectorError> {
        let length = self.length()?;
        if length < self.read {
            let found = format!("the file has {length} bytes, fewer than the {} that were read", self.read);
            self.start_anew("file-cut", &found)?;
        } else if length > self.read && self.before(self.read)?.as_ref() != Some(&self.last) {
            let found = format!("the bytes before byte {} are no longer those that were read: it was overwritten", self.read);
            self.start_anew("file-overwritten", &found)?;
        }
        self.until = length;
        Ok(())
    }

    /// The next rows, if there are whole ones.
    pub(super) fn read(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        while !self.rows.read(limit)? {
            if !self.fill()? || self.rows.is_skipping() {
                break;
            }
        }
        Ok(self.rows.take())
    }

    /// Whether there is more to be read before the next file's turn.
    pub(super) fn has_more(&self) -> bool {
        self.read < self.until
    }

    /// Whether it was read to its last row.
    pub(super) fn is_done(&self) -> bool {
        self.ended
    }

    /// Whether some of its bytes weren't read, where it has so many.
    pub(super) fn is_unread(&self, length: u64) -> bool {
        self.read < length
    }

    /// Whether nothing is missed where it is closed until it grows: it was renamed, or must make room, and all of its rows were read.
    pub(super) fn may_rest(&self, length: u64, must_make_room: bool) -> bool {
        (self.renamed || must_make_room) && self.rows.place().byte == length
    }

    /// Gives back memory that isn't needed until more comes.
    pub(super) fn shrink(&mut self) {
        self.rows.shrink();
    }

    fn fill(&mut self) -> Result<bool, ConnectorError> {
        let bytes = CHUNK.min(self.until.saturating_sub(self.read));
        let room = self.rows.room();
        let before = room.len();
        let filled = (&self.handle).take(bytes).read_to_end(room);
        let filled = match filled {
            Ok(filled) => filled,
            Err(error) => return Err(self.failed(&error)),
        };
        if filled > 0 {
            let most = Mark::BYTES as usize;
            self.last.extend_from_slice(&room[room.len().saturating_sub(most).max(before)..]);
            self.last.drain(..self.last.len().saturating_sub(most));
            self.read += filled as u64;
            self.mark = Mark::of(self.read, &self.last);
            return Ok(true);
        }
        self.until = self.read;
        if self.last_time && !self.ended {
            self.ended = true;
            self.rows.end();
            return Ok(true);
        }
        Ok(false)
    }

    /// It has no name that is followed; it is no longer written where its name is another file's now, or it has none at all.
    pub(super) fn miss(&mut self, replaced: bool) -> Result<(), ConnectorError> {
        let metadata = self.handle.metadata().map_err(|error| self.failed(&error))?;
        self.last_time = replaced || metadata.nlink() == 0;
        Ok(())
    }

    /// What was found is that it isn't what was read: it is read from its start.
    fn start_anew(&mut self, code: &'static str, found: &str) -> Result<(), ConnectorError> {
        tracing::warn!(code, "{}: {found}; it is read from its start", self.file.written);
        self.handle.rewind().map_err(|error| self.failed(&error))?;
        self.rows.restart(Place::default());
        (self.read, self.last, self.mark) = (0, Vec::new(), Mark::of(0, &[]));
        Ok(())
    }

    /// Goes to where a file was read to. False where this isn't that file, or what was read of it isn't there any more; then it can't be
    /// read on.
    pub(super) fn go_to(&mut self, position: &TailPosition) -> Result<bool, ConnectorError> {
        let mark = &position.mark;
        if self.before(mark.read)?.is_none_or(|last| Mark::of(mark.read, &last) != *mark) {
            return Ok(false);
        }
        let place = position.place();
        let Some(last) = self.before(place.byte)? else { return Ok(false) };
        if place.byte > 0 && self.rows.wants_header() {
            while !self.rows.read_header()? && self.fill()? {}
        }
        self.handle.seek(SeekFrom::Start(place.byte)).map_err(|error| self.failed(&error))?;
        self.rows.restart(place);
        (self.read, self.last, self.mark) = (place.byte, last, mark.clone());
        Ok(true)
    }

    /// The last bytes before one; `None` where the file ends before it.
    fn before(&self, byte: u64) -> Result<Option<Vec<u8>>, ConnectorError> {
        let count = byte.min(Mark::BYTES);
        let mut bytes = vec![0; count as usize];
        match self.handle.read_exact_at(&mut bytes, byte - count) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn length(&self) -> Result<u64, ConnectorError> {
        self.handle.metadata().map(|metadata| metadata.len()).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> ConnectorError {
        fault::input(&self.file, "read", error)
    }
}
