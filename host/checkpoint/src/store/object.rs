//! A state file while it is written.

use std::ops::Range;

use bytes::Bytes;
use object_store::Error;
use object_store::path::Path as Name;
use sha2::{Digest, Sha256};

use super::requests::{Put, Requests};
use super::upload::Upload;
use crate::error::CheckpointError;
use crate::part::StateObject;

/// Bytes that come at once and are more are hashed off the caller's thread.
const HASHED_AT_ONCE: usize = 256 << 10;

/// A state file that is being written. Nothing is under its name before [`Self::finish`].
///
/// Its pieces are sent while they come, as parts of an upload, once they are more than one part: so they are hashed and written while they are
/// in the processor's cache, and little is left to do when the last comes. They are kept until the file is finished: where the store fails meanwhile
/// all of it is sent again.
#[derive(Debug)]
pub struct ObjectWriter {
    requests: Requests,
    /// Where it will be.
    name: Name,
    pieces: Vec<Bytes>,
    bytes: usize,
    hash: Sha256,
    ahead: Ahead,
}

/// What is sent before the file is finished.
#[derive(Debug)]
enum Ahead {
    /// Nothing yet: there is less than a part.
    Nothing,
    /// All pieces so far.
    Upload(Box<Upload>),
    /// Nothing any more: the store failed, or the file is finished.
    GivenUp,
}

impl ObjectWriter {
    pub(super) fn new(requests: Requests, name: Name) -> Self {
        Self { requests, name, pieces: Vec::new(), bytes: 0, hash: Sha256::new(), ahead: Ahead::Nothing }
    }

    /// Appends a piece of a snapshot. Waits where the store is slower than pieces come; where it fails, [`Self::finish`] says so.
    pub async fn write(&mut self, piece: impl Into<Bytes>) {
        let piece = piece.into();
        self.bytes += piece.len();
        self.hash.update(&piece);
        self.pieces.push(piece.clone());
        if let Err(error) = self.send_ahead(piece).await {
            tracing::debug!(code = "store-retry", name = %self.name, %error, "the store failed, and is sent all of the file when it is finished");
            if let Ahead::Upload(upload) = std::mem::replace(&mut self.ahead, Ahead::GivenUp) {
                upload.abort().await;
            }
        }
    }

    async fn send_ahead(&mut self, piece: Bytes) -> Result<(), Error> {
        match &mut self.ahead {
            Ahead::Nothing if self.bytes > self.requests.part => {
                let mut upload = self.requests.begin_upload(&self.name).await.inspect_err(|_| self.ahead = Ahead::GivenUp)?;
                let mut sent = Ok(());
                for piece in &self.pieces {
                    sent = upload.send(piece.clone()).await;
                    if sent.is_err() {
                        break;
                    }
                }
                self.ahead = Ahead::Upload(Box::new(upload));
                sent
            }
            Ahead::Upload(upload) => upload.send(piece).await,
            Ahead::Nothing | Ahead::GivenUp => Ok(()),
        }
    }

    /// Makes the file durable under its name; what a manifest must say of it. `groups` are the key groups whose state it holds. After an error
    /// it may be called again.
    ///
    /// # Errors
    /// [`CheckpointError::Io`], [`CheckpointError::Request`].
    pub async fn finish(&mut self, groups: Range<u32>) -> Result<StateObject, CheckpointError> {
        let is_there = match std::mem::replace(&mut self.ahead, Ahead::GivenUp) {
            Ahead::Upload(upload) => upload.complete().await.is_ok(),
            Ahead::Nothing | Ahead::GivenUp => false,
        };
        if !is_there && self.requests.create(&self.name, &self.pieces).await? == Put::Taken {
            return Err(CheckpointError::Exists { path: self.requests.path(&self.name) });
        }
        let name = self.name.filename().unwrap_or_default().to_owned();
        let sha256 = format!("{:x}", self.hash.clone().finalize());
        Ok(StateObject {
            name,
            sha256,
            bytes: self.bytes as u64,
            first_group: groups.start,
            end_group: groups.end,
            deltas: Vec::new(),
        })
    }
}

/// The SHA-256 of bytes.
pub(super) async fn digest(bytes: Bytes) -> String {
    let at_once = bytes.len() <= HASHED_AT_ONCE;
    let hash = move || format!("{:x}", Sha256::digest(&bytes));
    if at_once {
        hash()
    } else {
        // It fails where the runtime ends, and with it everything that waits for the hash.
        tokio::task::spawn_blocking(hash.clone()).await.unwrap_or_else(|_| hash())
    }
}
