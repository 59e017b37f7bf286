//! Local files of rows.

mod at_once;
mod by_epoch;
mod compression;
pub(crate) mod fault;
mod follow;
mod listing;
mod output;
pub(crate) mod part;
pub(crate) mod part_name;
mod parts;
mod parts_sink;
mod position;
mod reader;
pub(crate) mod sink;
mod source;
mod staged;
mod whole;

use std::path::PathBuf;

pub use compression::{Compressed, Compression};
pub use follow::FollowSource;
pub use part::FileFormat;
pub(crate) use reader::open as open_regular;
pub use sink::{FileSinkConfig, file_sink};
pub use source::{FileSource, FileSourceConfig};

/// A file, and what the job calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath {
    /// The path as the job has it, for messages.
    pub written: String,
    /// The path, absolute or relative to the working directory.
    pub path: PathBuf,
}

/// What becomes of an output file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It is written anew.
    #[default]
    Replace,
    /// Rows are added to it, without a second header. Where its last line has no end, it is given one first.
    Append,
    /// The job doesn't start.
    Refuse,
}
