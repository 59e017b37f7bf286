//! Which checkpoints and files go.
//!
//! What this process has written or read of manifests it remembers ([`Known`]), for they never change. So a checkpoint more usually costs a look at
//! whether the store is still this process's, and what is deleted; only now and then is everything listed, for what others or crashes left.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use object_store::ObjectMeta;
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::Epoch;

use super::{Store, names};
use crate::error::CheckpointError;
use crate::manifest::Manifest;

/// State files of others that no checkpoint names are kept for so long on stores that several processes reach: one of them may be about to
/// name them.
pub const GRACE: Duration = Duration::from_secs(3600);

/// After how many removals, on average, everything is listed again.
const LISTED_EVERY: u32 = 100;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Checkpoints.
    pub epochs: Vec<Epoch>,
    /// State files that no checkpoint names.
    pub objects: Vec<String>,
}

/// What this process knows of the checkpoints in the store.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What those name that it wrote or read, of those that count.
    manifests: BTreeMap<Epoch, BTreeSet<String>>,
    /// How many removals may follow before everything is listed again.
    unlisted: u32,
    /// That must be sooner: with the next.
    list_next: bool,
}

/// What savepoints name, by their labels. Locked while one is made or they are listed, so that none is overlooked.
pub(super) type Savepoints = BTreeMap<String, BTreeSet<String>>;

impl Known {
    /// Takes note of a checkpoint that is complete.
    pub fn add(&mut self, manifest: &Manifest) {
        self.manifests.insert(manifest.epoch, files(manifest));
    }

    /// Has everything listed with the next removal.
    pub fn list_next(&mut self) {
        self.list_next = true;
    }

    /// Whether everything is to be listed with this removal.
    fn is_to_list(&mut self) -> bool {
        if std::mem::take(&mut self.list_next) {
            self.unlisted = 0;
        }
        let is_to_list = self.unlisted == 0;
        self.unlisted = self.unlisted.saturating_sub(1);
        is_to_list
    }

    /// What these checkpoints need.
    fn needed(&self, kept: &[Epoch]) -> BTreeSet<String> {
        kept.iter().filter_map(|epoch| self.manifests.get(epoch)).flatten().cloned().collect()
    }
}

/// The files that a manifest names.
pub(super) fn files(manifest: &Manifest) -> BTreeSet<String> {
    manifest.files().map(|file| file.name.to_owned()).collect()
}

impl Store {
    /// Removes all but the newest `retain` checkpoints, and the state files that none of these names; but not those that this process
    /// is writing for a checkpoint to come, nor, for a grace time, those of others. Manifests go first, so that none is ever there without
    /// its files. What is needed is what manifests say, nothing else.
    ///
    /// Costs a look at who owns the store and what is deleted; the first time, and about each hundredth, all names in the run are listed as well, and
    /// manifests read that this process has neither written nor read before.
    ///
    /// # Errors
    /// [`CheckpointError`]. Where a checkpoint that is to stay can't be read, or another process owns the store, nothing is removed.
    pub async fn retain(&self, retain: NonZero<usize>) -> Result<Removed, CheckpointError> {
        let is_to_list = self.known().is_to_list();
        if !is_to_list {
            return self.retain_known(retain).await;
        }
        let removed = self.retain_listed(retain).await?;
        // Processes that start together list at different times.
        self.known().unlisted = self.requests.between(LISTED_EVERY / 2, LISTED_EVERY * 3 / 2);
        Ok(removed)
    }

