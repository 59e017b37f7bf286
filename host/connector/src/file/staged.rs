//! The files on disk of a sink that writes epoch by epoch, and what a crash can leave of them. All calls block.
//!
//! For a target `out/report.ndjson`:
//! - `out/.report.ndjson.wasmill-staging` takes rows as they come.
//! - `prepare(n)` syncs it, renames it to `out/.report.ndjson.wasmill-n-b`, where `b` is the target's length before epoch `n`, and
//!   syncs the folder: from then on a crash loses nothing of epoch `n`. An epoch without rows has no file.
//! - `commit(n)` writes the bytes of each epoch up to `n` that is still staged to its place in the target, syncs the target, and
//!   removes the staged files. A staged file that is still there means that its commit may not have reached the disk: it is done again,
//!   to the same place. One that is gone means that it did.
//! - `recover(n)` does the same, cuts the target to its length after epoch `n`, and removes all other files.
//!
//! Every step can be cut short at any instant, and doing it again gives the same result.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// An epoch whose rows are durable: what a checkpoint keeps of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StagedEpoch {
    /// The target's name, without its folder.
    pub file: String,
    /// The epoch's number.
    pub epoch: u64,
    /// The target's bytes before this epoch.
    pub before: u64,
    /// The epoch's bytes; there is no staged file where there are none.
    pub length: u64,
}

impl StagedEpoch {
    /// The target's bytes after this epoch.
    pub(super) fn after(&self) -> u64 {
        self.before + self.length
    }
}

