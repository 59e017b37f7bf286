//! The objects of one task among the parts in a bucket, and what a crash can leave of them.
//!
//! For `s3://bucket/out/`, task 3 and epoch 12:
//! - rows go to `out/.wasmill-00003-RUN-7` as they come, where RUN is a number drawn by this writer, so that no other, not even that of a
//!   process that was taken for dead, writes to it. Its seventh object, here; an epoch without rows has none.
//! - `prepare` makes it whole: from then on it is durable.
//! - `commit` copies it, inside the bucket, to `out/part-0000000012-00003.EXT`, sees that this is whole, and deletes it.
//! - `recover` does the same, and deletes hidden objects and the parts of later epochs.
//!
//! Every step can be cut short at any instant, and doing it again gives the same result: what is staged is there until it is copied, so
//! that one that isn't there any more is a part already. At a start a task also looks after the objects of tasks that there aren't any more,
//! as in a folder.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::buffered::BufWriter;
use object_store::path::Path as Name;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep};
use wasmill_flow::TaskIndex;

use super::fault;
use crate::ConnectorError;
use crate::file::{Existing, part_name};

/// What the names of objects begin with that aren't to be seen: readers of folders of parts leave them out.
const HIDDEN: &str = ".wasmill-";

/// An object with more bytes isn't copied in one request, which would take longer than an answer may; S3 would refuse 5 GB. It is read and
/// written again.
const COPIED_AT_MOST: u64 = 1 << 30;
/// How long a copy may go on behind its answer, and how often it is looked at.
const COPIED_WITHIN: Duration = Duration::from_secs(60);
const COPY_PAUSE: Duration = Duration::from_millis(100);
/// Bytes that such a copy has under way at once: 64 MiB a part, as S3 takes 10,000 of them.
const COPIED_PART: usize = 64 << 20;

/// One task's objects in a bucket.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    /// What messages say, with `/` at its end.
    pub(super) url: String,
    store: Arc<dyn ObjectStore>,
    task: TaskIndex,
    extension: String,
    run: String,
    /// [`COPIED_AT_MOST`]; less in tests.
    pub(super) copied_at_most: u64,
}

/// Rows of an epoch that are durable, and not seen yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Staged {
    /// Their hidden name.
    pub(super) object: String,
    /// Their bytes.
    pub(super) bytes: u64,
    /// The number of the part that their commit makes of them, its task, and what its name ends in.
    pub(super) number: u64,
    task: u32,
    extension: String,
}

/// An object that this task looks after.
struct Found {
    name: Name,
    task: u32,
    /// Its number as a part; none where it is hidden.
    part: Option<u64>,
}

/// What an object of this name is.
fn found(name: Name) -> Option<Found> {
    let text = name.filename()?;
    if let Some(hidden) = text.strip_prefix(HIDDEN) {
        let task = hidden.split('-').next()?.parse().ok()?;
        return Some(Found { name, task, part: None });
    }
    let (number, task) = part_name::read(text)?;
    Some(Found { name, task, part: Some(number) })
}

impl Parts {
    pub(super) fn new(url: &str, store: Arc<dyn ObjectStore>, task: TaskIndex, extension: String) -> Self {
        let run = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let url = format!("{}/", url.trim_end_matches('/'));
        Self { url, store, task, extension, run, copied_at_most: COPIED_AT_MOST }
    }

    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// The name of a part.
    pub(super) fn name(&self, number: u64) -> String {
        part_name::of(number, self.task.index, &self.extension)
    }

    /// What was put under a hidden name, with its part's number.
    pub(super) fn staged(&self, object: String, bytes: u64, number: u64) -> Staged {
        Staged { object, bytes, number, task: self.task.index, extension: self.extension.clone() }
    }

    /// What this writer's `sequence`th object is called until its commit.
    pub(super) fn hidden_name(&self, sequence: u64) -> String {
        format!("{HIDDEN}{:05}-{}-{sequence}", self.task.index, self.run)
    }

