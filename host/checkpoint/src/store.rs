//! Where checkpoints are kept: a local directory, or a bucket of an object store.
//!
//! ```text
//! STORE/
//!   lock                                  of local directories: held (flock) by the process that uses the store, with its id
//!   owners/                               of object stores: who may write, and from where on ([`owner`])
//!   runs/1/                               what came before a fresh start, untouched
//!   runs/2/                               the current run: the one with the highest number
//!     objects/42-hourly-0-5f3a90c1d2e4b6870.state
//!                                         state of epoch 42, operator `hourly`, task 0, and a number that no two files share
//!     manifests/00000000000000000042.json the checkpoint of epoch 42
//!     savepoints/before-upgrade.json      a checkpoint that is kept: its manifest
//! ```
//!
//! - A checkpoint is there when its manifest is; that is written last, once, and names all files that belong to it.
//! - Every object is created where nothing has its name, whole, and never changed. So a crash at any point leaves the checkpoints that
//!   were there, and at most files that no manifest names; those go with [`Store::retain`].
//! - A fresh start ([`Store::fresh`]) begins a new run, and epochs start again at 1. Nothing is moved or deleted, and a crash right after
//!   it can't bring the old run's checkpoints back. To go back by hand, delete the newer run.
//! - What can't be read is an error that names the file. There is never an empty start where there was a checkpoint.
//! - Requests that fail in passing are sent again (`store/requests.rs`): for up to 15 s when a store is opened, up to 60 s later.
//!
//! `docs/formats/store.md` has all of it in plain words.

mod adoption;
mod contents;
mod directory;
mod disk;
mod fault;
mod location;
mod lock;
mod names;
mod object;
mod owner;
mod requests;
mod retention;
mod savepoints;
#[cfg(test)]
mod tests;
mod upload;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use tokio::sync::Mutex;
use wasmill_flow::Epoch;

pub use self::contents::Entry;
use self::directory::Directory;
use self::disk::Disk;
pub use self::location::Location;
use self::lock::Lock;
pub use self::object::ObjectWriter;
use self::object::digest;
use self::owner::{Owners, Ownership};
use self::requests::{Patience, Put, Requests};
pub use self::retention::{GRACE, Removed};
use self::retention::{Known, Savepoints};
use crate::error::CheckpointError;
use crate::manifest::{Manifest, ManifestError, VERSION};
use crate::part::{StateFile, StateObject};

/// A store of checkpoints, in use by this process until it is dropped.
#[derive(Debug)]
pub struct Store {
    requests: Requests,
    run: u64,
    /// Part of the names of this process's objects.
    process: String,
    /// How many objects it has named.
    serial: AtomicU64,
    /// For how long others' state files without a checkpoint stay.
    grace: Duration,
    /// Who sees that no other process writes.
    guard: Guard,
    /// Whose checkpoints count: what was found when the store was claimed, and this process.
    owners: RwLock<Owners>,
    /// What retention needn't ask the store for.
    known: std::sync::Mutex<Known>,
    savepoint_files: Mutex<Savepoints>,
}

