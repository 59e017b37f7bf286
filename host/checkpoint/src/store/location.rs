//! Where a store is: a local directory, a bucket, or memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::{ClientOptions, ObjectStore, RetryConfig};
use wasmill_bucket::AddressError;

use crate::error::CheckpointError;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory of a local file system.
    Directory(PathBuf),
    /// A bucket and what its objects' names begin with, as `s3://bucket/prefix`; `gs` for Google's, `az` for Azure's. Keys and everything
    /// else come from the environment variables that these clouds' own tools read.
    Bucket(String),
    /// This process's memory: gone with the store.
    Memory,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket(url) => f.write_str(url),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

impl Location {
    /// Reads what a command was given: a URL, `memory:`, or else the path of a directory.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "memory:" => Self::Memory,
            text if text.contains("://") => Self::Bucket(text.to_owned()),
            path => Self::Directory(path.into()),
        }
    }

    /// The objects of a bucket; nothing is asked of it yet.
    pub(super) fn bucket(url: &str) -> Result<Arc<dyn ObjectStore>, CheckpointError> {
        // How long a request may take depends on its bytes: `requests.rs` sees to that.
        let client = ClientOptions::new().with_timeout_disabled();
        // Requests are sent again by `requests.rs`, and parts of uploads, which only the client can send again, here.
        let retry = RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(10), ..RetryConfig::default() };
        wasmill_bucket::open(url, client, retry).map_err(|AddressError { url, what }| CheckpointError::Address { url, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_s_place_is_a_path_unless_it_is_a_url() {
        assert_eq!(Location::of("memory:"), Location::Memory);
        assert_eq!(Location::of("s3://bucket/prefix"), Location::Bucket("s3://bucket/prefix".to_owned()));
        assert_eq!(Location::of("./store"), Location::Directory("./store".into()));
    }
}
