//! What a store holds, for people: looked at without a lock, while a job writes to it or not.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use wasmill_flow::Epoch;

use super::directory::Directory;
use super::disk::Disk;
use super::lock::Lock;
use super::owner::Owners;
use super::requests::{Patience, Requests};
use super::{Guard, Location, Removed, Store, current_run, names, on_disk};
use crate::error::CheckpointError;
use crate::manifest::Manifest;

/// A checkpoint in a list: what its manifest says, or why it can't be read.
#[derive(Debug)]
pub struct Entry {
    /// Its epoch; 0 for a savepoint that can't be read.
    pub epoch: Epoch,
    /// Its label, where it is a savepoint.
    pub label: Option<String>,
    /// Its manifest.
    pub manifest: Result<Manifest, CheckpointError>,
}

impl Store {
    /// Opens a store to look at it: nothing is locked, claimed or made.
    ///
    /// # Errors
    /// [`CheckpointError::NoStore`] where there is none, and those of [`Self::open`] but for [`CheckpointError::Locked`].
    pub async fn look(location: &Location) -> Result<Self, CheckpointError> {
        let objects: Arc<dyn ObjectStore> = match location {
            Location::Directory(root) => Arc::new(Directory::new(root.clone(), Disk::default())),
            Location::Memory => Arc::new(InMemory::new()),
            Location::Bucket(url) => Location::bucket(url)?,
        };
        let is_directory = matches!(location, Location::Directory(_));
        let patience = if is_directory { Patience::DISK } else { Patience::STARTING };
        let requests = Requests::new(objects, location.to_string().into(), patience, names::unique());
        Self::look_over(requests).await
    }

    pub(super) async fn look_over(requests: Requests) -> Result<Self, CheckpointError> {
        let there = requests.list(&"runs".into()).await?;
        let owners = Owners::read(&requests).await?;
        if there.common_prefixes.is_empty() && owners == Owners::default() {
            return Err(CheckpointError::NoStore { path: requests.path(&"".into()) });
        }
        let run = current_run(&requests, &owners).await?;
        Ok(Self::new(requests, run, Guard::Nobody, owners, names::unique()))
    }

    /// The checkpoints of the current run, in order.
    ///
    /// # Errors
    /// Those of [`Self::epochs`]. A manifest that can't be read is an entry that says so.
    pub async fn entries(&self) -> Result<Vec<Entry>, CheckpointError> {
        let mut entries = Vec::new();
        for epoch in self.epochs().await? {
            entries.push(Entry { epoch, label: None, manifest: self.read_manifest(epoch).await });
        }
        Ok(entries)
    }

    /// The savepoints of the current run, in the order of their labels.
    ///
    /// # Errors
    /// Those of [`Self::savepoints`]. One that can't be read is an entry that says so.
    pub async fn kept(&self) -> Result<Vec<Entry>, CheckpointError> {
        let mut entries = Vec::new();
        for label in self.savepoints().await? {
            let manifest = self.show_savepoint(&label).await;
            let epoch = manifest.as_ref().map_or(Epoch(0), |manifest| manifest.epoch);
            entries.push(Entry { epoch, label: Some(label), manifest });
        }
        Ok(entries)
    }

    /// The manifest of a checkpoint, whosever it is; files that it names are not looked at.
    ///
    /// # Errors
    /// [`CheckpointError::NotFound`], and where the manifest isn't intact.
    pub async fn show(&self, epoch: Epoch) -> Result<Manifest, CheckpointError> {
        self.read_manifest(epoch).await
    }

    /// Deletes a checkpoint and the state files that no other needs.
    ///
    /// # Errors
    /// [`CheckpointError::Locked`] where a job uses the directory; [`CheckpointError::InUse`] for the newest of a bucket, which a job may
    /// go on from, as nobody can know; [`CheckpointError::NotFound`]. Where another checkpoint can't be read, nothing is deleted: nobody
    /// knows what it needs.
    pub async fn delete(&self, location: &Location, epoch: Epoch) -> Result<Removed, CheckpointError> {
        let mut held = None;
        if let Location::Directory(root) = location {
            let root = root.clone();
            held = Some(on_disk(Disk::default(), move |_| Lock::take(&root)).await?);
        }
        let mut others = self.epochs().await?;
        let newest = others.last().copied();
        if !others.contains(&epoch) {
            return Err(CheckpointError::NotFound { path: self.path(), epoch, there: others });
        }
        if newest == Some(epoch) && held.is_none() {
            return Err(CheckpointError::InUse { path: self.path(), epoch });
        }
        others.retain(|other| *other != epoch);
        let needed = self.needed(&others).await?;
        // What a manifest that can't be read names goes later, with retention.
        let own: BTreeSet<String> = match self.read_manifest(epoch).await {
            Ok(manifest) => manifest.files().map(|file| file.name.to_owned()).collect(),
            Err(CheckpointError::Corrupt { .. } | CheckpointError::Newer { .. }) => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        self.requests.delete(&[self.manifests().join(names::manifest(epoch))]).await?;
        let gone: Vec<String> = own.difference(&needed).cloned().collect();
        let objects: Vec<_> = gone.iter().map(|name| self.objects().join(name.as_str())).collect();
        self.requests.delete(&objects).await?;
        Ok(Removed { epochs: vec![epoch], objects: gone })
    }
}
