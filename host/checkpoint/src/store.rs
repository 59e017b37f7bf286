//! Where checkpoints are kept: a local directory.
//!
//! ```text
//! STORE/
//!   lock                                  held (flock) by the process that uses the store, with its id
//!   runs/1/                               what came before a fresh start, untouched
//!   runs/2/                               the current run: the one with the highest number
//!     objects/42-hourly-0-5f3a90c1d2e4b687.state
//!                                         state of epoch 42, operator `hourly`, task 0, and a number that no two processes share
//!     manifests/00000000000000000042.json the checkpoint of epoch 42
//! ```
//!
//! - A checkpoint is there when its manifest is; that is written last, once, and names all files that belong to it.
//! - Every file is written under a name that ends in `.partial`, synced, and only then given its own, and the directory is synced. A
//!   manifest gets its name by a hard link, which fails where the name is taken. So a crash at any point leaves the checkpoints that
//!   were there, and at most files that no manifest names; those go when the store is opened next, or with [`Store::retain`].
//! - A fresh start ([`Store::fresh`]) begins a new run, by making its directory, and epochs start again at 1. Nothing is moved or
//!   deleted, and a crash right after it can't bring the old run's checkpoints back. To go back by hand, delete the newer run.
//! - What can't be read is an error that names the file. There is never an empty start where there was a checkpoint.
//!
//! All calls block; the runtime makes them off its task threads. They may be made from several threads at once.

mod disk;
mod lock;
mod names;
mod object;
mod retention;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmill_flow::Epoch;

use self::disk::Disk;
use self::lock::Lock;
pub use self::object::ObjectWriter;
pub use self::retention::Removed;
use crate::error::CheckpointError;
use crate::manifest::{Manifest, ManifestError, VERSION};
use crate::part::StateObject;

/// A store of checkpoints, in use by this process until it is dropped.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    run: u64,
    /// Part of the names of this process's objects.
    process: String,
    disk: Disk,
    _lock: Lock,
}

/// What a fresh start leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// Where it is.
    pub path: PathBuf,
    /// The checkpoints, in order.
    pub epochs: Vec<Epoch>,
    /// The bytes of all its files.
    pub bytes: u64,
}

impl std::fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.epochs.len();
        let (checkpoints, them) = if count == 1 { ("checkpoint", "it") } else { ("checkpoints", "them") };
        write!(
            f,
            "{count} {checkpoints} left behind in {} ({} bytes); delete that directory if you don't need {them}",
            self.path.display(),
            self.bytes
        )
    }
}

impl Store {
    /// Opens a store, making its directory where there is none, and removes files that a crash left half written.
    ///
    /// # Errors
    /// [`CheckpointError::Locked`] where another process uses it, [`CheckpointError::Io`] where the file system refuses.
    pub fn open(root: &Path) -> Result<Self, CheckpointError> {
        Self::open_on(root, Disk::default())
    }

    fn open_on(root: &Path, disk: Disk) -> Result<Self, CheckpointError> {
        let runs = root.join("runs");
        disk.create_dir(&runs)?;
        let lock = Lock::take(root)?;
        let run = names::numbered(&runs, names::run)?.last().copied().unwrap_or(1);
        let store = Self { root: root.to_owned(), run, process: names::unique(), disk, _lock: lock };
        store.make_run()?;
        for directory in [store.manifests(), store.objects()] {
            for partial in names::list(&directory)?.into_iter().filter(|name| name.ends_with(disk::PARTIAL)) {
                store.disk.remove(&directory.join(partial))?;
            }
        }
        Ok(store)
    }

    /// The store's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Starts anew: checkpoints are written to a new run from now on. What the former one holds, if it holds any checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::Io`].
    pub fn fresh(&mut self) -> Result<Option<LeftBehind>, CheckpointError> {
        let epochs = self.epochs()?;
        if epochs.is_empty() {
            return Ok(None);
        }
        let path = self.run_path();
        let mut bytes = 0;
        for directory in [self.manifests(), self.objects()] {
            for name in names::list(&directory)? {
                let file = directory.join(name);
                bytes += fs::metadata(&file).map_err(CheckpointError::io(&file, "look at"))?.len();
            }
        }
        self.run += 1;
        self.make_run()?;
        Ok(Some(LeftBehind { path, epochs, bytes }))
    }

    /// The checkpoints whose manifests are there, in order, intact or not.
    ///
    /// # Errors
    /// [`CheckpointError::Io`], and [`CheckpointError::Corrupt`] for a name among the manifests that is none.
    pub fn epochs(&self) -> Result<Vec<Epoch>, CheckpointError> {
        Ok(names::numbered(&self.manifests(), names::epoch_of_manifest)?.into_iter().map(Epoch).collect())
    }

    /// Reads the newest checkpoint of a job, if there is one, as [`Self::read`] does.
    ///
    /// # Errors
    /// Those of [`Self::read`]: a newest checkpoint that isn't intact is an error, whatever older ones there are.
    pub fn latest(&self, job: &str) -> Result<Option<Manifest>, CheckpointError> {
        self.epochs()?.last().map(|epoch| self.read(*epoch, job)).transpose()
    }