/// Why a target can't be brought to an epoch.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    /// The target has fewer bytes than were committed.
    #[error("expected at least {expected} bytes, which checkpoints have committed, found {found}")]
    Shorter {
        /// Bytes that there must be.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The target has more bytes than were committed, and an epoch is still to be appended.
    #[error("expected {expected} bytes, which checkpoints have committed, found {found}: something else writes to it")]
    Longer {
        /// Bytes that there should be.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The staged rows of an epoch that isn't in the target yet are gone.
    #[error("expected the {expected} bytes of epoch {epoch} in {path}, found {found}")]
    Lost {
        /// The epoch.
        epoch: u64,
        /// Its bytes.
        expected: u64,
        /// What there is: `no such file`, or so many bytes.
        found: String,
        /// Where they should be.
        path: String,
    },
    /// The checkpoint is of another file.
    #[error("expected the file `{expected}`, which the checkpoint is of, found `{found}`")]
    Another {
        /// The file of the checkpoint.
        expected: String,
        /// The file of the job.
        found: String,
    },
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A target and the hidden files beside it.
#[derive(Debug)]
pub(super) struct StagedFiles {
    target: PathBuf,
    folder: PathBuf,
    name: OsString,
}

impl StagedFiles {
    pub(super) fn new(target: &Path) -> Self {
        let folder = match target.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        Self { target: target.to_owned(), folder, name: target.file_name().unwrap_or_default().to_owned() }
    }

    /// The target's name, for [`StagedEpoch::file`].
    pub(super) fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    fn hidden(&self, end: &str) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(".wasmill-");
        name.push(end);
        self.folder.join(name)
    }

    fn staged(&self, epoch: u64, before: u64) -> PathBuf {
        self.hidden(&format!("{epoch}-{before}"))
    }

    /// An empty file for the rows to come, in place of one that may be there.
    pub(super) fn create_staging(&self) -> io::Result<File> {
        File::create(self.hidden("staging"))
    }

    /// Makes the rows that were staged those of an epoch, and durable.
    pub(super) fn prepare(&self, staging: &File, epoch: u64, before: u64) -> io::Result<()> {
        staging.sync_all()?;
        fs::rename(self.hidden("staging"), self.staged(epoch, before))?;
        self.sync_folder()
    }

    /// Makes an epoch visible, and those before it that were prepared. Again: nothing changes.
    pub(super) fn commit(&self, epoch: &StagedEpoch) -> Result<(), StageError> {
        let target = self.open_target()?;
        let found = target.metadata()?.len();
        if found > epoch.after() {
            // Later epochs were committed, so this one was, and its staged file is gone.
            let staged = epoch.length > 0 && self.staged(epoch.epoch, epoch.before).try_exists()?;
            return if staged { Err(StageError::Longer { expected: epoch.before, found }) } else { Ok(()) };
        }
        self.append(epoch, &target, found)
    }

    /// Brings the target to what it was after this epoch, and removes the files of all others.
    pub(super) fn recover_to(&self, epoch: &StagedEpoch) -> Result<(), StageError> {
        if epoch.file != self.name() {
            return Err(StageError::Another { expected: epoch.file.clone(), found: self.name() });
        }
        let target = self.open_target()?;
        self.append(epoch, &target, target.metadata()?.len())?;
        if target.metadata()?.len() > epoch.after() {
            target.set_len(epoch.after())?;
            target.sync_all()?;
        }
        Ok(self.remove_hidden()?)
    }

    /// Writes all epochs up to this one that are still staged to their places in the target, which has `found` bytes.
    fn append(&self, epoch: &StagedEpoch, target: &File, found: u64) -> Result<(), StageError> {
        let staged = self.staged_up_to(epoch)?;
        let mut length = found;
        for part in &staged {
            if part.before > length {
                return Err(StageError::Shorter { expected: part.before, found });
            }
            length = length.max(part.after());
        }
        if length < epoch.before {
            return Err(StageError::Shorter { expected: epoch.before, found });
        }
        if length < epoch.after() {
            return Err(self.lost(epoch, "no such file".to_owned()));
        }
        for part in &staged {
            if let Err(error) = self.copy(part, target) {
                // Half an epoch must not be seen. What can't be cut now is cut by the next recovery.
                drop(target.set_len(part.before));
                return Err(error.into());
            }
        }
        if !staged.is_empty() {
            target.sync_all()?;
        }
        for part in &staged {
            remove(&self.staged(part.epoch, part.before))?;
        }
        Ok(())
    }

    fn copy(&self, part: &StagedEpoch, mut target: &File) -> io::Result<()> {
        let mut staged = File::open(self.staged(part.epoch, part.before))?;
        target.seek(SeekFrom::Start(part.before))?;
        io::copy(&mut staged, &mut target).map(|_| ())
    }

    /// The epochs up to this one that are still staged, in order.
    fn staged_up_to(&self, epoch: &StagedEpoch) -> Result<Vec<StagedEpoch>, StageError> {
        let mut staged = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some(Hidden::Staged { epoch: number, before }) = self.hidden_file(&entry.file_name()) else { continue };
            let part = StagedEpoch { file: self.name(), epoch: number, before, length: entry.metadata()?.len() };
            if number == epoch.epoch && (before, part.length) != (epoch.before, epoch.length) {
                return Err(self.lost(epoch, format!("{} bytes, which follow byte {before}", part.length)));
            }
            if number <= epoch.epoch && part.after() <= epoch.after() {
                staged.push(part);
            }
        }
        staged.sort_by_key(|part| part.epoch);
        Ok(staged)
    }

    fn lost(&self, epoch: &StagedEpoch, found: String) -> StageError {
        let path = self.staged(epoch.epoch, epoch.before).display().to_string();
        StageError::Lost { epoch: epoch.epoch, expected: epoch.length, found, path }
    }

    /// A fresh start: no staged files. The target's bytes, which are none where it is to be written anew.
    pub(super) fn start(&self, anew: bool) -> io::Result<u64> {
        fs::create_dir_all(&self.folder)?;
        self.remove_hidden()?;
        match OpenOptions::new().write(true).open(&self.target) {
            Ok(target) => {
                if anew && target.metadata()?.len() > 0 {
                    target.set_len(0)?;
                    target.sync_all()?;
                }
                Ok(target.metadata()?.len())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn open_target(&self) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        let is_new = !self.target.try_exists()?;
        let target = OpenOptions::new().write(true).create(true).truncate(false).open(&self.target)?;
        if is_new {
            self.sync_folder()?;
        }
        Ok(target)
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// Removes all hidden files of this target.
    fn remove_hidden(&self) -> io::Result<()> {
        let mut removed = false;
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if self.hidden_file(&name).is_some() {
                remove(&self.folder.join(name))?;
                removed = true;
            }
        }
        if removed { self.sync_folder() } else { Ok(()) }
    }

    /// What a name in the folder is to this target, if anything.
    fn hidden_file(&self, name: &OsStr) -> Option<Hidden> {
        let end =
            name.as_encoded_bytes().strip_prefix(b".")?.strip_prefix(self.name.as_encoded_bytes())?.strip_prefix(b".wasmill-")?;
        let end = std::str::from_utf8(end).ok()?;
        if end == "staging" {
            return Some(Hidden::Staging);
        }
        let (epoch, before) = end.split_once('-')?;
        Some(Hidden::Staged { epoch: epoch.parse().ok()?, before: before.parse().ok()? })
    }
}

/// A hidden file beside a target.
enum Hidden {
    Staging,
    Staged { epoch: u64, before: u64 },
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
