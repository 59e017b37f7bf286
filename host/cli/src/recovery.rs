//! Opens a job's store of checkpoints and says what the job goes on from, or leaves behind.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use wasmill_checkpoint::coordinator::Cadence;
use wasmill_checkpoint::recovery::{Fit, choose};
use wasmill_checkpoint::{CheckpointError, Choice, JobFacts, Location, Manifest, Store};
use wasmill_flow::{Epoch, key};
use wasmill_job::graph::{Checkpoint, StorePlace};
use wasmill_runtime::{Durability, JobError};

use crate::commands::checkpoints;
use crate::report;

/// How long a job that is started again waits for what its last run left in the store's hands.
const OWN_LOCK: Duration = Duration::from_secs(5);

/// What a job is to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The newest checkpoint, or nothing where there is none.
    Newest,
    /// Nothing, whatever there is.
    Fresh,
    /// A checkpoint that was asked for; the job may have changed since.
    From(Asked),
}

/// A checkpoint that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The store that it is in; the job's own where there is none.
    pub place: Option<Location>,
    /// Its epoch, or the label of a savepoint.
    pub id: String,
    /// State, sources and sinks that the job doesn't have any more are left out.
    pub allow_unmatched: bool,
}

impl Asked {
    /// What `--from` says: an epoch or a label, alone or behind the place of a store and `#`. (Neither has `#` or `/` in it.)
    ///
    /// # Errors
    /// Where it names a place and nothing in it.
    pub fn read(written: &str, allow_unmatched: bool) -> Result<Self, JobError> {
        let (place, id) = written.rsplit_once('#').map_or((None, written), |(place, id)| (Some(place), id));
        if id.is_empty() || id.contains('/') || place.is_some_and(str::is_empty) {
            let place = place.filter(|place| !place.is_empty()).unwrap_or(written.trim_matches('#'));
            let message = format!("`--from {written}`: expected EPOCH, LABEL, PLACE#EPOCH or PLACE#LABEL");
            let hint = format!("`wasmill checkpoints list {place}` shows what is in a store");
            return Err(JobError::new("invalid-option", message).with_hint(hint));
        }
        Ok(Self { place: place.map(Location::of), id: id.to_owned(), allow_unmatched })
    }
}

/// A job's store, and what it goes on from.
pub struct Opened {
    store: Store,
    /// The checkpoint; none where the job begins with nothing.
    pub restored: Option<Manifest>,
    first: Epoch,
    fit: Fit,
    /// The first checkpoint is taken at once.
    soon: bool,
}

/// Opens a job's store. Where a checkpoint was asked for that the job may not fit, `fits` says so before anything is changed.
///
/// # Errors
/// Where the store can't be used, or the checkpoint isn't there, isn't intact, isn't this job's or doesn't fit it.
pub async fn open(
    checkpoint: &Checkpoint,
    job: &str,
    start: &Start,
    fits: impl Fn(&Manifest, Fit) -> Result<(), JobError>,
) -> Result<Opened, JobError> {
    match start {
        Start::From(asked) => open_from(checkpoint, job, asked, fits).await,
        Start::Newest => Ok(open_newest(checkpoint, job, false).await?),
        Start::Fresh => Ok(open_newest(checkpoint, job, true).await?),
    }
}

async fn open_from(
    checkpoint: &Checkpoint,
    job: &str,
    Asked { place, id, allow_unmatched }: &Asked,
    fits: impl Fn(&Manifest, Fit) -> Result<(), JobError>,
) -> Result<Opened, JobError> {
    let location = location(&checkpoint.store);
    let fit = Fit::Changed { allow_unmatched: *allow_unmatched };
    let shown = &checkpoint.store;
    let (store, manifest, first) = match place {
        None => {
            let store = Store::open(&location).await?;
            let manifest = match id.parse() {
                Ok(epoch) => store.read(Epoch(epoch), job).await?,
                Err(_) => store.read_savepoint(id, job).await?,
            };
            fits(&manifest, fit)?;
            report::remark("going-on", &format!("going on from {} in {shown}, as asked for", named(id, &manifest)));
            let first = store.begin(Some(manifest.epoch)).await?;
            (store, manifest, first)
        }
        Some(place) => {
            let other = Store::look(place).await?;
            let (_, manifest) = checkpoints::manifest(&other, id).await?;
            fits(&manifest, fit)?;
            let store = Store::open(&location).await?;
            // What sinks call their parts goes on from there, and what this store has stays what it is.
            let newest = store.epochs().await?.last().copied().max(Some(manifest.epoch));
            let first = store.begin(newest).await?;
            let what = format!("{} of job `{}` in {place}", named(id, &manifest), manifest.job.name);
            let (files, bytes) = (manifest.files().count(), manifest.files().map(|file| file.bytes).sum::<u64>());
            let manifest = store.adopt(&other, &manifest, first, job).await?;
            report::remark(
                "going-on",
                &format!("going on from {what}, as asked for: {files} state files, {bytes} bytes, are copied into {shown}"),
            );
            (store, manifest, first)
        }
    };
    // From now on this is the newest: who runs the job again goes on from here, and not from what was the newest before.
    store.write(&Manifest { epoch: first, ..manifest.clone() }).await?;
    Ok(Opened { store, restored: Some(manifest), first: first.next(), fit, soon: true })
}

