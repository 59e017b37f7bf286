//! A state file while it is written.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::disk::{Disk, partial};
use crate::error::CheckpointError;
use crate::part::StateObject;

/// A state file that is being written. Dropped before [`Self::finish`], nothing of it stays.
#[derive(Debug)]
pub struct ObjectWriter {
    disk: Disk,
    directory: PathBuf,
    name: String,
    /// The file, until it is finished.
    file: Option<File>,
    sha256: Sha256,
    bytes: u64,
}

impl ObjectWriter {
    pub(super) fn create(disk: Disk, directory: PathBuf, name: String) -> Result<Self, CheckpointError> {
        let file = disk.create(&partial(&directory.join(&name)))?;
        Ok(Self { disk, directory, name, file: Some(file), sha256: Sha256::new(), bytes: 0 })
    }

    /// Appends a piece of a snapshot.
    ///
    /// # Errors
    /// [`CheckpointError::Io`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), CheckpointError> {
        if let Some(file) = &mut self.file {
            self.disk.append(&partial(&self.directory.join(&self.name)), file, piece)?;
        }
        self.sha256.update(piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Makes the file durable under its name; what a manifest must say of it. `groups` are the key groups whose state it holds.
    ///
    /// # Errors
    /// [`CheckpointError::Io`].
    pub fn finish(mut self, groups: Range<u32>) -> Result<StateObject, CheckpointError> {
        let path = self.directory.join(&self.name);
        if let Some(file) = &self.file {
            self.disk.publish(&partial(&path), file, &path)?;
            self.file = None;
        }
        Ok(StateObject {
            name: std::mem::take(&mut self.name),
            sha256: format!("{:x}", std::mem::take(&mut self.sha256).finalize()),
            bytes: self.bytes,
            first_group: groups.start,
            end_group: groups.end,
        })
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            self.disk.forget(&partial(&self.directory.join(&self.name)));
        }
    }
}
