//! Requests to the store, tried again where a fault passes, and objects that are created once.
//!
//! A put that got no answer may have landed. So one that finds its name taken reads what is there: its own bytes are success, others'
//! are another's object, and nothing (S3 answers 409 to writers that met, though neither landed) is tried again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use object_store::path::Path as Name;
use object_store::{Error, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutPayload};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep, timeout};

use super::fault;
use super::upload::Upload;
use crate::error::CheckpointError;

/// How long requests are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After this long, and a second for each [`SLOWEST`] bytes that travel, a request that has no answer is given up and sent again.
    pub answer: Duration,
    /// After this long, a request that fails isn't sent again.
    pub all: Duration,
}

impl Patience {
    /// For stores over a network, while a job runs.
    pub const RUNNING: Self = Self { answer: Duration::from_secs(30), all: Duration::from_secs(60) };
    /// For stores over a network, when a job starts.
    pub const STARTING: Self = Self { answer: Duration::from_secs(10), all: Duration::from_secs(15) };
    /// For a local disk, whose calls can't be given up.
    pub const DISK: Self = Self { answer: Duration::from_secs(365 * 24 * 3600), all: Duration::ZERO };
}

/// The first pause between two tries; each is twice the one before, up to the longest, and drawn between half of it and all.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Objects with more bytes are uploaded in parts of so many: at least the 5 MiB that S3 wants.
pub const PART: usize = 8 << 20;
/// The same for directories: little enough to be in the processor's cache still.
pub const DISK_PART: usize = 1 << 20;
/// Parts that are under way at once, over a network.
const PARTS_AT_ONCE: usize = 4;

/// Bytes that travel in a second at least: slower than that, and a request is taken for lost.
const SLOWEST: u64 = 256 << 10;

/// What became of a new object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is there, durable.
    Created,
    /// Another's is there under its name.
    Taken,
}

/// A store that is asked, with patience.
#[derive(Debug, Clone)]
pub struct Requests {
    store: Arc<dyn ObjectStore>,
    /// What the store is called in errors.
    root: PathBuf,
    /// How long to try.
    pub patience: Patience,
    /// Objects with more bytes are uploaded in parts of so many.
    pub part: usize,
    /// Parts that are under way at once.
    pub parts_at_once: usize,
    /// What pauses are drawn from.
    random: Arc<Mutex<StdRng>>,
}

impl Requests {
    pub fn new(store: Arc<dyn ObjectStore>, root: PathBuf, patience: Patience, seed: u64) -> Self {
        Self {
            store,
            root,
            patience,
            part: PART,
            parts_at_once: PARTS_AT_ONCE,
            random: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    /// A number from `least` up to `end`, not with it, drawn as pauses are.
    pub fn between(&self, least: u32, end: u32) -> u32 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).random_range(least..end)
    }

    /// What an object is called in errors.
    pub fn path(&self, name: &Name) -> PathBuf {
        if name.as_ref().is_empty() { self.root.clone() } else { self.root.join(name.as_ref()) }
    }

    /// Creates an object, whole or not at all; durable.
    pub async fn create(&self, name: &Name, pieces: &[Bytes]) -> Result<Put, CheckpointError> {
        self.patiently("write", name, || self.create_once(name, pieces).boxed()).await
    }

    async fn create_once(&self, name: &Name, pieces: &[Bytes]) -> Result<Put, Error> {
        let put = if pieces.iter().map(Bytes::len).sum::<usize>() > self.part {
            self.upload(name, pieces).await
        } else {
            let payload: PutPayload = pieces.iter().cloned().collect();
            let bytes = payload.content_length() as u64;
            self.in_time(bytes, self.store.put_opts(name, payload, PutMode::Create.into())).await.map(drop)
        };
        match put {
            Ok(()) => Ok(Put::Created),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => self.settle(name, pieces).await,
            Err(error) => Err(error),
        }
    }

    /// Whose object has a name that was found taken.
    async fn settle(&self, name: &Name, pieces: &[Bytes]) -> Result<Put, Error> {
        match self.body(name).await {
            Ok(found) => Ok(if is_made_of(&found, pieces) { Put::Created } else { Put::Taken }),
            Err(Error::NotFound { .. }) => Err(fault::passing("the name was said to be taken, and nothing is there")),
            Err(error) => Err(error),
        }
    }

