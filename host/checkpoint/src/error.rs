//! Why a checkpoint can't be written, found or gone on from.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmill_flow::Epoch;

/// Why a checkpoint can't be written, found or gone on from. Every one ends the job: a job never starts empty where there was a
/// checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file of a checkpoint isn't what was written.
    #[error("{}: damaged: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        what: String,
    },
    /// A file that a manifest names isn't there.
    #[error("{}: missing; checkpoint {epoch} needs it for the state of operator `{operator}`", path.display())]
    MissingObject {
        /// The file.
        path: PathBuf,
        /// The checkpoint that names it.
        epoch: Epoch,
        /// Whose state it holds.
        operator: String,
    },
    /// A manifest of a later version of the format.
    #[error("{}: written in version {found} of the manifest's format, this program reads up to version {known}", path.display())]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that this program writes.
        known: u32,
    },
    /// Another process holds the store.
    #[error("{}: in use by another process{}", path.display(), process.as_ref().map(|id| format!(" (pid {id})")).unwrap_or_default())]
    Locked {
        /// The store.
        path: PathBuf,
        /// The process's id, where it could be read.
        process: Option<String>,
    },
    /// Another process has taken the store over: what this one does no longer counts.
    #[error("{}: another process has taken it over (this one was owner {owner}, now owner {by} writes)", path.display())]
    Fenced {
        /// The store.
        path: PathBuf,
        /// This process's number.
        owner: u64,
        /// The number of one that came later.
        by: u64,
    },
    /// What should name a store doesn't.
    #[error("{url}: {what}")]
    Address {
        /// The URL.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no store.
    #[error("{}: no checkpoints were ever kept here", path.display())]
    NoStore {
        /// Where there was none.
        path: PathBuf,
    },
    /// The newest checkpoint of a bucket, which a job may be going on from.
    #[error("{}: checkpoint {epoch} is the newest, and a job may need it", path.display())]
    InUse {
        /// The store.
        path: PathBuf,
        /// The checkpoint.
        epoch: Epoch,
    },
    /// The checkpoint is another job's.
    #[error("{}: checkpoint {epoch} is of job `{found}`, not of `{expected}`", path.display())]
    OtherJob {
        /// The store.
        path: PathBuf,
        /// The checkpoint.
        epoch: Epoch,
        /// Its job.
        found: String,
        /// The job that runs.
        expected: String,
    },
    /// The job isn't what it was when the checkpoint was taken.
    #[error("checkpoint {epoch} doesn't fit the job: {what}")]
    OtherPlan {
        /// The checkpoint.
        epoch: Epoch,
        /// What differs.
        what: String,
    },
    /// There is no such checkpoint.
    #[error("{}: no checkpoint {epoch}; there {}", path.display(), list(there))]
    NotFound {
        /// The store.
        path: PathBuf,
        /// The one that was asked for.
        epoch: Epoch,
        /// Those that are there, in order.
        there: Vec<Epoch>,
    },
    /// There is no such savepoint.
    #[error("{}: no savepoint `{label}`; there {}", path.display(), list_labels(there))]
    NoSavepoint {
        /// The store.
        path: PathBuf,
        /// The one that was asked for.
        label: String,
        /// Those that are there, in order.
        there: Vec<String>,
    },
    /// A manifest for this epoch is there already.
    #[error("{}: there already; a manifest is never overwritten", path.display())]
    Exists {
        /// The manifest.
        path: PathBuf,
    },
    /// The parts that tasks handed in don't make a whole.
    #[error("checkpoint {epoch} isn't whole: {what}")]
    NotWhole {
        /// The checkpoint.
        epoch: Epoch,
        /// What is missing or too much.
        what: String,
    },
    /// The file system refused.
    #[error("{}: can't {doing}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done, as `write`.
        doing: &'static str,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// An object store refused, failed or didn't answer.
    #[error("{}: can't {doing}{}: {error}", path.display(), tried_for(*passing, *tried))]
    Request {
        /// The object.
        path: PathBuf,
        /// What was being done, as `write`.
        doing: &'static str,
        /// For how long it was tried.
        tried: Duration,
        /// Whether the same may succeed later.
        passing: bool,
        /// What the store said.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// How long was tried, where that is to the point.
fn tried_for(passing: bool, tried: Duration) -> String {
    if passing { format!(" (tried for {} s)", tried.as_secs()) } else { String::new() }
}

impl CheckpointError {
    /// A stable code, as `checkpoint-corrupt`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "checkpoint-corrupt",
            Self::MissingObject { .. } => "checkpoint-missing-object",
            Self::Newer { .. } => "checkpoint-newer-format",
            Self::Locked { .. } => "checkpoint-locked",
            Self::OtherJob { .. } => "checkpoint-other-job",
            Self::OtherPlan { .. } => "checkpoint-other-plan",
            Self::NotFound { .. } => "checkpoint-not-found",
            Self::NoSavepoint { .. } => "savepoint-not-found",
            Self::Exists { .. } => "checkpoint-exists",
            Self::NotWhole { .. } => "checkpoint-not-whole",
            Self::Io { .. } | Self::Request { .. } => "checkpoint-store",
            Self::Fenced { .. } => "checkpoint-fenced",
            Self::Address { .. } => "checkpoint-address",
            Self::NoStore { .. } => "checkpoint-no-store",
            Self::InUse { .. } => "checkpoint-in-use",
        }
    }

    /// Whether it may work when it is tried again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
        match self {
            Self::Io { error, .. } => {
                !matches!(error.kind(), NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem | Unsupported)
            }
            Self::Request { passing, .. } => *passing,
            _ => false,
        }
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Corrupt { .. } | Self::MissingObject { .. } => Some(
                "bring the file back from a copy, or go on from an older checkpoint by `--from EPOCH` (`wasmill checkpoints list` shows them), or start anew with `--fresh`, which leaves what is there behind",
            ),
            Self::Newer { .. } => Some("use the version of wasmill that wrote it, or a later one"),
            Self::Locked { .. } => Some("stop the other process, or give the jobs stores of their own (`checkpoint.store`)"),
            Self::OtherJob { .. } => Some("give each job a store of its own (`checkpoint.store`)"),
            Self::OtherPlan { .. } => {
                Some("run the job as it was; or go on with what it shares by `--from EPOCH`; or start anew with `--fresh`")
            }
            Self::NotFound { .. } | Self::NoSavepoint { .. } => Some("name one of those that are there"),
            Self::Io { .. } => Some(
                "`checkpoint.store` must be a directory on a local file system with hard links, with room, that this user may write to",
            ),
            Self::Request { passing: true, .. } => {
                Some("see that the store can be reached, and run the job again: it goes on from its last checkpoint")
            }
            Self::Request { .. } => {
                Some("see that the bucket is there, and that the keys in the environment may list, read, write and delete in it")
            }
            Self::Fenced { .. } => Some("run the job once only: it goes on in the process that came later"),
            Self::Address { .. } => Some(
                "write `checkpoint.store` as a path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory:, and set what the store wants in the environment",
            ),
            Self::NoStore { .. } => {
                Some("name what a job has as `checkpoint.store`: a directory, s3://bucket/prefix, gs://… or az://…")
            }
            Self::InUse { .. } => Some("delete older ones, or start the job with `--fresh`, which leaves all of them behind"),
            Self::Exists { .. } | Self::NotWhole { .. } => None,
        }
    }

    /// The file system refused to do something with a path.
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, doing, error }
    }
}

