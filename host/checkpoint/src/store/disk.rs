//! Changes to the file system, each one step, in the order that makes them durable.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::CheckpointError;

/// What the names of files end in that are being written.
pub const PARTIAL: &str = ".partial";

/// One change that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make a directory.
    CreateDir(PathBuf),
    /// Make a file.
    Create(PathBuf),
    /// Write bytes to it.
    Write(PathBuf),
    /// Make its bytes durable.
    Sync(PathBuf),
    /// Give it its name, where nothing has it: the file that is being written, and the name.
    Link(PathBuf, PathBuf),
    /// Remove a file.
    Remove(PathBuf),
    /// Make the names in a directory durable.
    SyncDir(PathBuf),
}

/// Called before each step; an error stands for a fault of the disk.
type Before = Arc<dyn Fn(&Step) -> io::Result<()> + Send + Sync>;

/// The file system. Tests can watch every step, and have any of them fail.
#[derive(Clone, Default)]
pub struct Disk {
    before: Option<Before>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    /// A file system that is watched.
    #[cfg(test)]
    pub fn watched(before: Before) -> Self {
        Self { before: Some(before) }
    }

    fn before(&self, step: Step) -> io::Result<()> {
        self.before.as_ref().map_or(Ok(()), |before| before(&step))
    }

    /// Makes a directory and those above it, where they aren't there; durable.
    pub fn create_dir(&self, path: &Path) -> Result<(), CheckpointError> {
        let refused = || CheckpointError::io(path, "make the directory");
        let mut missing: Vec<&Path> =
            path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        while let Some(directory) = missing.pop() {
            self.before(Step::CreateDir(directory.to_owned())).map_err(refused())?;
            match fs::create_dir(directory) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused()(error)),
                _ => self.sync_dir(parent(directory))?,
            }
        }
        if path.is_dir() { Ok(()) } else { Err(refused()(io::ErrorKind::NotADirectory.into())) }
    }

    /// Starts a file that isn't there.
    pub fn create(&self, path: &Path) -> Result<File, CheckpointError> {
        self.before(Step::Create(path.to_owned()))
            .and_then(|()| File::create_new(path))
            .map_err(CheckpointError::io(path, "make"))
    }

    /// Writes bytes to a file, from a place on.
    pub fn write_at(&self, path: &Path, file: &File, bytes: &[u8], at: u64) -> Result<(), CheckpointError> {
        let written = self.before(Step::Write(path.to_owned())).and_then(|()| file.write_all_at(bytes, at));
        written.map_err(CheckpointError::io(path, "write"))
    }

    /// Makes a file's bytes durable, and gives it its name, for good; the name it had is gone.
    pub fn publish(&self, partial: &Path, file: &File, path: &Path) -> Result<(), CheckpointError> {
        self.before(Step::Sync(partial.to_owned()))
            .and_then(|()| file.sync_all())
            .map_err(CheckpointError::io(partial, "sync"))?;
        let linked = self.before(Step::Link(partial.to_owned(), path.to_owned())).and_then(|()| fs::hard_link(partial, path));
        linked.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CheckpointError::Exists { path: path.to_owned() },
            _ => CheckpointError::io(path, "link the finished file to its name")(error),
        })?;
        self.sync_dir(parent(path))?;
        self.remove(partial)
    }

    /// Writes a file that isn't there, whole or not at all; durable.
    pub fn write_once<'a>(&self, path: &Path, mut pieces: impl Iterator<Item = &'a [u8]>) -> Result<(), CheckpointError> {
        // A name of its own: of two that write a file at once, one finds the name taken, not the half-written file.
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let mut attempt = path.as_os_str().to_owned();
        attempt.push(format!(".{}", SERIAL.fetch_add(1, Relaxed)));
        let partial = partial(Path::new(&attempt));
        let file = self.create(&partial)?;
        let mut at = 0;
        let written = pieces.try_for_each(|piece| {
            at += piece.len() as u64;
            self.write_at(&partial, &file, piece, at - piece.len() as u64)
        });
        written.and_then(|()| self.publish(&partial, &file, path)).inspect_err(|_| self.forget(&partial))
    }

    /// Removes a file. Not durable before the directory is synced.
    pub fn remove(&self, path: &Path) -> Result<(), CheckpointError> {
        self.before(Step::Remove(path.to_owned()))
            .and_then(|()| fs::remove_file(path))
            .map_err(CheckpointError::io(path, "remove"))
    }

    /// Removes a half-written file after a fault. Where that fails too, it goes when the store is opened next.
    pub fn forget(&self, partial: &Path) {
        let _ = self.remove(partial);
    }

    /// Removes all half-written files of a directory.
    pub fn remove_partial(&self, directory: &Path) -> Result<(), CheckpointError> {
        for entry in fs::read_dir(directory).map_err(CheckpointError::io(directory, "list"))? {
            let path = entry.map_err(CheckpointError::io(directory, "list"))?.path();
            if path.as_os_str().as_encoded_bytes().ends_with(PARTIAL.as_bytes()) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Makes the names in a directory durable.
    pub fn sync_dir(&self, path: &Path) -> Result<(), CheckpointError> {
        let synced = self.before(Step::SyncDir(path.to_owned())).and_then(|()| File::open(path)?.sync_all());
        synced.map_err(CheckpointError::io(path, "sync"))
    }
}

/// The name of a file while it is written.
pub fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PARTIAL);
    name.into()
}

/// The directory that a path is in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