#[derive(Debug)]
enum Guard {
    /// The system, for a directory.
    Lock(Disk, #[expect(dead_code, reason = "held")] Lock),
    /// The store itself: see [`owner`]. Manifests are written one at a time.
    Owner(Mutex<Ownership>),
    /// Nobody: the store is only looked at.
    Nobody,
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
    /// Opens a store to write to it: takes a directory's lock, making the directory where there is none, or claims a bucket, which stops
    /// a process that writes to it.
    ///
    /// # Errors
    /// [`CheckpointError::Locked`] where another process uses a directory, [`CheckpointError::Io`] where the file system refuses,
    /// [`CheckpointError::Address`] and, within 15 s, [`CheckpointError::Request`] where a bucket can't be reached.
    pub async fn open(location: &Location) -> Result<Self, CheckpointError> {
        let objects: Arc<dyn ObjectStore> = match location {
            Location::Directory(root) => return Self::open_on(root, Disk::default()).await,
            Location::Memory => Arc::new(InMemory::new()),
            Location::Bucket(url) => Location::bucket(url)?,
        };
        Self::over(objects, &location.to_string(), names::unique()).await
    }

    /// Opens a store in objects that are handed in, which errors call `name`; as a bucket, it is claimed. Names and pauses are drawn from
    /// `seed`, a number that no two processes may share.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub async fn over(objects: Arc<dyn ObjectStore>, name: &str, seed: u64) -> Result<Self, CheckpointError> {
        let mut requests = Requests::new(objects, name.into(), Patience::STARTING, seed);
        let ownership = Ownership::claim(&requests, &format!("{seed:016x}")).await?;
        let owners = ownership.owners.clone();
        let run = current_run(&requests, &owners).await?;
        requests.patience = Patience::RUNNING;
        let guard = Guard::Owner(Mutex::new(ownership));
        Ok(Self::new(requests, run, guard, owners, seed))
    }

    fn new(requests: Requests, run: u64, guard: Guard, owners: Owners, seed: u64) -> Self {
        let grace = if matches!(guard, Guard::Lock(..)) { Duration::ZERO } else { GRACE };
        Self {
            requests,
            run,
            process: format!("{seed:016x}"),
            serial: AtomicU64::new(0),
            grace,
            guard,
            owners: RwLock::new(owners),
            known: std::sync::Mutex::default(),
            savepoint_files: Mutex::default(),
        }
    }

    async fn open_on(root: &Path, disk: Disk) -> Result<Self, CheckpointError> {
        let (lock, disk) = on_disk(disk, {
            let root = root.to_owned();
            move |disk| {
                disk.create_dir(&root.join("runs"))?;
                Lock::take(&root)
            }
        })
        .await?;
        let objects = Arc::new(Directory::new(root.to_owned(), disk.clone()));
        let seed = names::unique();
        let mut requests = Requests::new(objects, root.to_owned(), Patience::DISK, seed);
        // One at a time: each takes a core from the job's tasks.
        (requests.part, requests.parts_at_once) = (requests::DISK_PART, 1);
        let owners = Owners::default();
        let run = current_run(&requests, &owners).await?;
        let store = Self::new(requests, run, Guard::Lock(disk, lock), owners, seed);
        store.make_run(true).await?;
        Ok(store)
    }