    /// A fresh start: no hidden objects, and where everything is to be written anew, no parts. The number behind which parts are counted.
    pub(super) async fn start(&self, existing: Existing) -> Result<u64, ConnectorError> {
        let found = self.found().await?;
        let last = found.iter().filter_map(|object| object.part).max();
        if existing == Existing::Refuse && last.is_some() {
            return Err(fault::exists(&self.url));
        }
        self.remove(found, |object| object.part.is_none() || existing == Existing::Replace).await?;
        Ok(if existing == Existing::Append { last.unwrap_or(0) } else { 0 })
    }

    /// Makes staged rows visible. Again: nothing changes.
    pub(super) async fn show(&self, staged: &Staged) -> Result<(), ConnectorError> {
        let Staged { object, bytes, number, task, extension } = staged;
        let part = part_name::of(*number, *task, extension);
        let (from, to) = (Name::from(object.as_str()), Name::from(part.as_str()));
        let shown = async {
            let copied = match self.copy(&from, &to, *bytes).await {
                Ok(()) => true,
                // It was copied before, and deleted.
                Err(Error::NotFound { .. }) => false,
                Err(error) => return Err(error),
            };
            let is_whole = self.is_whole(&to, *bytes, copied).await?;
            Ok((copied, is_whole))
        };
        match shown.await {
            Ok((true, true)) => self.delete(vec![from]).await,
            Ok((false, true)) => Ok(()),
            Ok((_, false)) => Err(fault::gone(&self.url, *bytes, &part)),
            Err(error) => {
                let doing = format!("{part} can't be made visible, and will be when the job goes on");
                Err(fault::request(&self.url, &doing, &error))
            }
        }
    }

    /// Whether an object is there with so many bytes. Azure may still be at its copy when it answers: that is waited for.
    async fn is_whole(&self, name: &Name, bytes: u64, may_grow: bool) -> Result<bool, Error> {
        let begun = Instant::now();
        loop {
            match self.store.head(name).await {
                Ok(found) if found.size == bytes => return Ok(true),
                Ok(_) if may_grow && begun.elapsed() < COPIED_WITHIN => sleep(COPY_PAUSE).await,
                Ok(_) | Err(Error::NotFound { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    async fn copy(&self, from: &Name, to: &Name, bytes: u64) -> Result<(), Error> {
        if bytes <= self.copied_at_most {
            return self.store.copy(from, to).await;
        }
        let mut pieces = self.store.get(from).await?.into_stream();
        let mut upload = BufWriter::with_capacity(self.store(), to.clone(), COPIED_PART).with_max_concurrency(1);
        while let Some(piece) = pieces.try_next().await? {
            upload.put(piece).await?;
        }
        upload.shutdown().await.map_err(fault::of_io)
    }

    /// Makes visible, of all tasks that this one looks after, what each had staged, and deletes what is behind its last part.
    pub(super) async fn recover(&self, staged: &[Staged], last: impl Fn(u32) -> u64) -> Result<(), ConnectorError> {
        for staged in staged {
            if self.looks_after(staged.task) {
                self.show(staged).await?;
            }
        }
        let found = self.found().await?;
        self.remove(found, |object| object.part.is_none_or(|number| number > last(object.task))).await
    }

    /// Whether this task looks after what a task has left.
    fn looks_after(&self, task: u32) -> bool {
        task % self.task.of.max(1) == self.task.index
    }

    /// The objects that this task looks after.
    async fn found(&self) -> Result<Vec<Found>, ConnectorError> {
        let listed = self.store.list_with_delimiter(None).await;
        let listed = listed.map_err(|error| fault::request(&self.url, "parts can't be listed", &error))?;
        let found = listed.objects.into_iter().filter_map(|object| found(object.location));
        Ok(found.filter(|object| self.looks_after(object.task)).collect())
    }

    async fn remove(&self, found: Vec<Found>, is_to_go: impl Fn(&Found) -> bool) -> Result<(), ConnectorError> {
        self.delete(found.into_iter().filter(is_to_go).map(|object| object.name).collect()).await
    }

    async fn delete(&self, names: Vec<Name>) -> Result<(), ConnectorError> {
        let mut deleted = self.store.delete_stream(stream::iter(names.into_iter().map(Ok)).boxed());
        while let Some(answer) = deleted.next().await {
            match answer {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => {
                    return Err(fault::request(&self.url, "an object that isn't needed any more can't be deleted", &error));
                }
            }
        }
        Ok(())
    }
}
