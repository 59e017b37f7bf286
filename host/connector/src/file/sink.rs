//! Which writer a file or a folder gets: one that writes as rows come, one that writes a whole file, or one that writes epoch by epoch.

use arrow_schema::Schema;
use wasmill_flow::TaskIndex;

use super::at_once::AtOnceFile;
use super::by_epoch::ByEpochFile;
use super::part::{FileFormat, PartFormat};
use super::parts::Parts;
use super::parts_sink::{OpenPart, PartAtOnce, PartsByEpoch};
use super::whole::WholeFile;
use super::{Existing, FilePath, fault};
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
    pub format: FileFormat,
    /// As rows come, or epoch by epoch.
    pub visibility: Visibility,
    /// Where the path is a folder, which gets a file for each task, and with epochs for each task and epoch: the writer's task.
    pub parts: Option<TaskIndex>,
}

/// The writer of a file, or of one task's files in a folder. Nothing is changed on disk before the first call of it.
///
/// With [`Visibility::AtOnce`] lines go to the file as they come: buffered, and written on `flush` at the latest; columns go to
/// `PATH.partial`, which is renamed at the end. With [`Visibility::ByEpoch`] the file grows by each committed epoch and never by more:
/// rows of an epoch wait in a hidden file beside it. A folder gets `part-EPOCH-TASK.EXT` with each commit, or `part-1-TASK.EXT` where
/// there are no epochs; `append` counts on from the parts that are there.
///
/// # Errors
/// Codes `file-is-directory`, `file-is-no-directory`; `file-not-regular` for a pipe or a device that is to be written by epoch;
/// `file-exists` where rows are written at once and a file that is there is to be refused; `file-not-by-epoch` for columns in one file
/// by epoch; `file-not-appendable` for columns that are to be added to a file; those of the format for columns that it can't have.
pub fn file_sink(config: FileSinkConfig, schema: &Schema) -> Result<Box<dyn Sink>, ConnectorError> {
    if let Some(task) = config.parts {
        return folder_sink(config, task, schema);
    }
    match config.format {
        FileFormat::Rows(format) => line_sink(config, format, schema),
        FileFormat::Columns(_) => whole_sink(config, schema),
    }
}

/// The writer of one task's files in a folder.
fn folder_sink(config: FileSinkConfig, task: TaskIndex, schema: &Schema) -> Result<Box<dyn Sink>, ConnectorError> {
    if std::fs::metadata(&config.file.path).is_ok_and(|metadata| !metadata.is_dir()) {
        let message = format!("{}: expected a folder, found a file", config.file.written);
        let hint = "a path that ends in `/` is a folder of parts: move the file away, or take the `/` from the path";
        return Err(ConnectorError::new("file-is-no-directory", message).with_hint(hint));
    }
    let format = PartFormat::new(config.format, schema)?;
    let parts = Parts::new(config.file.path.clone(), task, format.extension());
    if config.visibility == Visibility::ByEpoch {
        return Ok(Box::new(PartsByEpoch::new(config.file, config.existing, format, parts)));
    }
    let schema = schema.clone();
    let open: OpenPart = match config.format {
        FileFormat::Rows(rows) => {
            Box::new(move |file| Ok(Box::new(AtOnceFile::new(file, Existing::Replace, rows.encoder(&schema)?))))
        }
        FileFormat::Columns(_) => Box::new(move |file| Ok(Box::new(WholeFile::new(file, format.clone())))),
    };
    Ok(Box::new(PartAtOnce::new(config.file, config.existing, parts, open)))
}

/// The writer of one file that is whole at the end.
fn whole_sink(config: FileSinkConfig, schema: &Schema) -> Result<Box<dyn Sink>, ConnectorError> {
    let metadata = std::fs::metadata(&config.file.path).ok();
    if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(fault::is_directory(&config.file));
    }
    let path = &config.file.written;
    if config.visibility == Visibility::ByEpoch {
        let message = format!("{path}: a file of columns is whole only at its end, and can't grow by epochs");
        return Err(
            ConnectorError::new("file-not-by-epoch", message).with_hint("end the path in `/`: each epoch becomes a file in it")
        );
    }
    if config.existing == Existing::Append {
        let message = format!("{path}: a file of columns is whole, and nothing can be added to it");
        return Err(
            ConnectorError::new("file-not-appendable", message).with_hint("end the path in `/`: rows become a file in it")
        );
    }
    if config.existing == Existing::Refuse && metadata.is_some() {
        return Err(exists(&config.file));
    }
    Ok(Box::new(WholeFile::new(config.file, PartFormat::new(config.format, schema)?)))
}

/// The writer of one file of lines.
fn line_sink(config: FileSinkConfig, format: FormatOut, schema: &Schema) -> Result<Box<dyn Sink>, ConnectorError> {
    let encoder = format.encoder(schema)?;
    let metadata = std::fs::metadata(&config.file.path).ok();
    if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(fault::is_directory(&config.file));
    }
    match config.visibility {
        Visibility::AtOnce => {
            if config.existing == Existing::Refuse && metadata.is_some() {
                return Err(exists(&config.file));
            }
            Ok(Box::new(AtOnceFile::new(config.file, config.existing, encoder)))
        }
        Visibility::ByEpoch => {
            if metadata.is_some_and(|metadata| !metadata.is_file()) {
                let message = format!("{}: expected a regular file, found a pipe or a device", config.file.written);
                let hint =
                    "a job with a checkpoint must be able to cut what it writes: name a regular file, or use `connector: stdio`";
                return Err(ConnectorError::new("file-not-regular", message).with_hint(hint));
            }
            Ok(Box::new(ByEpochFile::new(config.file, config.existing, encoder)))
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
