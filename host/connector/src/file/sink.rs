//! Which writer a file gets: one that writes as rows come, or one that writes epoch by epoch.

use arrow_schema::Schema;

use super::at_once::AtOnceFile;
use super::by_epoch::ByEpochFile;
use super::output::Output;
use super::{Compressed, Existing, FilePath, fault};
use crate::format::FormatOut;
use crate::{ConnectorError, Sink, Visibility};

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSinkConfig {
    /// The file. Folders that are missing are made. One file, one writer.
    pub file: FilePath,
    /// What becomes of it where it is there already.
    pub existing: Existing,
    /// How rows are written.
    pub format: FormatOut,
    /// How the file is compressed. It grows by whole members: one for each flush, or for each megabyte.
    pub compressed: Compressed,
    /// As rows come, or epoch by epoch.
    pub visibility: Visibility,
}

/// The writer of a file. Nothing is changed on disk before the first call of it.
///
/// With [`Visibility::AtOnce`] lines go to the file as they come: buffered, and written on `flush` at the latest. With
/// [`Visibility::ByEpoch`] the file grows by each committed epoch and never by more: rows of an epoch wait in a hidden file beside it.
///
/// # Errors
/// Codes `file-is-directory`; `file-not-regular` for a pipe or a device that is to be written by epoch; `file-exists` where rows are
/// written at once and a file that is there is to be refused; `type-not-in-json`, `type-not-in-csv`.
pub fn file_sink(config: FileSinkConfig, schema: &Schema) -> Result<Box<dyn Sink>, ConnectorError> {
    let output = Output::new(config.format.encoder(schema)?, config.compressed.of(&config.file.path));
    let metadata = std::fs::metadata(&config.file.path).ok();
    if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(fault::is_directory(&config.file));
    }
    match config.visibility {
        Visibility::AtOnce => {
            if config.existing == Existing::Refuse && metadata.is_some() {
                return Err(exists(&config.file));
            }
            Ok(Box::new(AtOnceFile::new(config.file, config.existing, output)))
        }
        Visibility::ByEpoch => {
            if metadata.is_some_and(|metadata| !metadata.is_file()) {
                let message = format!("{}: expected a regular file, found a pipe or a device", config.file.written);
                let hint =
                    "a job with a checkpoint must be able to cut what it writes: name a regular file, or use `connector: stdio`";
                return Err(ConnectorError::new("file-not-regular", message).with_hint(hint));
            }
            Ok(Box::new(ByEpochFile::new(config.file, config.existing, output)))
        }
    }
}

/// A file that is there, and must not be.
pub(super) fn exists(file: &FilePath) -> ConnectorError {
    ConnectorError::new(
        "file-exists",
        format!("{}: the file is there already, and the sink says `existing: refuse`", file.written),
    )
    .with_hint("move it away, choose another path, or say `existing: replace` or `existing: append`")
}

#[cfg(test)]
mod tests;
