//! An object that is uploaded in parts, as its pieces come.

use std::time::Duration;

use bytes::Bytes;
use object_store::{Error, MultipartUpload, PutPayload};
use tokio::task::JoinSet;

use super::requests::in_time;

/// An upload under way. Nothing is under the object's name before it is completed; one that is dropped leaves at most parts, which are the
/// bucket's to expire (`docs/formats/store.md` says how).
#[derive(Debug)]
pub struct Upload {
    upload: Box<dyn MultipartUpload>,
    /// The bytes of each part but the last.
    size: usize,
    /// How many parts may be under way at once.
    at_once: usize,
    /// How long a request without bytes may take.
    answer: Duration,
    part: Vec<Bytes>,
    filled: usize,
    under_way: JoinSet<Result<(), Error>>,
}

impl Upload {
    /// An upload that has begun, in parts of `size` bytes, so many of them at once.
    pub fn new(upload: Box<dyn MultipartUpload>, size: usize, at_once: usize, answer: Duration) -> Self {
        Self { upload, size, at_once, answer, part: Vec::new(), filled: 0, under_way: JoinSet::new() }
    }

    /// Takes the next piece. Parts that are full are on their way when this returns, and go on while others come.
    ///
    /// # Errors
    /// Where a part, this or an earlier one, wasn't taken: the upload is to be aborted.
    pub async fn send(&mut self, mut piece: Bytes) -> Result<(), Error> {
        while !piece.is_empty() {
            let fitting = piece.split_to(piece.len().min(self.size - self.filled));
            self.filled += fitting.len();
            self.part.push(fitting);
            if self.filled == self.size {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), Error> {
        while self.under_way.len() >= self.at_once {
            self.part_arrives().await?;
        }
        let bytes = std::mem::take(&mut self.filled) as u64;
        let sent = self.upload.put_part(self.part.drain(..).collect::<PutPayload>());
        let answer = self.answer;
        self.under_way.spawn(async move { in_time(answer, bytes, sent).await });
        Ok(())
    }

    async fn part_arrives(&mut self) -> Result<(), Error> {
        self.under_way.join_next().await.map_or(Ok(()), |joined| joined.map_err(Error::from).flatten())
    }

    /// Sends what is left, and has the object appear under its name.
    ///
    /// # Errors
    /// Where that fails: nothing is there then, or all of it, where only the answer was lost.
    pub async fn complete(mut self) -> Result<(), Error> {
        let completed = self.try_complete().await;
        if completed.is_err() {
            self.abort().await;
        }
        completed
    }

    async fn try_complete(&mut self) -> Result<(), Error> {
        if self.filled > 0 {
            self.send_part().await?;
        }
        while !self.under_way.is_empty() {
            self.part_arrives().await?;
        }
        in_time(self.answer, 0, self.upload.complete()).await.map(drop)
    }

    /// Gives it up, and has its parts dropped. Where that fails too, they are the bucket's to expire.
    pub async fn abort(mut self) {
        self.under_way.shutdown().await;
        let _ = in_time(self.answer, 0, self.upload.abort()).await;
    }
}
