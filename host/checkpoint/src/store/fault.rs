//! Faults of a store: which ones pass, and what they are in words.

use std::path::PathBuf;
use std::time::Duration;

use object_store::Error;

use crate::error::CheckpointError;

/// A fault that passes, as its text says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Passing(String);

/// A fault that passes, and isn't the store's to tell.
pub fn passing(what: impl Into<String>) -> Error {
    Error::Generic { store: "checkpoint", source: Box::new(Passing(what.into())) }
}

/// Whether the same request may succeed later ([`wasmill_bucket::passes`]).
pub fn passes(error: &Error) -> bool {
    matches!(error, Error::Generic { source, .. } if source.is::<Passing>()) || wasmill_bucket::passes(error)
}

/// An error of the store, for people.
pub fn in_words(error: Error, path: PathBuf, doing: &'static str, tried: Duration) -> CheckpointError {
    let passing = passes(&error);
    if let Error::Generic { source, .. } = error {
        return match source.downcast::<CheckpointError>() {
            // Of the local disk, which has its own words.
            Ok(ours) => *ours,
            Err(source) => CheckpointError::Request { path, doing, tried, passing, error: source },
        };
    }
    CheckpointError::Request { path, doing, tried, passing, error: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_store_says_passes_too() {
        assert!(passes(&passing("no answer in time")));
        assert!(!passes(&Error::Generic { store: "S3", source: "something else".into() }));
    }
}
