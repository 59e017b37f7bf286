//! Which checkpoints and files go.

use std::collections::BTreeSet;
use std::num::NonZero;

use wasmill_flow::Epoch;

use super::{Store, names};
use crate::error::CheckpointError;

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
    /// is writing for a checkpoint to come. Manifests go first, so that none is ever there without its files.
    ///
    /// # Errors
    /// [`CheckpointError`]. Where a checkpoint that is to stay can't be read, no state file is removed: nobody knows what it needs.
    pub fn retain(&self, retain: NonZero<usize>) -> Result<Removed, CheckpointError> {
        let mut epochs = self.epochs()?;
        let kept = epochs.split_off(epochs.len().saturating_sub(retain.get()));
        let mut needed = BTreeSet::new();
        for epoch in &kept {
            let manifest = self.read_manifest(*epoch)?;
            needed.extend(manifest.operators.into_values().flatten().map(|object| object.name));
        }
        for epoch in &epochs {
            self.disk.remove(&self.manifests().join(names::manifest(*epoch)))?;
        }
        if !epochs.is_empty() {
            self.disk.sync_dir(&self.manifests())?;
        }
        let newest = kept.last().copied().unwrap_or(Epoch(0));
        let mut objects = names::list(&self.objects())?;
        objects.retain(|name| !needed.contains(name) && is_abandoned(name, &self.process, newest));
        for object in &objects {
            self.disk.remove(&self.objects().join(object))?;
        }
        Ok(Removed { epochs, objects })
    }
}

/// Whether a state file that no checkpoint names won't be named by one to come: another process made it, or it is of an epoch that is
/// complete.
fn is_abandoned(name: &str, process: &str, newest: Epoch) -> bool {
    names::maker_of_object(name, process).is_some_and(|(epoch, own)| !own || epoch <= newest)
}