    /// Reads a checkpoint of a job, and sees that all files that it names are there with the size that they should have. Their
    /// checksums are verified when they are read.
    ///
    /// # Errors
    /// [`CheckpointError`], which names the file.
    pub fn read(&self, epoch: Epoch, job: &str) -> Result<Manifest, CheckpointError> {
        let manifest = self.read_manifest(epoch)?;
        if manifest.job.name != job {
            return Err(CheckpointError::OtherJob {
                path: self.root.clone(),
                epoch,
                found: manifest.job.name,
                expected: job.to_owned(),
            });
        }
        for (operator, objects) in &manifest.operators {
            for object in objects {
                let path = self.objects().join(&object.name);
                let size = match fs::metadata(&path) {
                    Ok(metadata) => metadata.len(),
                    Err(error) => return Err(self.unreadable(path, epoch, operator, error)),
                };
                check_size(&path, size, object)?;
            }
        }
        Ok(manifest)
    }

    fn read_manifest(&self, epoch: Epoch) -> Result<Manifest, CheckpointError> {
        let path = self.manifests().join(names::manifest(epoch));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CheckpointError::NotFound { path: self.root.clone(), epoch, there: self.epochs()? });
            }
            Err(error) => return Err(CheckpointError::io(&path, "read")(error)),
        };
        let manifest = Manifest::from_bytes(&bytes).map_err(|error| match error {
            ManifestError::Corrupt(what) => CheckpointError::Corrupt { path: path.clone(), what },
            ManifestError::Newer { found } => CheckpointError::Newer { path: path.clone(), found, known: VERSION },
        })?;
        if manifest.epoch != epoch {
            return Err(CheckpointError::Corrupt { path, what: format!("it is the manifest of epoch {}", manifest.epoch) });
        }
        Ok(manifest)
    }

    /// Reads a state file that the checkpoint of an epoch names, and verifies it.
    ///
    /// # Errors
    /// [`CheckpointError::MissingObject`], [`CheckpointError::Corrupt`] or [`CheckpointError::Io`], which name the file.
    pub fn read_object(&self, epoch: Epoch, operator: &str, object: &StateObject) -> Result<Vec<u8>, CheckpointError> {
        let path = self.objects().join(&object.name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.unreadable(path, epoch, operator, error)),
        };
        check_size(&path, bytes.len() as u64, object)?;
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        if sha256 != object.sha256 {
            return Err(CheckpointError::Corrupt { path, what: format!("its sha256 is {sha256}, expected {}", object.sha256) });
        }
        Ok(bytes)
    }

    fn unreadable(&self, path: PathBuf, epoch: Epoch, operator: &str, error: io::Error) -> CheckpointError {
        if error.kind() == io::ErrorKind::NotFound {
            return CheckpointError::MissingObject { path, epoch, operator: operator.to_owned() };
        }
        CheckpointError::Io { path, doing: "read", error }
    }

    /// Starts a state file. Nothing is in the store until [`ObjectWriter::finish`] has returned.
    ///
    /// # Errors
    /// [`CheckpointError::Io`].
    pub fn object(&self, epoch: Epoch, operator: &str, task: u32) -> Result<ObjectWriter, CheckpointError> {
        ObjectWriter::create(self.disk.clone(), self.objects(), names::object(epoch, operator, task, &self.process))
    }

    /// Writes a manifest: when this has returned, the checkpoint is complete and durable. It is read back and compared.
    ///
    /// # Errors
    /// [`CheckpointError::Exists`] where there is one for this epoch; [`CheckpointError::Io`]. After an error it may be there or not:
    /// the job must stop, and go on from what is there then.
    pub fn write(&self, manifest: &Manifest) -> Result<(), CheckpointError> {
        let bytes = manifest.to_bytes();
        let path = self.manifests().join(names::manifest(manifest.epoch));
        self.disk.write_once(&path, &bytes)?;
        if self.read_manifest(manifest.epoch)? != *manifest {
            return Err(CheckpointError::Corrupt { path, what: "it doesn't read as what was just written".to_owned() });
        }
        Ok(())
    }

    fn make_run(&self) -> Result<(), CheckpointError> {
        self.disk.create_dir(&self.objects())?;
        self.disk.create_dir(&self.manifests())
    }

    fn run_path(&self) -> PathBuf {
        self.root.join("runs").join(self.run.to_string())
    }

    fn objects(&self) -> PathBuf {
        self.run_path().join("objects")
    }

    fn manifests(&self) -> PathBuf {
        self.run_path().join("manifests")
    }
}

fn check_size(path: &Path, found: u64, object: &StateObject) -> Result<(), CheckpointError> {
    if found == object.bytes {
        return Ok(());
    }
    Err(CheckpointError::Corrupt { path: path.to_owned(), what: format!("it has {found} bytes, expected {}", object.bytes) })
}
