//! What is said when a bucket can't be used.

use std::io;

use object_store::Error;
use wasmill_bucket::AddressError;

use crate::ConnectorError;

/// A URL that is no bucket's, or an environment that lacks what its cloud wants.
pub(super) fn address(error: AddressError) -> ConnectorError {
    ConnectorError::new("bucket-address", error.to_string())
        .with_hint("write `path` as s3://bucket/prefix/, gs://bucket/prefix/ or az://container/prefix/, and set what the store wants in the environment")
}

/// A request that failed; `doing` says what can't be done, with which object, and what became of the rows.
pub(super) fn request(url: &str, doing: &str, error: &Error) -> ConnectorError {
    let message = format!("{url}: {doing}: {error}");
    if wasmill_bucket::passes(error) {
        ConnectorError::new("bucket-failed", message)
            .with_hint("see that the bucket can be reached; a job with a `checkpoint` goes on from its last one")
    } else {
        ConnectorError::new("bucket-refused", message).with_hint(
            "see that the bucket is there, and that the keys in the environment may list, read, write and delete in it",
        )
    }
}

/// A part that a checkpoint has, and the bucket hasn't.
pub(super) fn gone(url: &str, bytes: u64, part: &str) -> ConnectorError {
    let message = format!("{url}: expected the {bytes} bytes of {part}, which a checkpoint has, found no object with as many");
    ConnectorError::new("output-changed", message)
        .with_hint("put back the objects that the job was writing, with its hidden ones, or start with --fresh")
}

/// Parts that are there, and must not be.
pub(super) fn exists(url: &str) -> ConnectorError {
    ConnectorError::new("file-exists", format!("{url}: parts are there already, and the sink says `existing: refuse`"))
        .with_hint("move them away, choose another path, or say `existing: replace` or `existing: append`")
}

/// The bucket's error behind one of writing, or that of the encoder.
pub(super) fn of_io(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::Generic { store: "encoder", source: Box::new(error) },
    }
}
