//! `wasmill checkpoints verify`: whether checkpoints are intact, to the last byte of their files.

use serde::Serialize;
use wasmill_checkpoint::store::Entry;
use wasmill_checkpoint::{CheckpointError, Store};
use wasmill_flow::Epoch;
use wasmill_runtime::{Damage, JobError, Verification};

/// What `verify --format json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    store: String,
    checkpoints: Vec<Checkpoint>,
}

#[derive(Debug, Serialize)]
struct Checkpoint {
    id: u64,
    /// The label of a savepoint.
    label: Option<String>,
    intact: bool,
    /// State files, and their bytes; null where the manifest can't be read.
    objects: Option<usize>,
    bytes: Option<u64>,
    problems: Vec<Problem>,
}

/// What is damaged: a state file, or the manifest where it is null.
#[derive(Debug, Serialize)]
struct Problem {
    file: Option<String>,
    problem: String,
}

/// Verifies a checkpoint or savepoint, or all that the current run has.
pub(super) async fn verify(store: &Store, name: String, id: Option<&str>) -> Result<Verified, CheckpointError> {
    let entries = match id {
        None => store.entries().await?.into_iter().chain(store.kept().await?).collect(),
        Some(id) => vec![entry(store, id).await?],
    };
    let mut verification = Verification::default();
    let mut checkpoints = Vec::new();
    for Entry { epoch, label, manifest } in entries {
        let (objects, bytes, problems) = match manifest {
            Err(error) => (None, None, vec![Problem { file: None, problem: error.to_string() }]),
            Ok(manifest) => {
                let damaged = verification.of(store, &manifest).await?;
                if !damaged.is_empty() && is_gone(store, epoch, label.as_deref()).await {
                    // A job that runs has removed it meanwhile.
                    continue;
                }
                let problem = |Damage { file, problem }| Problem { file: Some(file), problem };
                let bytes = manifest.files().map(|file| file.bytes).sum();
                (Some(manifest.files().count()), Some(bytes), damaged.into_iter().map(problem).collect())
            }
        };
        checkpoints.push(Checkpoint { id: epoch.0, label, intact: problems.is_empty(), objects, bytes, problems });
    }
    Ok(Verified { store: name, checkpoints })
}

/// The one that was asked for; that there is none is an error, that it is damaged isn't.
async fn entry(store: &Store, id: &str) -> Result<Entry, CheckpointError> {
    let (epoch, label, manifest) = match id.parse() {
        Ok(epoch) => (Epoch(epoch), None, store.show(Epoch(epoch)).await),
        Err(_) => {
            let manifest = store.show_savepoint(id).await;
            (manifest.as_ref().map_or(Epoch(0), |manifest| manifest.epoch), Some(id.to_owned()), manifest)
        }
    };
    match manifest {
        Err(error @ (CheckpointError::NotFound { .. } | CheckpointError::NoSavepoint { .. })) => Err(error),
        manifest => Ok(Entry { epoch, label, manifest }),
    }
}

async fn is_gone(store: &Store, epoch: Epoch, label: Option<&str>) -> bool {
    let found = match label {
        Some(label) => store.show_savepoint(label).await,
        None => store.show(epoch).await,
    };
    matches!(found, Err(CheckpointError::NotFound { .. } | CheckpointError::NoSavepoint { .. }))
}

impl Verified {
    /// Why the command fails: some are damaged.
    pub(super) fn failure(&self) -> Option<JobError> {
        let (intact, damaged): (Vec<&Checkpoint>, Vec<&Checkpoint>) =
            self.checkpoints.iter().partition(|checkpoint| checkpoint.intact);
        if damaged.is_empty() {
            return None;
        }
        let are = if damaged.len() == 1 { "is" } else { "are" };
        let message = format!("{}: {} of {} checkpoints {are} damaged", self.store, damaged.len(), self.checkpoints.len());
        let ids: Vec<String> =
            intact.iter().map(|checkpoint| checkpoint.label.clone().unwrap_or_else(|| checkpoint.id.to_string())).collect();
        let hint = match ids.last() {
            Some(newest) => format!("intact: {}; `wasmill run JOB --from {newest}` goes on from one", ids.join(", ")),
            None => {
                "bring the files back from a copy, or start anew with `--fresh`, which leaves what is there behind".to_owned()
            }
        };
        Some(JobError::new("checkpoint-damaged", message).with_hint(hint))
    }

    pub(super) fn as_text(&self) -> String {
        if self.checkpoints.is_empty() {
            return format!("no checkpoints in {}\n", self.store);
        }
        let mut text = String::new();
        for Checkpoint { id, label, intact, objects, bytes, problems } in &self.checkpoints {
            let id = label.as_ref().map_or_else(|| id.to_string(), |label| format!("{label} (epoch {id})"));
            let is = if *intact { "intact" } else { "damaged" };
            let files = objects.zip(*bytes).map(|(objects, bytes)| format!(", {objects} state files, {bytes} bytes"));
            text += &format!("{id}  {is}{}\n", files.unwrap_or_default());
            problems.iter().for_each(|Problem { problem, .. }| text += &format!("  {problem}\n"));
        }
        text
    }
}
