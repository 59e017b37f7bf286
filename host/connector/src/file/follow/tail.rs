//! One file that grows.

use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::file::{FilePath, fault, reader};
use crate::rows::{Place, RowReader};
use crate::{BatchLimit, ConnectorError, Read};

/// How much is read at once.
const CHUNK: u64 = 256 << 10;

/// What tells a file from others, whatever its name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub device: u64,
    pub inode: u64,
}

impl Identity {
    /// That of the file of this name, if there is one.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self { device: metadata.dev(), inode: metadata.ino() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A file that is open, and how far it was read.
pub(super) struct Tail {
    pub file: FilePath,
    pub identity: Identity,
    handle: File,
    rows: RowReader,
    /// Bytes that were read of it.
    read: u64,
    /// How far it is read before the next file has its turn.
    until: u64,
    /// It is no longer written: once it is read to its end, it is done.
    last_time: bool,
    ended: bool,
}

impl Tail {
    pub(super) fn open(file: FilePath, rows: RowReader) -> Result<Self, ConnectorError> {
        let handle = reader::open(&file)?;
        let metadata = handle.metadata().map_err(|error| fault::input(&file, "opened", &error))?;
        let identity = Identity { device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { file, identity, handle, rows, read: 0, until: metadata.len(), last_time: false, ended: false })
    }

    pub(super) fn place(&self) -> Place {
        self.rows.place()
    }

    /// Its turn comes: it is read as far as it goes now.
    pub(super) fn visit(&mut self) -> Result<(), ConnectorError> {
        self.until = self.length()?;
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

    fn fill(&mut self) -> Result<bool, ConnectorError> {
        let bytes = CHUNK.min(self.until.saturating_sub(self.read));
        let filled = (&self.handle).take(bytes).read_to_end(self.rows.room());
        let filled = filled.map_err(|error| self.failed(&error))?;
        self.read += filled as u64;
        if filled == 0 {
            self.until = self.read;
        }
        if filled == 0 && self.last_time && !self.ended {
            self.ended = true;
            self.rows.end();
            return Ok(true);
        }
        Ok(filled > 0)
    }

    /// Looks at what became of the file. Whether there is something to be read.
    pub(super) fn look(&mut self, replaced: bool) -> Result<bool, ConnectorError> {
        let metadata = self.handle.metadata().map_err(|error| self.failed(&error))?;
        if metadata.len() < self.read {
            self.start_anew(metadata.len())?;
        }
        self.until = metadata.len();
        let last_time = replaced || metadata.nlink() == 0;
        let changed = last_time && !self.last_time;
        self.last_time = last_time;
        Ok(changed || metadata.len() > self.read)
    }

    /// The file is shorter than what was read of it: it is read from its start.
    fn start_anew(&mut self, length: u64) -> Result<(), ConnectorError> {
        tracing::warn!(
            code = "file-cut",
            "{}: the file has {length} bytes, fewer than the {} that were read; it is read from its start",
            self.file.written,
            self.read
        );
        self.handle.rewind().map_err(|error| self.failed(&error))?;
        self.rows.restart(Place::default());
        self.read = 0;
        Ok(())
    }

    /// Goes to a place; `name` is what the file was called.
    pub(super) fn go_to(&mut self, place: Place, name: String) -> Result<(), ConnectorError> {
        if self.length()? < place.byte {
            self.read = place.byte;
            return self.start_anew(self.length()?);
        }
        if place.byte > 0 && self.rows.wants_header() {
            while !self.rows.read_header()? && self.fill()? {}
        }
        self.handle.seek(SeekFrom::Start(place.byte)).map_err(|error| self.failed(&error))?;
        self.rows.restart(place);
        self.read = place.byte;
        self.file.written = name;
        Ok(())
    }

    fn length(&self) -> Result<u64, ConnectorError> {
        self.handle.metadata().map(|metadata| metadata.len()).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> ConnectorError {
        fault::input(&self.file, "read", error)
    }
}
