//! The files that are there, by what tells them apart whatever their names are.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::file::FilePath;

/// A file that nobody wrote to for so long is idle.
const IDLE: Duration = Duration::from_secs(60);

/// What tells a file from others, whatever its name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub device: u64,
    pub inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A file that is there.
pub(super) struct Found {
    pub file: FilePath,
    pub identity: Identity,
    pub length: u64,
    pub is_idle: bool,
}

impl Found {
    /// The file of this name, if there is one.
    pub(super) fn at(file: FilePath) -> io::Result<Option<Self>> {
        let metadata = match metadata(&file.path)? {
            Some(metadata) => metadata,
            None => return Ok(None),
        };
        // A clock that differs from the file system's makes files idle earlier or later, which only costs.
        let is_idle = metadata.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= IDLE);
        Ok(Some(Self { file, identity: Identity::of(&metadata), length: metadata.len(), is_idle }))
    }
}

fn metadata(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
