//! Which checkpoints and files go.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::time::Duration;

use object_store::ObjectMeta;
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::Epoch;

use super::{Store, names};
use crate::error::CheckpointError;

/// State files of others that no checkpoint names are kept for so long on stores that several processes reach: one of them may be about to
/// name them.
pub const GRACE: Duration = Duration::from_secs(3600);

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Checkpoints.
    pub epochs: Vec<Epoch>,
    /// State files that no checkpoint names.
    pub objects: Vec<String>,
}

impl Store {
    /// Removes all but the newest `retain` checkpoints, and the state files that none of these names; but not those that this process
    /// is writing for a checkpoint to come, nor, for a grace time, those of others. Manifests go first, so that none is ever there without
    /// its files. What is needed is what manifests say, nothing else.
    ///
    /// # Errors
    /// [`CheckpointError`]. Where a checkpoint that is to stay can't be read, or another process owns the store, nothing is removed.
    pub async fn retain(&self, retain: NonZero<usize>) -> Result<Removed, CheckpointError> {
        // What is listed before manifests are can't be of checkpoints that come after.
        let objects = self.requests.list(&self.objects()).await?.objects;
        let all = self.all_epochs().await?;
        let mut epochs: Vec<_> = all.iter().copied().filter(|epoch| self.counts(*epoch)).collect();
        let kept = epochs.split_off(epochs.len().saturating_sub(retain.get()));
        let needed = self.needed(&kept).await?;
        self.check_owner().await?;
        let newest = kept.last().copied().unwrap_or(Epoch(0));
        // With those that count for nobody.
        let gone = all.iter().filter(|epoch| **epoch < newest && !kept.contains(epoch));
        let manifests: Vec<_> = gone.map(|epoch| self.manifests().join(names::manifest(*epoch))).collect();
        self.requests.delete(&manifests).await?;
        hit(Failpoint::ManifestsRemoved);
        let now = objects.iter().map(|object| object.last_modified).max();
        let is_old =
            |object: &ObjectMeta| now.is_some_and(|now| (now - object.last_modified).to_std().unwrap_or_default() >= self.grace);
        let gone = objects.iter().filter(|object| {
            let name = names::last(&object.location);
            let maker = names::maker_of_object(&name, &self.process);
            !needed.contains(&name) && maker.is_some_and(|(epoch, own)| if own { epoch <= newest } else { is_old(object) })
        });
        let gone: Vec<_> = gone.map(|object| object.location.clone()).collect();
        self.requests.delete(&gone).await?;
        Ok(Removed { epochs, objects: gone.iter().map(names::last).collect() })
    }

    /// The state files that checkpoints need.
    pub(super) async fn needed(&self, epochs: &[Epoch]) -> Result<BTreeSet<String>, CheckpointError> {
        let mut needed = BTreeSet::new();
        for epoch in epochs {
            let manifest = self.read_manifest(*epoch).await?;
            needed.extend(manifest.files().map(|file| file.name.to_owned()));
        }
        for label in self.savepoints().await? {
            needed.extend(self.show_savepoint(&label).await?.files().map(|file| file.name.to_owned()));
        }
        Ok(needed)
    }
}
