//! Reads what a checkpoint consists of, and says what of it is damaged.

use std::collections::BTreeMap;

use wasmill_checkpoint::{Bytes, CheckpointError, Manifest, StateFile, Store};
use wasmill_flow::Epoch;
use wasmill_state::StateError;
use wasmill_state::snapshot::{Snapshot, check_chain};

/// A state file that isn't what a checkpoint needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its name in the store.
    pub file: String,
    /// What is wrong with it, with its path.
    pub problem: String,
}

/// What was found out of the files of a store: those that several checkpoints need are read once.
#[derive(Debug, Default)]
pub struct Verification {
    /// By name and SHA-256.
    files: BTreeMap<(String, String), Result<Link, Damage>>,
}

/// What an intact file is in its chain.
#[derive(Debug, Clone, Copy)]
struct Link {
    epoch: Epoch,
    since: Option<Epoch>,
}

impl Verification {
    /// Reads every state file that a checkpoint names: its size and SHA-256, the checksums and entries of the snapshot in it, and that each goes
    /// on from the one before it. What is damaged, in the order of the manifest. (That each key group is in one chain is checked where a manifest
    /// is read.) One file is in memory at a time.
    ///
    /// # Errors
    /// [`CheckpointError`] where the store can't be asked.
    pub async fn of(&mut self, store: &Store, manifest: &Manifest) -> Result<Vec<Damage>, CheckpointError> {
        let mut damaged = Vec::new();
        for (operator, chains) in &manifest.operators {
            for chain in chains {
                let mut links = Vec::new();
                let before = damaged.len();
                for file in chain.files() {
                    let name = (file.name.to_owned(), file.sha256.to_owned());
                    if !self.files.contains_key(&name) {
                        self.files.insert(name.clone(), read(store, manifest.epoch, operator, file).await?);
                    }
                    match &self.files[&name] {
                        Ok(link) => links.push((link.epoch, link.since)),
                        Err(damage) => damaged.push(damage.clone()),
                    }
                }
                if damaged.len() == before
                    && let Err(error) = check_chain(links)
                {
                    damaged.push(damage(store, chain.name.as_str(), &error));
                }
            }
        }
        Ok(damaged)
    }
}

async fn read(store: &Store, epoch: Epoch, operator: &str, file: StateFile<'_>) -> Result<Result<Link, Damage>, CheckpointError> {
    let bytes = match store.read_object(epoch, operator, file).await {
        Ok(bytes) => bytes,
        Err(error @ (CheckpointError::Corrupt { .. } | CheckpointError::MissingObject { .. } | CheckpointError::Io { .. })) => {
            return Ok(Err(Damage { file: file.name.to_owned(), problem: error.to_string() }));
        }
        Err(error) => return Err(error),
    };
    let looked = tokio::task::spawn_blocking(move || look(&bytes)).await;
    let looked = looked.unwrap_or_else(|error| Err(StateError::Damaged(error.to_string())));
    Ok(looked.map_err(|error| damage(store, file.name, &error)))
}

/// Reads a snapshot to its end.
fn look(bytes: &Bytes) -> Result<Link, StateError> {
    let snapshot = Snapshot::open(bytes)?;
    snapshot.for_each(|_| Ok(()))?;
    Ok(Link { epoch: snapshot.epoch(), since: snapshot.since() })
}

fn damage(store: &Store, file: &str, error: &StateError) -> Damage {
    let what = match error {
        StateError::Damaged(what) => what.clone(),
        other => other.to_string(),
    };
    let error = CheckpointError::Corrupt { path: store.object_path(file), what };
    Damage { file: file.to_owned(), problem: error.to_string() }
}
