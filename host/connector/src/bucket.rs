//! Objects of rows in buckets: S3, Google's and Azure's.
//!
//! A bucket's objects are whole or not there, and none grows or is renamed. So rows go to a new part, as to a folder of a disk
//! ([`mod@crate::file`]): one for each task and epoch, staged under a hidden name, and copied to its own by the commit
//! (`docs/decisions/0022-parts-in-buckets-are-staged-and-copied.md`).

mod at_once;
mod by_epoch;
mod fault;
mod object;
mod parts;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::Schema;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use wasmill_flow::TaskIndex;

use crate::file::part::PartFormat;
use crate::file::{Compressed, Existing, FileFormat};
use crate::{ConnectorError, Sink, Visibility};

use self::at_once::PartAtOnce;
use self::by_epoch::PartsByEpoch;
use self::parts::Parts;

/// A request that has no answer after this long is sent again.
const ANSWER: Duration = Duration::from_secs(60);
/// One that was begun longer ago than this, and fails, isn't: the sink fails, and a job with checkpoints goes on from the last.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rows to be written to a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSinkConfig {
    /// Its URL, with what the names of parts begin with: `s3://bucket/prefix/`, `gs://…`, `az://…`.
    pub url: String,
    /// What becomes of parts that are there already.
    pub existing: Existing,
    /// How rows are written.
    pub format: FileFormat,
    /// How parts of rows are compressed.
    pub compressed: Compressed,
    /// As the parts are whole, or epoch by epoch.
    pub visibility: Visibility,
    /// The writer's task.
    pub task: TaskIndex,
}

/// The writer of one task's parts in a bucket. Nothing is asked of the bucket before the first call of it.
///
/// With [`Visibility::ByEpoch`] there is a `part-EPOCH-TASK.EXT` with each commit, none for an epoch without rows; with
/// [`Visibility::AtOnce`] a `part-1-TASK.EXT`, which is there once the sink is closed. `append` counts on from the parts that are there.
///
/// Four pieces of 8 MiB are on their way at most, and one is being filled; with what its HTTP client holds, a process was seen to have 75 MiB more than
/// with a folder. No budget counts them.
///
/// # Errors
/// Code `bucket-address` where the URL is no bucket's, or the environment lacks what its cloud wants; those of the format for columns that
/// it can't have.
pub fn bucket_sink(config: BucketSinkConfig, schema: &Schema) -> Result<Box<dyn Sink>, ConnectorError> {
    let client = ClientOptions::new().with_timeout(ANSWER);
    let retry = RetryConfig { retry_timeout: PATIENCE, ..RetryConfig::default() };
    let store = wasmill_bucket::open(&config.url, client, retry).map_err(fault::address)?;
    sink_on(store, config, schema)
}

/// The same on the objects that the URL stands for.
fn sink_on(store: Arc<dyn ObjectStore>, config: BucketSinkConfig, schema: &Schema) -> Result<Box<dyn Sink>, ConnectorError> {
    let BucketSinkConfig { url, existing, format, compressed, visibility, task } = config;
    let format = PartFormat::new(format, compressed.of(Path::new(&url)), schema)?;
    let parts = Parts::new(&url, store, task, format.extension());
    Ok(match visibility {
        Visibility::ByEpoch => Box::new(PartsByEpoch::new(parts, existing, format)),
        Visibility::AtOnce => Box::new(PartAtOnce::new(parts, existing, format)),
    })
}

#[cfg(test)]
mod tests;
