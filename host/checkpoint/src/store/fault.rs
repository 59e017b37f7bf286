//! Faults of a store: which ones pass, and what they are in words.

use std::path::PathBuf;
use std::time::Duration;

use object_store::Error;
use object_store::client::HttpError;

use crate::error::CheckpointError;

/// A fault that passes, as its text says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Passing(String);

/// A fault that passes, and isn't the store's to tell.
pub fn passing(what: impl Into<String>) -> Error {
    Error::Generic { store: "checkpoint", source: Box::new(Passing(what.into())) }
}

/// Whether the same request may succeed later: the store was overloaded, failed inside or couldn't be reached. What it refuses for a
/// reason, as rights, stays refused.
pub fn passes(error: &Error) -> bool {
    let Error::Generic { source, .. } = error else { return false };
    if source.is::<Passing>() {
        return true;
    }
    if let Some(status) = status(&error.to_string()) {
        return matches!(status, 408 | 429 | 500..=599);
    }
    let mut cause = Some(source.as_ref() as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if error.is::<HttpError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The status of an HTTP answer in an error's text: `object_store` has no other way to it.
fn status(text: &str) -> Option<u16> {
    text.split_once("status code: ")?.1.get(..3)?.parse().ok()
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

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn overload_and_faults_inside_the_store_pass() {
        for text in
            ["503 Service Unavailable: SlowDown", "429 Too Many Requests", "500 Internal Server Error", "408 Request Timeout"]
        {
            assert!(passes(&generic(&format!("Server returned non-2xx status code: {text}"))), "{text}");
        }
        assert!(passes(&passing("no answer in time")));
    }

    #[test]
    fn what_the_store_refuses_for_a_reason_does_not_pass() {
        assert!(!passes(&generic("Server returned non-2xx status code: 400 Bad Request")));
        assert!(!passes(&generic("something else")));
        assert!(!passes(&Error::PermissionDenied { path: "x".to_owned(), source: "no".into() }));
    }
}
