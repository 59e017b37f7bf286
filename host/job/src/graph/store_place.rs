//! Where checkpoints are kept.

use std::path::PathBuf;

/// Where checkpoints are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// A local directory.
    Directory(PathBuf),
    /// What a URL names, as `s3://bucket/prefix`.
    Url(String),
}

impl std::fmt::Display for StorePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}