async fn open_newest(checkpoint: &Checkpoint, job: &str, fresh: bool) -> Result<Opened, CheckpointError> {
    let location = location(&checkpoint.store);
    // A bucket is taken over when it is opened: not by a job that couldn't go on from it.
    if let (Location::Bucket(_), false) = (&location, fresh) {
        match Store::look(&location).await {
            Ok(store) => drop(store.latest(job).await?),
            Err(CheckpointError::NoStore { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut store = Store::open(&location).await?;
    let shown = &checkpoint.store;
    let restored = match choose(fresh, &store.epochs().await?) {
        Choice::Empty => None,
        Choice::LeaveBehind => {
            if let Some(left) = store.fresh().await? {
                report::remark("starting-anew", &format!("starting anew: {left}"));
            }
            None
        }
        Choice::Restore(epoch) => {
            let manifest = store.read(epoch, job).await?;
            let last = if manifest.last { ", taken when it ended or was stopped" } else { "" };
            report::remark("going-on", &format!("going on from checkpoint {epoch} in {shown}{last}"));
            Some(manifest)
        }
    };
    let first = store.begin(restored.as_ref().map(|manifest| manifest.epoch)).await?;
    Ok(Opened { store, restored, first, fit: Fit::Same, soon: false })
}

/// Opens it again for a job that goes on after a fault, in this process.
///
/// # Errors
/// Those of [`open`].
pub async fn reopen(checkpoint: &Checkpoint, job: &str, fit: Fit) -> Result<Opened, CheckpointError> {
    let mut waited = Duration::ZERO;
    loop {
        match open_newest(checkpoint, job, false).await {
            // What the last run still does to the store, on a thread that can't be stopped, ends soon.
            Err(CheckpointError::Locked { process: Some(process), .. })
                if process == std::process::id().to_string() && waited < OWN_LOCK =>
            {
                let pause = Duration::from_millis(50);
                tokio::time::sleep(pause).await;
                waited += pause;
            }
            opened => return opened.map(|opened| Opened { fit, ..opened }),
        }
    }
}

impl Opened {
    /// How well the job must fit what it goes on from.
    pub fn fit(&self) -> Fit {
        self.fit
    }

    /// What the job's run needs of it.
    pub fn durability(self, checkpoint: &Checkpoint, facts: JobFacts) -> Durability {
        let Self { store, restored, first, fit, soon } = self;
        Durability {
            store: Arc::new(store),
            cadence: Cadence {
                every: checkpoint.every,
                first_after: if soon { Duration::ZERO } else { spread(checkpoint.every, &facts.name) },
                base_every: checkpoint.base_every,
                timeout: checkpoint.timeout,
            },
            // Also a job that is often started anew comes to it, and many don't come to it together.
            verify: (spread(checkpoint.verify, &facts.name), checkpoint.verify),
            retain: NonZero::new(checkpoint.retain).unwrap_or(NonZero::<usize>::MIN),
            facts,
            first,
            restored,
            fit,
        }
    }
}

/// When a job first does what it does again and again: somewhere within the time between two, by the job's name. So jobs that start together
/// don't take their checkpoints together.
fn spread(every: Duration, job: &str) -> Duration {
    const PARTS: u32 = 1_000;
    #[expect(clippy::cast_possible_truncation, reason = "less than PARTS")]
    let part = (key::hash(job.as_bytes()) % u64::from(PARTS)) as u32;
    every / PARTS * (part + 1)
}

fn named(id: &str, manifest: &Manifest) -> String {
    if id.parse::<u64>().is_ok() { format!("checkpoint {id}") } else { format!("savepoint `{id}` (epoch {})", manifest.epoch) }
}

fn location(store: &StorePlace) -> Location {
    match store {
        StorePlace::Directory(path) => Location::Directory(path.clone()),
        StorePlace::Url(url) => Location::of(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_jobs_begin_their_checkpoints_all_over_the_time_between_two() {
        let every = Duration::from_secs(10);
        let mut seconds = [0; 10];
        for number in 0..1_000 {
            let due = spread(every, &format!("job-{number}"));
            assert!(due > Duration::ZERO && due <= every, "{due:?}");
            seconds[((due.as_millis() - 1) / 1_000) as usize] += 1;
        }
        assert!(seconds.iter().all(|jobs| (70..130).contains(jobs)), "about a hundred in each second: {seconds:?}");
    }
}