    /// By what this process knows.
    async fn retain_known(&self, retain: NonZero<usize>) -> Result<Removed, CheckpointError> {
        let (epochs, objects) = {
            let savepoints = self.savepoint_files.lock().await;
            let known = self.known();
            let (gone, kept) = split(known.manifests.keys().copied().collect(), retain);
            let mut needed = known.needed(&kept);
            needed.extend(savepoints.values().flatten().cloned());
            let named = gone.iter().filter_map(|epoch| known.manifests.get(epoch)).flatten();
            // Others' go when they are old enough, which a listing says.
            let goes = |own| own || self.grace.is_zero();
            let named = named.filter(|name| names::maker_of_object(name, &self.process).is_some_and(|(_, own)| goes(own)));
            let objects: BTreeSet<String> = named.filter(|name| !needed.contains(*name)).cloned().collect();
            (gone, objects)
        };
        self.check_owner().await?;
        self.remove(epochs, &[], objects.into_iter().collect()).await
    }

    /// By what is there.
    async fn retain_listed(&self, retain: NonZero<usize>) -> Result<Removed, CheckpointError> {
        // What is listed before manifests are can't be of checkpoints that come after.
        let objects = self.requests.list(&self.objects()).await?.objects;
        let all = self.all_epochs().await?;
        let (gone, kept) = split(all.iter().copied().filter(|epoch| self.counts(*epoch)).collect(), retain);
        let needed = self.needed(&kept).await?;
        self.check_owner().await?;
        let newest = kept.last().copied().unwrap_or(Epoch(0));
        let now = objects.iter().map(|object| object.last_modified).max();
        let is_old =
            |object: &ObjectMeta| now.is_some_and(|now| (now - object.last_modified).to_std().unwrap_or_default() >= self.grace);
        let objects = objects.iter().filter_map(|object| {
            let name = names::last(&object.location);
            let (epoch, own) = names::maker_of_object(&name, &self.process)?;
            let goes = !needed.contains(&name) && if own { epoch <= newest } else { is_old(object) };
            goes.then_some(name)
        });
        let uncounted: Vec<_> =
            all.iter().copied().filter(|epoch| *epoch < newest && !kept.contains(epoch) && !gone.contains(epoch)).collect();
        self.known().manifests.retain(|epoch, _| kept.contains(epoch) || *epoch > newest);
        self.remove(gone, &uncounted, objects.collect()).await
    }

    /// Removes checkpoints, those that count for nobody too, and then files.
    async fn remove(&self, epochs: Vec<Epoch>, uncounted: &[Epoch], objects: Vec<String>) -> Result<Removed, CheckpointError> {
        let manifests = epochs.iter().chain(uncounted).map(|epoch| self.manifests().join(names::manifest(*epoch)));
        self.requests.delete(&manifests.collect::<Vec<_>>()).await?;
        hit(Failpoint::ManifestsRemoved);
        let gone: Vec<_> = objects.iter().map(|name| self.objects().join(name.as_str())).collect();
        self.requests.delete(&gone).await?;
        self.known().manifests.retain(|epoch, _| !epochs.contains(epoch));
        Ok(Removed { epochs, objects })
    }

    /// The state files that checkpoints need. Manifests that this process knows aren't read again.
    pub(super) async fn needed(&self, epochs: &[Epoch]) -> Result<BTreeSet<String>, CheckpointError> {
        for epoch in epochs {
            let is_known = self.known().manifests.contains_key(epoch);
            if !is_known {
                let manifest = self.read_manifest(*epoch).await?;
                self.known().add(&manifest);
            }
        }
        let mut savepoints = self.savepoint_files.lock().await;
        let labels = self.savepoints().await?;
        savepoints.retain(|label, _| labels.contains(label));
        for label in labels {
            if let Entry::Vacant(unknown) = savepoints.entry(label) {
                let manifest = self.show_savepoint(unknown.key()).await?;
                unknown.insert(files(&manifest));
            }
        }
        let mut needed = self.known().needed(epochs);
        needed.extend(savepoints.values().flatten().cloned());
        Ok(needed)
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checkpoints that go, and the newest, which stay.
fn split(mut epochs: Vec<Epoch>, retain: NonZero<usize>) -> (Vec<Epoch>, Vec<Epoch>) {
    let kept = epochs.split_off(epochs.len().saturating_sub(retain.get()));
    (epochs, kept)
}