    /// Where the store is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.requests.path(&Name::default())
    }

    /// Has others' state files without a checkpoint kept for another time than [`GRACE`] (a directory's aren't kept: its lock says that no
    /// other process is there).
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self.known().list_next();
        self
    }

    /// Starts anew: checkpoints are written to a new run from now on. What the former one holds, if it holds any checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub async fn fresh(&mut self) -> Result<Option<LeftBehind>, CheckpointError> {
        let epochs = self.epochs().await?;
        if epochs.is_empty() {
            return Ok(None);
        }
        let path = self.requests.path(&self.run_name());
        let mut bytes = 0;
        for below in [self.manifests(), self.objects()] {
            bytes += self.requests.list(&below).await?.objects.iter().map(|object| object.size).sum::<u64>();
        }
        self.run += 1;
        *self.known() = Known::default();
        self.savepoint_files.get_mut().clear();
        self.make_run(false).await?;
        Ok(Some(LeftBehind { path, epochs, bytes }))
    }

    /// Begins to write, after a checkpoint that the job goes on from, if any: from now on, former processes' checkpoints that weren't there
    /// when the store was opened count for nobody. Called before anything is done that a former process's output depends on. The epoch
    /// that the job starts with.
    ///
    /// # Errors
    /// [`CheckpointError::Fenced`] where another process has claimed the store since it was opened.
    pub async fn begin(&self, base: Option<Epoch>) -> Result<Epoch, CheckpointError> {
        let newest = self.all_epochs().await?.last().copied().max(base).unwrap_or(Epoch(0));
        match &self.guard {
            Guard::Lock(..) => Ok(Epoch(newest.0 + 1)),
            Guard::Nobody => Err(self.only_looked_at(newest)),
            Guard::Owner(owner) => {
                let base = base.map_or(0, |base| base.0);
                let mut owner = owner.lock().await;
                let first = owner.begin(&self.requests, self.run, base, newest.0).await?;
                *self.owners.write().unwrap_or_else(PoisonError::into_inner) = owner.owners.clone();
                Ok(first)
            }
        }
    }

    /// The checkpoints whose manifests are there, in order, intact or not.
    ///
    /// # Errors
    /// [`CheckpointError::Io`], [`CheckpointError::Request`], and [`CheckpointError::Corrupt`] for a name among the manifests that is none.
    pub async fn epochs(&self) -> Result<Vec<Epoch>, CheckpointError> {
        Ok(self.all_epochs().await?.into_iter().filter(|epoch| self.counts(*epoch)).collect())
    }

    /// With those that count for nobody.
    async fn all_epochs(&self) -> Result<Vec<Epoch>, CheckpointError> {
        let below = self.manifests();
        let listed = self.requests.list(&below).await?;
        let found = listed.objects.iter().map(|object| &object.location).chain(&listed.common_prefixes);
        let epochs = names::numbered(found.map(names::last), names::epoch_of_manifest).map_err(|name| {
            let what = "nothing of that name belongs here".to_owned();
            CheckpointError::Corrupt { path: self.requests.path(&below.join(name)), what }
        });
        Ok(epochs?.into_iter().map(Epoch).collect())
    }

    fn owners(&self) -> RwLockReadGuard<'_, Owners> {
        self.owners.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self, epoch: Epoch) -> bool {
        self.owners().counts(self.run, epoch)
    }

    /// Reads the newest checkpoint of a job, if there is one, as [`Self::read`] does.
    ///
    /// # Errors
    /// Those of [`Self::read`]: a newest checkpoint that isn't intact is an error, whatever older ones there are.
    pub async fn latest(&self, job: &str) -> Result<Option<Manifest>, CheckpointError> {
        match self.epochs().await?.last() {
            Some(epoch) => self.read(*epoch, job).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads a checkpoint of a job, and sees that all files that it names are there with the size that they should have. Their
    /// checksums are verified when they are read.
    ///
    /// # Errors
    /// [`CheckpointError`], which names the file.
    pub async fn read(&self, epoch: Epoch, job: &str) -> Result<Manifest, CheckpointError> {
        let manifest = self.read_manifest(epoch).await?;
        self.check_objects(&manifest, job).await?;
        Ok(manifest)
    }

    /// Sees that a manifest is a job's, and that what it names is there.
    async fn check_objects(&self, manifest: &Manifest, job: &str) -> Result<(), CheckpointError> {
        let epoch = manifest.epoch;
        if manifest.job.name != job {
            return Err(CheckpointError::OtherJob {
                path: self.path(),
                epoch,
                found: manifest.job.name.clone(),
                expected: job.to_owned(),
            });
        }
        for (operator, chains) in &manifest.operators {
            for file in chains.iter().flat_map(StateObject::files) {
                let name = self.objects().join(file.name);
                let Some(found) = self.requests.head(&name).await? else { return Err(self.missing(&name, epoch, operator)) };
                self.check_size(&name, found.size, file)?;
            }
        }
        Ok(())
    }

    async fn read_manifest(&self, epoch: Epoch) -> Result<Manifest, CheckpointError> {
        let read = self.find_manifest(epoch).await;
        if read.is_err() && matches!(self.guard, Guard::Owner(_)) {
            // What another owner has written or removed meanwhile is no damage.
            self.check_owner().await?;
        }
        read
    }

    async fn find_manifest(&self, epoch: Epoch) -> Result<Manifest, CheckpointError> {
        let name = self.manifests().join(names::manifest(epoch));
        let path = self.requests.path(&name);
        let Some(bytes) = self.requests.get(&name).await? else {
            return Err(CheckpointError::NotFound { path: self.path(), epoch, there: self.epochs().await? });
        };
        let manifest = self.parse(&name, &bytes)?;
        if manifest.epoch != epoch {
            return Err(CheckpointError::Corrupt { path, what: format!("it is the manifest of epoch {}", manifest.epoch) });
        }
        // A later one than is known may have begun since this store was looked at.
        let is_wrong = |owner: &u64| manifest.owner < *owner || manifest.owner > *owner && !matches!(self.guard, Guard::Nobody);
        let owner = self.owners().of(self.run, epoch);
        if let Some(owner) = owner.filter(is_wrong) {
            let what = format!("owner {} wrote it, when only owner {owner} was to write", manifest.owner);
            return Err(CheckpointError::Corrupt { path, what });
        }
        Ok(manifest)
    }

    fn parse(&self, name: &Name, bytes: &[u8]) -> Result<Manifest, CheckpointError> {
        Manifest::from_bytes(bytes).map_err(|error| {
            let path = self.requests.path(name);
            match error {
                ManifestError::Corrupt(what) => CheckpointError::Corrupt { path, what },
                ManifestError::Newer { found } => CheckpointError::Newer { path, found, known: VERSION },
            }
        })
    }

    /// Reads a state file that the checkpoint of an epoch names, and verifies it.
    ///
    /// # Errors
    /// [`CheckpointError::MissingObject`], [`CheckpointError::Corrupt`], [`CheckpointError::Io`] or [`CheckpointError::Request`], which
    /// name the file.
    pub async fn read_object(&self, epoch: Epoch, operator: &str, object: StateFile<'_>) -> Result<Bytes, CheckpointError> {
        let name = self.objects().join(object.name);
        let Some(bytes) = self.requests.get(&name).await? else { return Err(self.missing(&name, epoch, operator)) };
        self.check_size(&name, bytes.len() as u64, object)?;
        let sha256 = digest(bytes.clone()).await;
        if sha256 != object.sha256 {
            let what = format!("its sha256 is {sha256}, expected {}", object.sha256);
            return Err(CheckpointError::Corrupt { path: self.requests.path(&name), what });
        }
        Ok(bytes)
    }

    /// Where a state file of this name is.
    #[must_use]
    pub fn object_path(&self, name: &str) -> PathBuf {
        self.requests.path(&self.objects().join(name))
    }

    fn missing(&self, name: &Name, epoch: Epoch, operator: &str) -> CheckpointError {
        CheckpointError::MissingObject { path: self.requests.path(name), epoch, operator: operator.to_owned() }
    }

    fn check_size(&self, name: &Name, found: u64, object: StateFile<'_>) -> Result<(), CheckpointError> {
        if found == object.bytes {
            return Ok(());
        }
        let what = format!("it has {found} bytes, expected {}", object.bytes);
        Err(CheckpointError::Corrupt { path: self.requests.path(name), what })
    }

    /// Starts a state file. Nothing is in the store until [`ObjectWriter::finish`] has returned.
    #[must_use]
    pub fn object(&self, epoch: Epoch, operator: &str, task: u32) -> ObjectWriter {
        let name = names::object(epoch, operator, task, &self.process, self.serial.fetch_add(1, Relaxed));
        ObjectWriter::new(self.requests.clone(), self.objects().join(name))
    }

    /// Writes a manifest: when this has returned, the checkpoint is complete and durable. It is read back and compared. Written once more,
    /// the same is complete already.
    ///
    /// # Errors
    /// [`CheckpointError::Exists`] where there is another for this epoch; [`CheckpointError::Fenced`] where another process has taken the
    /// store over; [`CheckpointError::Io`], [`CheckpointError::Request`]. After an error it may be there or not: the same is
    /// written again, or the job stops, and goes on from what is there then, in a store that is opened anew.
    pub async fn write(&self, manifest: &Manifest) -> Result<(), CheckpointError> {
        let epoch = manifest.epoch;
        match &self.guard {
            Guard::Lock(..) => self.write_once(manifest).await?,
            Guard::Nobody => return Err(self.only_looked_at(epoch)),
            Guard::Owner(owner) => {
                let mut owner = owner.lock().await;
                owner.may_write(&self.requests, epoch)?;
                // Also where this is dropped while it waits.
                owner.unsettled = Some(epoch);
                let written = self.write_once(&Manifest { owner: owner.number(), ..manifest.clone() }).await;
                owner.check(&self.requests).await?;
                written?;
                owner.unsettled = None;
            }
        }
        self.known().add(manifest);
        Ok(())
    }

    async fn write_once(&self, manifest: &Manifest) -> Result<(), CheckpointError> {
        let name = self.manifests().join(names::manifest(manifest.epoch));
        let path = self.requests.path(&name);
        if self.requests.create(&name, &[manifest.to_bytes().into()]).await? == Put::Taken {
            return Err(CheckpointError::Exists { path });
        }
        let found = self.requests.get(&name).await?.map(|bytes| Manifest::from_bytes(&bytes));
        if found != Some(Ok(manifest.clone())) {
            return Err(CheckpointError::Corrupt { path, what: "it doesn't read as what was just written".to_owned() });
        }
        Ok(())
    }

    /// Sees that no other process has taken the store over: [`CheckpointError::Fenced`] where one has.
    pub async fn check_owner(&self) -> Result<(), CheckpointError> {
        match &self.guard {
            Guard::Lock(..) => Ok(()),
            Guard::Nobody => Err(self.only_looked_at(Epoch(0))),
            Guard::Owner(owner) => owner.lock().await.check(&self.requests).await,
        }
    }

    fn only_looked_at(&self, epoch: Epoch) -> CheckpointError {
        CheckpointError::NotWhole { epoch, what: format!("{} was opened to be looked at only", self.path().display()) }
    }

    /// Makes a run's directories, where there are directories, and removes what a crash left half written in them.
    async fn make_run(&self, clean: bool) -> Result<(), CheckpointError> {
        let Guard::Lock(disk, _) = &self.guard else { return Ok(()) };
        let directories = [self.objects(), self.manifests(), self.savepoints_name()].map(|name| self.requests.path(&name));
        on_disk(disk.clone(), move |disk| {
            directories.iter().try_for_each(|directory| disk.create_dir(directory))?;
            if clean { directories.iter().try_for_each(|directory| disk.remove_partial(directory)) } else { Ok(()) }
        })
        .await
        .map(drop)
    }

    fn run_name(&self) -> Name {
        Name::from("runs").join(self.run.to_string())
    }

    fn objects(&self) -> Name {
        self.run_name().join("objects")
    }

    fn manifests(&self) -> Name {
        self.run_name().join("manifests")
    }
}

/// The run that is gone on with: the one that the last owner wrote to, else the highest.
async fn current_run(requests: &Requests, owners: &Owners) -> Result<u64, CheckpointError> {
    if let Some(run) = owners.run() {
        return Ok(run);
    }
    let runs = Name::from("runs");
    let listed = requests.list(&runs).await?;
    let found = listed.common_prefixes.iter().chain(listed.objects.iter().map(|object| &object.location));
    let numbers = names::numbered(found.map(names::last), names::run).map_err(|name| {
        let what = "nothing of that name belongs here".to_owned();
        CheckpointError::Corrupt { path: requests.path(&runs.join(name)), what }
    });
    Ok(numbers?.last().copied().unwrap_or(1))
}

/// Does what blocks off the caller's thread.
async fn on_disk<T: Send + 'static>(
    disk: Disk,
    work: impl FnOnce(&Disk) -> Result<T, CheckpointError> + Send + 'static,
) -> Result<(T, Disk), CheckpointError> {
    let done = tokio::task::spawn_blocking(move || work(&disk).map(|done| (done, disk))).await;
    done.unwrap_or_else(|error| Err(CheckpointError::io(Path::new("."), "wait for the disk")(std::io::Error::other(error))))
}