fn list_labels(labels: &[String]) -> String {
    match labels {
        [] => "are none".to_owned(),
        [only] => format!("is only `{only}`"),
        _ => format!("are {}", labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")),
    }
}

fn list(epochs: &[Epoch]) -> String {
    match epochs {
        [] => "are none".to_owned(),
        [only] => format!("is only {only}"),
        [.., last] if epochs.len() > 10 => format!("are {} from {} to {last}", epochs.len(), epochs[0]),
        _ => format!("are {}", epochs.iter().map(Epoch::to_string).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_was_found_and_what_to_do() {
        let path = PathBuf::from("store");
        let epoch = Epoch(42);
        let not_found = |there: Vec<u64>| CheckpointError::NotFound {
            path: "store".into(),
            epoch: Epoch(42),
            there: there.into_iter().map(Epoch).collect(),
        };
        let request = |passing| CheckpointError::Request {
            path: "s3://bucket/x".into(),
            doing: "read",
            tried: Duration::from_secs(60),
            passing,
            error: "503".into(),
        };
        let cases = [
            (
                CheckpointError::Corrupt { path: path.clone(), what: "checksum".to_owned() },
                "checkpoint-corrupt",
                "store: damaged: checksum",
            ),
            (
                CheckpointError::MissingObject { path: "o.state".into(), epoch, operator: "count".to_owned() },
                "checkpoint-missing-object",
                "o.state: missing; checkpoint 42 needs it for the state of operator `count`",
            ),
            (
                CheckpointError::Newer { path: path.clone(), found: 2, known: 1 },
                "checkpoint-newer-format",
                "store: written in version 2 of the manifest's format, this program reads up to version 1",
            ),
            (
                CheckpointError::Locked { path: path.clone(), process: Some("123".to_owned()) },
                "checkpoint-locked",
                "store: in use by another process (pid 123)",
            ),
            (
                CheckpointError::Locked { path: path.clone(), process: None },
                "checkpoint-locked",
                "store: in use by another process",
            ),
            (
                CheckpointError::OtherJob { path: path.clone(), epoch, found: "a".to_owned(), expected: "b".to_owned() },
                "checkpoint-other-job",
                "store: checkpoint 42 is of job `a`, not of `b`",
            ),
            (
                CheckpointError::OtherPlan { epoch, what: "it changed".to_owned() },
                "checkpoint-other-plan",
                "checkpoint 42 doesn't fit the job: it changed",
            ),
            (not_found(vec![]), "checkpoint-not-found", "store: no checkpoint 42; there are none"),
            (not_found(vec![3]), "checkpoint-not-found", "store: no checkpoint 42; there is only 3"),
            (not_found(vec![3, 4]), "checkpoint-not-found", "store: no checkpoint 42; there are 3, 4"),
            (not_found((1..=20).collect()), "checkpoint-not-found", "store: no checkpoint 42; there are 20 from 1 to 20"),
            (
                CheckpointError::Exists { path: path.clone() },
                "checkpoint-exists",
                "store: there already; a manifest is never overwritten",
            ),
            (
                CheckpointError::NotWhole { epoch, what: "a part".to_owned() },
                "checkpoint-not-whole",
                "checkpoint 42 isn't whole: a part",
            ),
            (
                CheckpointError::Fenced { path: path.clone(), owner: 3, by: 4 },
                "checkpoint-fenced",
                "store: another process has taken it over (this one was owner 3, now owner 4 writes)",
            ),
            (
                CheckpointError::Address { url: "s3://".to_owned(), what: "expected a bucket".to_owned() },
                "checkpoint-address",
                "s3://: expected a bucket",
            ),
            (CheckpointError::NoStore { path: path.clone() }, "checkpoint-no-store", "store: no checkpoints were ever kept here"),
            (
                CheckpointError::InUse { path: path.clone(), epoch },
                "checkpoint-in-use",
                "store: checkpoint 42 is the newest, and a job may need it",
            ),
            (request(true), "checkpoint-store", "s3://bucket/x: can't read (tried for 60 s): 503"),
            (request(false), "checkpoint-store", "s3://bucket/x: can't read: 503"),
            (
                CheckpointError::Io { path, doing: "write", error: io::ErrorKind::StorageFull.into() },
                "checkpoint-store",
                "store: can't write: no storage space",
            ),
        ];
        for (error, code, text) in cases {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.code(), code);
            let of_ours = matches!(error, CheckpointError::Exists { .. } | CheckpointError::NotWhole { .. });
            assert_eq!(error.hint().is_some(), !of_ours, "{code}");
        }
    }
}
