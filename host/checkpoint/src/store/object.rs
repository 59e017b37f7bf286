//! A state file while it is written.

use std::ops::Range;

use bytes::Bytes;
use object_store::path::Path as Name;
use sha2::{Digest, Sha256};

use super::requests::{Put, Requests};
use crate::error::CheckpointError;
use crate::part::StateObject;

/// State files with more bytes are hashed off the caller's thread.
const HASHED_AT_ONCE: usize = 256 << 10;

/// A state file that is being written. Nothing of it is in the store before [`Self::finish`].
#[derive(Debug)]
pub struct ObjectWriter {
    requests: Requests,
    /// Where it will be.
    name: Name,
    pieces: Vec<Bytes>,
}

impl ObjectWriter {
    pub(super) fn new(requests: Requests, name: Name) -> Self {
        Self { requests, name, pieces: Vec::new() }
    }

    /// Appends a piece of a snapshot, which is kept until the file is finished.
    pub fn write(&mut self, piece: impl Into<Bytes>) {
        self.pieces.push(piece.into());
    }

    /// Makes the file durable under its name; what a manifest must say of it. `groups` are the key groups whose state it holds.
    ///
    /// # Errors
    /// [`CheckpointError::Io`], [`CheckpointError::Request`].
    pub async fn finish(self, groups: Range<u32>) -> Result<StateObject, CheckpointError> {
        let Self { requests, name, pieces } = self;
        let (sha256, bytes) = digest(pieces.clone()).await;
        if requests.create(&name, &pieces).await? == Put::Taken {
            return Err(CheckpointError::Exists { path: requests.path(&name) });
        }
        let name = name.filename().unwrap_or_default().to_owned();
        Ok(StateObject { name, sha256, bytes, first_group: groups.start, end_group: groups.end, deltas: Vec::new() })
    }
}

/// The SHA-256 of pieces, one after the other, and how many bytes they are.
pub(super) async fn digest(pieces: Vec<Bytes>) -> (String, u64) {
    let bytes = pieces.iter().map(Bytes::len).sum::<usize>();
    let hash = move || {
        let hash = pieces.iter().fold(Sha256::new(), Sha256::chain_update);
        format!("{:x}", hash.finalize())
    };
    let sha256 = if bytes > HASHED_AT_ONCE {
        // It fails where the runtime ends, and with it everything that waits for the hash.
        tokio::task::spawn_blocking(hash.clone()).await.unwrap_or_else(|_| hash())
    } else {
        hash()
    };
    (sha256, bytes as u64)
}
