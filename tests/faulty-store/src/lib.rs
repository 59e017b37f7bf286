//! An object store around another that fails as it is told to, and keeps a log of what it was asked; and real ones ([`minio`], [`azurite`]). For tests.
//!
//! Rules say which requests are slow or fail, how often, and how; chances are drawn from a seed, and time is tokio's, so that a test
//! with a paused clock sees the same each time.

pub mod azurite;
mod contents;
pub mod minio;
mod rule;
mod tools;
mod upload;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Duration, Instant, sleep};

pub use crate::rule::{Fault, Op, Rule};
use crate::upload::FaultyUpload;

/// What was asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When, since the store was made.
    pub at: Duration,
    /// What for.
    pub op: Op,
    /// Of which object, or below which name.
    pub name: String,
    /// The fault that came of it; none where the store inside answered.
    pub fault: Option<Fault>,
}

/// The store.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    rules: Vec<Rule>,
    random: StdRng,
    log: Vec<Asked>,
    start: Instant,
}

impl std::fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

impl FaultyStore {
    /// A store that doesn't fail yet.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, seed: u64) -> Self {
        let shared = Shared { rules: Vec::new(), random: StdRng::seed_from_u64(seed), log: Vec::new(), start: Instant::now() };
        Self { inner, shared: Arc::new(Mutex::new(shared)) }
    }

    /// Adds a rule; all that fit act, delays together, and of those that fail the first.
    pub fn rule(&self, rule: Rule) {
        self.shared().rules.push(rule);
    }

    /// Takes all rules away.
    pub fn heal(&self) {
        self.shared().rules.clear();
    }

    /// Everything that was asked, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Asked> {
        self.shared().log.clone()
    }

    /// How often something was asked.
    #[must_use]
    pub fn count(&self, op: Op) -> usize {
        self.shared().log.iter().filter(|asked| asked.op == op).count()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes of a request, after its delays.
    async fn meets(&self, op: Op, name: &str, bytes: usize) -> Option<Fault> {
        let (delay, fault) = {
            let mut shared = self.shared();
            let Shared { rules, random, log, start } = &mut *shared;
            let (mut delay, mut fault) = (Duration::ZERO, None);
            for rule in rules.iter_mut() {
                if !rule.fits(op, name) || !random.random_bool(rule.chance) {
                    continue;
                }
                match rule.fault {
                    Fault::Delay { least, most } => delay += random.random_range(least..=most),
                    Fault::Bandwidth { bytes_per_second } => {
                        delay += Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / bytes_per_second.max(1))
                    }
                    _ if fault.is_some() => continue,
                    failing => fault = Some(failing),
                }
                rule.spend();
            }
            log.push(Asked { at: start.elapsed(), op, name: name.to_owned(), fault });
            (delay, fault)
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        fault
    }

    /// A request that is applied, or not, as the fault says.
    async fn apply<T>(&self, op: Op, name: &Path, bytes: usize, request: impl Future<Output = Result<T>>) -> Result<T> {
        self.answer(op, name, bytes, request).await.map(|(answer, _)| answer)
    }

    /// With the fault that the answer's body is to have, if any.
    async fn answer<T>(
        &self,
        op: Op,
        name: &Path,
        bytes: usize,
        request: impl Future<Output = Result<T>>,
    ) -> Result<(T, Option<Fault>)> {
        match self.meets(op, name.as_ref(), bytes).await {
            None | Some(Fault::Delay { .. } | Fault::Bandwidth { .. }) => Ok((request.await?, None)),
            Some(spoiled @ (Fault::Short | Fault::Garbled)) => Ok((request.await?, Some(spoiled))),
            Some(Fault::DropReply) => {
                request.await?;
                Err(interrupted())
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Status(status)) => Err(generic(format!("Server returned non-2xx status code: {status}: told to fail"))),
            Some(Fault::Conflict) => {
                Err(Error::AlreadyExists { path: name.to_string(), source: "409, and nothing landed".into() })
            }
            Some(Fault::Precondition) => {
                Err(Error::Precondition { path: name.to_string(), source: "412, and nothing landed".into() })
            }
        }
    }
}

fn generic(text: String) -> Error {
    Error::Generic { store: "faulty", source: text.into() }
}

/// The connection is gone, and nobody knows what became of the request.
fn interrupted() -> Error {
    let gone = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Error::Generic { store: "faulty", source: Box::new(HttpError::new(HttpErrorKind::Interrupted, gone)) }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, name: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let bytes = payload.content_length();
        self.apply(Op::Put, name, bytes, self.inner.put_opts(name, payload, options)).await
    }

    async fn put_multipart_opts(&self, name: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.apply(Op::Upload, name, 0, self.inner.put_multipart_opts(name, options)).await?;
        Ok(Box::new(FaultyUpload::new(self.clone(), name.clone(), upload)))
    }

    async fn get_opts(&self, name: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            return self.apply(Op::Head, name, 0, self.inner.get_opts(name, options)).await;
        }
        let size = self.inner.head(name).await.map_or(0, |meta| usize::try_from(meta.size).unwrap_or(usize::MAX));
        match self.answer(Op::Get, name, size, self.inner.get_opts(name, options)).await? {
            (answer, Some(fault)) => spoiled(answer, fault).await,
            (answer, None) => Ok(answer),
        }
    }

    fn delete_stream(&self, names: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        names
            .and_then(move |name| {
                let this = this.clone();
                async move { this.apply(Op::Delete, &name, 0, this.inner.delete(&name)).await.map(|()| name) }
            })
            .boxed()
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, below) = (self.clone(), below.cloned());
        let name = below.clone().unwrap_or_default();
        let listed = async move {
            let all = this.inner.list(below.as_ref()).try_collect::<Vec<_>>();
            this.apply(Op::List, &name, 0, all).await
        };
        let each = |listed: Result<Vec<_>>| match listed {
            Ok(all) => stream::iter(all.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        };
        stream::once(listed).flat_map(each).boxed()
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        let name = below.cloned().unwrap_or_default();
        self.apply(Op::List, &name, 0, self.inner.list_with_delimiter(below)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.apply(Op::Copy, to, 0, self.inner.copy_opts(from, to, options)).await
    }
}

/// An answer whose body breaks off in the middle, or has a bit that is wrong there.
async fn spoiled(answer: GetResult, fault: Fault) -> Result<GetResult> {
    let (meta, range, attributes) = (answer.meta.clone(), answer.range.clone(), answer.attributes.clone());
    let mut bytes = Vec::from(answer.bytes().await?);
    let middle = bytes.len() / 2;
    match (fault, bytes.get_mut(middle)) {
        (Fault::Garbled, Some(byte)) => *byte ^= 1,
        _ => bytes.truncate(middle),
    }
    let payload = GetResultPayload::Stream(stream::once(async move { Ok(Bytes::from(bytes)) }).boxed());
    Ok(GetResult { payload, meta, range, attributes })
}
