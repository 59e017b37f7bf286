//! Savepoints: checkpoints that are kept under a label until somebody deletes them.
//!
//! `runs/1/savepoints/LABEL.json` is a manifest as any other, byte for byte the one of its epoch, which may be gone meanwhile. What it names stays
//! as long as it does.

use super::requests::Put;
use super::retention::files;
use super::{Guard, Removed, Store, names};
use crate::error::CheckpointError;
use crate::manifest::Manifest;

impl Store {
    /// Keeps a checkpoint, which was just written, under a label.
    ///
    /// # Errors
    /// [`CheckpointError::Exists`] where there is another of this label; [`CheckpointError::Fenced`], [`CheckpointError::Io`],
    /// [`CheckpointError::Request`].
    pub async fn keep(&self, label: &str, manifest: &Manifest) -> Result<(), CheckpointError> {
        self.check_owner().await?;
        let owner = match &self.guard {
            Guard::Owner(owner) => owner.lock().await.number(),
            Guard::Lock(..) | Guard::Nobody => manifest.owner,
        };
        let name = self.savepoints_name().join(names::savepoint(label));
        let bytes = Manifest { owner, ..manifest.clone() }.to_bytes();
        let mut savepoints = self.savepoint_files.lock().await;
        // Where this fails, what is there is only known by looking.
        self.known().list_next();
        if self.requests.create(&name, &[bytes.into()]).await? == Put::Taken {
            return Err(CheckpointError::Exists { path: self.requests.path(&name) });
        }
        savepoints.insert(label.to_owned(), files(manifest));
        Ok(())
    }

    /// The labels of the run's savepoints, in order.
    ///
    /// # Errors
    /// [`CheckpointError::Io`], [`CheckpointError::Request`].
    pub async fn savepoints(&self) -> Result<Vec<String>, CheckpointError> {
        let listed = self.requests.list(&self.savepoints_name()).await?;
        let labels = listed.objects.iter().filter_map(|object| names::label_of_savepoint(&names::last(&object.location)));
        let mut labels: Vec<String> = labels.collect();
        labels.sort_unstable();
        Ok(labels)
    }

    /// The manifest of a savepoint, whosever it is; files that it names are not looked at.
    ///
    /// # Errors
    /// [`CheckpointError::NoSavepoint`], and where the manifest isn't intact.
    pub async fn show_savepoint(&self, label: &str) -> Result<Manifest, CheckpointError> {
        let name = self.savepoints_name().join(names::savepoint(label));
        match self.requests.get(&name).await? {
            Some(bytes) => self.parse(&name, &bytes),
            None => {
                Err(CheckpointError::NoSavepoint { path: self.path(), label: label.to_owned(), there: self.savepoints().await? })
            }
        }
    }

    /// Reads a savepoint of a job, as [`Self::read`] does a checkpoint.
    ///
    /// # Errors
    /// Those of [`Self::show_savepoint`] and [`Self::read`].
    pub async fn read_savepoint(&self, label: &str, job: &str) -> Result<Manifest, CheckpointError> {
        let manifest = self.show_savepoint(label).await?;
        self.check_objects(&manifest, job).await?;
        Ok(manifest)
    }

    /// Deletes a savepoint. State files that nothing else needs go with the next checkpoint of a job that runs, or of the next run.
    ///
    /// # Errors
    /// [`CheckpointError::NoSavepoint`], and where the store refuses.
    pub async fn delete_savepoint(&self, label: &str) -> Result<Removed, CheckpointError> {
        let epoch = self.show_savepoint(label).await?.epoch;
        self.requests.delete(&[self.savepoints_name().join(names::savepoint(label))]).await?;
        self.known().list_next();
        Ok(Removed { epochs: vec![epoch], objects: Vec::new() })
    }

    pub(super) fn savepoints_name(&self) -> object_store::path::Path {
        self.run_name().join("savepoints")
    }
}
