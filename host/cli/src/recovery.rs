//! Opens a job's store of checkpoints and says what the job goes on from, or leaves behind.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use wasmill_checkpoint::coordinator::Cadence;
use wasmill_checkpoint::recovery::{Fit, choose};
use wasmill_checkpoint::{CheckpointError, Choice, JobFacts, Location, Manifest, Store};
use wasmill_flow::Epoch;
use wasmill_job::graph::{Checkpoint, StorePlace};
use wasmill_runtime::Durability;

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
    /// A checkpoint of this epoch, or a savepoint of this label; the job may have changed since.
    From {
        /// The epoch or the label.
        id: String,
        /// State, sources and sinks that the job doesn't have any more are left out.
        allow_unmatched: bool,
    },
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

/// Opens a job's store.
///
/// # Errors
/// Where the store can't be used, or the checkpoint isn't there, isn't intact or isn't this job's.
pub async fn open(checkpoint: &Checkpoint, job: &str, start: &Start) -> Result<Opened, CheckpointError> {
    let location = location(&checkpoint.store);
    // A bucket is taken over when it is opened: not by a job that couldn't go on from it.
    if let (Location::Bucket(_), Start::Newest) = (&location, start) {
        match Store::look(&location).await {
            Ok(store) => drop(store.latest(job).await?),
            Err(CheckpointError::NoStore { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut store = Store::open(&location).await?;
    let shown = &checkpoint.store;
    let (restored, fit) = match start {
        Start::From { id, allow_unmatched } => {
            let manifest = match id.parse() {
                Ok(epoch) => store.read(Epoch(epoch), job).await?,
                Err(_) => store.read_savepoint(id, job).await?,
            };
            report::remark("going-on", &format!("going on from {} in {shown}, as asked for", named(id, &manifest)));
            (Some(manifest), Fit::Changed { allow_unmatched: *allow_unmatched })
        }
        Start::Newest | Start::Fresh => match choose(*start == Start::Fresh, &store.epochs().await?) {
            Choice::Empty => (None, Fit::Same),
            Choice::LeaveBehind => {
                if let Some(left) = store.fresh().await? {
                    report::remark("starting-anew", &format!("starting anew: {left}"));
                }
                (None, Fit::Same)
            }
            Choice::Restore(epoch) => {
                let manifest = store.read(epoch, job).await?;
                let last = if manifest.last { ", taken when it ended or was stopped" } else { "" };
                report::remark("going-on", &format!("going on from checkpoint {epoch} in {shown}{last}"));
                (Some(manifest), Fit::Same)
            }
        },
    };
    let mut first = store.begin(restored.as_ref().map(|manifest| manifest.epoch)).await?;
    let soon = fit != Fit::Same;
    if let (Some(manifest), true) = (&restored, soon) {
        // From now on this is the newest: who runs the job again goes on from here, and not from what was the newest before.
        store.write(&Manifest { epoch: first, ..manifest.clone() }).await?;
        first = first.next();
    }
    Ok(Opened { store, restored, first, fit, soon })
}

/// Opens it again for a job that goes on after a fault, in this process.
///
/// # Errors
/// Those of [`open`].
pub async fn reopen(checkpoint: &Checkpoint, job: &str, fit: Fit) -> Result<Opened, CheckpointError> {
    let mut waited = Duration::ZERO;
    loop {
        match open(checkpoint, job, &Start::Newest).await {
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
        let cadence = Cadence::of_job(&facts.name, checkpoint.every, checkpoint.base_every, checkpoint.timeout);
        Durability {
            store: Arc::new(store),
            cadence: Cadence { first_after: if soon { Duration::ZERO } else { cadence.first_after }, ..cadence },
            retain: NonZero::new(checkpoint.retain).unwrap_or(NonZero::<usize>::MIN),
            facts,
            first,
            restored,
            fit,
        }
    }
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