    /// Uploads an object in parts.
    ///
    /// Clouds have no way to complete an upload only where the name is free that `object_store` offers. Names of state files are no two
    /// writers', so there is nobody's object to be overwritten.
    async fn upload(&self, name: &Name, pieces: &[Bytes]) -> Result<(), Error> {
        let mut upload = self.begin_upload(name).await?;
        for piece in pieces {
            if let Err(error) = upload.send(piece.clone()).await {
                upload.abort().await;
                return Err(error);
            }
        }
        upload.complete().await
    }

    /// Begins an upload in parts.
    pub async fn begin_upload(&self, name: &Name) -> Result<Upload, Error> {
        let upload = self.in_time(0, self.store.put_multipart_opts(name, PutMultipartOptions::default())).await?;
        Ok(Upload::new(upload, self.part, self.parts_at_once, self.patience.answer))
    }

    /// An object's bytes; none where it isn't there.
    pub async fn get(&self, name: &Name) -> Result<Option<Bytes>, CheckpointError> {
        self.patiently("read", name, || async { found(self.body(name).await) }.boxed()).await
    }

    async fn body(&self, name: &Name) -> Result<Bytes, Error> {
        let answer = self.in_time(0, self.store.get(name)).await?;
        let size = answer.meta.size;
        let bytes = self.in_time(size, answer.bytes()).await?;
        if bytes.len() as u64 != size {
            return Err(fault::passing(format!("the answer broke off after {} of {size} bytes", bytes.len())));
        }
        Ok(bytes)
    }

    /// What the store knows of an object; none where it isn't there.
    pub async fn head(&self, name: &Name) -> Result<Option<ObjectMeta>, CheckpointError> {
        self.patiently("look at", name, || async { found(self.in_time(0, self.store.head(name)).await) }.boxed()).await
    }

    /// What is right below a name.
    pub async fn list(&self, below: &Name) -> Result<ListResult, CheckpointError> {
        self.patiently("list", below, || self.in_time(0, self.store.list_with_delimiter(Some(below))).boxed()).await
    }

    /// Deletes objects; those that aren't there are deleted.
    pub async fn delete(&self, names: &[Name]) -> Result<(), CheckpointError> {
        let Some(first) = names.first() else { return Ok(()) };
        self.patiently("delete", first, || self.delete_once(names.to_vec()).boxed()).await
    }

    async fn delete_once(&self, names: Vec<Name>) -> Result<(), Error> {
        let mut deleted = self.store.delete_stream(stream::iter(names.into_iter().map(Ok)).boxed());
        while let Some(name) = self.in_time(0, deleted.next().map(Ok)).await? {
            found(name)?;
        }
        Ok(())
    }

    /// What a request with so many bytes comes to, unless it takes too long.
    async fn in_time<T>(&self, bytes: u64, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        in_time(self.patience.answer, bytes, request).await
    }

    /// Sends a request until it succeeds, or fails for good, or patience is over.
    async fn patiently<'a, T>(
        &self,
        doing: &'static str,
        name: &Name,
        request: impl Fn() -> BoxFuture<'a, Result<T, Error>>,
    ) -> Result<T, CheckpointError> {
        let start = Instant::now();
        let mut longest = FIRST_PAUSE;
        loop {
            let error = match request().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let part = self.random.lock().unwrap_or_else(PoisonError::into_inner).random_range(0.5..=1.0);
            let pause = longest.mul_f64(part);
            if !fault::passes(&error) || start.elapsed() + pause > self.patience.all {
                return Err(fault::in_words(error, self.path(name), doing, start.elapsed()));
            }
            tracing::debug!(code = "store-retry", %name, doing, %error, "the store failed, and is asked again");
            sleep(pause).await;
            longest = (longest * 2).min(LONGEST_PAUSE);
        }
    }
}

/// What a request with so many bytes comes to, unless it takes longer than `answer` and the time that its bytes may take.
pub async fn in_time<T>(answer: Duration, bytes: u64, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let limit = answer + Duration::from_secs(bytes / SLOWEST);
    timeout(limit, request).await.unwrap_or_else(|_| Err(fault::passing("no answer in time")))
}

/// What is found, where its absence is an answer.
fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether bytes are these pieces, one after the other.
fn is_made_of(mut bytes: &[u8], pieces: &[Bytes]) -> bool {
    for piece in pieces {
        let Some(rest) = bytes.strip_prefix(&piece[..]) else { return false };
        bytes = rest;
    }
    bytes.is_empty()
}
