//! Opens a job's store of checkpoints and says what the job goes on from, or leaves behind.

use std::num::NonZero;
use std::sync::Arc;

use wasmill_checkpoint::recovery::choose;
use wasmill_checkpoint::{CheckpointError, Choice, JobFacts, Location, Store};
use wasmill_job::graph::{Checkpoint, StorePlace};
use wasmill_runtime::Durability;

use crate::report;

/// Opens a job's store; with `fresh` what it holds is left behind.
///
/// # Errors
/// Where the store can't be used, or its newest checkpoint isn't intact or isn't this job's.
pub async fn open(checkpoint: &Checkpoint, facts: JobFacts, fresh: bool) -> Result<Durability, CheckpointError> {
    let location = location(&checkpoint.store);
    // A bucket is taken over when it is opened: not by a job that couldn't go on from it.
    if let (Location::Bucket(_), false) = (&location, fresh) {
        match Store::look(&location).await {
            Ok(store) => drop(store.latest(&facts.name).await?),
            Err(CheckpointError::NoStore { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut store = Store::open(&location).await?;
    let restored = match choose(fresh, &store.epochs().await?) {
        Choice::Empty => None,
        Choice::LeaveBehind => {
            if let Some(left) = store.fresh().await? {
                report::remark("starting-anew", &format!("starting anew: {left}"));
            }
            None
        }
        Choice::Restore(epoch) => {
            let manifest = store.read(epoch, &facts.name).await?;
            let last = if manifest.last { ", taken when it ended or was stopped" } else { "" };
            report::remark("going-on", &format!("going on from checkpoint {epoch} in {}{last}", checkpoint.store));
            Some(manifest)
        }
    };
    let first = store.begin(restored.as_ref().map(|manifest| manifest.epoch)).await?;
    Ok(Durability {
        store: Arc::new(store),
        every: checkpoint.every,
        retain: NonZero::new(checkpoint.retain).unwrap_or(NonZero::<usize>::MIN),
        facts,
        first,
        restored,
    })
}

fn location(store: &StorePlace) -> Location {
    match store {
        StorePlace::Directory(path) => Location::Directory(path.clone()),
        StorePlace::Url(url) => Location::of(url),
    }
}
