//! The source of rows from local files.

use arrow_schema::SchemaRef;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wasmill_flow::{TaskIndex, key};

use super::reader::FileReader;
use super::{Compressed, FilePath, fault};
use crate::rows::{Place, RowReader};
use crate::{BatchLimit, ConnectorError, Extent, FormatIn, Position, Read, Source};

/// Files to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSourceConfig {
    /// The file, or the folder or pattern whose files are read in the order of their names ([`FilePath::files`]).
    pub path: FilePath,
    /// How rows are read.
    pub format: FormatIn,
    /// How the files are compressed.
    pub compressed: Compressed,
    /// Which of the files are this task's: of two tasks, the first has every other file from the first on.
    pub task: TaskIndex,
}

/// Reads files from start to end, one after another.
///
/// Which files there are is found out when the source is opened. A file may grow while it is read, up to the moment at which its end was
/// seen. A last row without its end is a row. The position is the file, and the byte and the line behind the last row; a file must not
/// change before it, and no file be added. Of each file that was read it keeps four bytes. Going to a position in a compressed file takes as long as decompressing what lies before it.
///
/// A compressed file that is cut off, or broken, fails the job once all rows before the fault were handed over.
pub struct FileSource {
    files: Vec<FilePath>,
    /// Which of the files is open; `None` where this task has no file.
    open: Option<(usize, FileReader)>,
    schema: SchemaRef,
    compressed: Compressed,
    /// What files these are, where they are one task's share: another share can't go on from a position.
    share: Option<String>,
    /// The files before the one that is open.
    read: ReadFiles,
    bytes: u64,
}

/// Where a source of files is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePosition {
    /// The file, as the job names it; none where the task has none.
    #[serde(deserialize_with = "Option::deserialize")]
    file: Option<String>,
    byte: u64,
    line: u64,
    /// The files before it.
    #[serde(default, skip_serializing_if = "ReadFiles::is_empty")]
    read: ReadFiles,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<String>,
}

impl std::fmt::Debug for FileSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSource").field("files", &self.files).field("position", &self.here()).finish_non_exhaustive()
    }
}

impl FileSource {
    /// Opens files, at the start of the first.
    ///
    /// # Errors
    /// Codes `file-not-found` (also where a folder or a pattern has no files), `file-is-directory`, `file-not-regular` (a pipe or a
    /// device), `file-unreadable`, `pattern-invalid`, `type-not-in-json`, `type-not-in-csv`.
    pub fn open(config: FileSourceConfig, schema: SchemaRef) -> Result<Self, ConnectorError> {
        let FileSourceConfig { path, format, compressed, task } = config;
        let all = path.files()?;
        let share = (task.of > 1).then(|| fingerprint(&all));
        let files: Vec<_> = all.into_iter().skip(task.index as usize).step_by(task.of.max(1) as usize).collect();
        let bytes = files.iter().filter_map(|file| std::fs::metadata(&file.path).ok()).map(|metadata| metadata.len()).sum();
        let rows = RowReader::new(SchemaRef::clone(&schema), &format, None)?;
        let mut source = Self { files, open: None, schema, compressed, share, read: ReadFiles::default(), bytes };
        source.open_file(0, rows)?;
        Ok(source)
    }

    fn open_file(&mut self, index: usize, rows: RowReader) -> Result<(), ConnectorError> {
        if let Some(file) = self.files.get(index) {
            self.open = Some((index, FileReader::open(file.clone(), self.compressed.of(&file.path), rows)?));
        }
        Ok(())
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        while let Some((index, reader)) = &mut self.open {
            if let Some(read) = reader.next(limit).await? {
                return Ok(Some(read));
            }
            let next = *index + 1;
            if next == self.files.len() {
                return Ok(None);
            }
            let Some((_, reader)) = self.open.take() else { break };
            self.read.add(reader.file(), reader.length()?);
            self.open_file(next, reader.into_rows())?;
        }
        Ok(None)
    }

    fn here(&self) -> FilePosition {
        let place = self.open.as_ref().map_or_else(Place::default, |(_, reader)| reader.place());
        let file = self.open.as_ref().map(|(_, reader)| reader.file().written.clone());
        FilePosition { file, byte: place.byte, line: place.line, read: self.read.clone(), share: self.share.clone() }
    }

    fn go_to(&mut self, position: &FilePosition) -> Result<(), ConnectorError> {
        if position.share != self.share {
            let message = "expected the files that were there when the job started, found others, or another parallelism";
            let hint =
                "put back those files and the parallelism, or start with --fresh: the tasks of `parallel-files` share them out";
            return Err(ConnectorError::new("files-changed", message).with_hint(hint));
        }
        let Some(name) = &position.file else { return Ok(()) };
        let index = self.files.iter().position(|file| file.written == *name).ok_or_else(|| {
            let message = format!("{name}: expected this file, in which reading stopped, found none of its name");
            ConnectorError::new("file-gone", message).with_hint("put it back, or start with --fresh")
        })?;
        if let Some(added) = position.read.first_added(&self.files[..index])? {
            let message = format!(
                "{}: the file lies before {name}, in which reading stopped, and was not there then, or had another length",
                added.written
            );
            let hint = "take it away or give it a later name, or start with --fresh; `follow: true` reads files that are added \
                        under any name";
            return Err(ConnectorError::new("files-changed", message).with_hint(hint));
        }
        self.read.clone_from(&position.read);
        if let Some((open, reader)) = self.open.take() {
            if open == index {
                self.open = Some((open, reader));
            } else {
                self.open_file(index, reader.into_rows())?;
            }
        }
        let place = Place { byte: position.byte, line: position.line };
        self.open.as_mut().map_or(Ok(()), |(_, reader)| reader.seek(place))
    }
}

/// What tells one set of files from another.
fn fingerprint(files: &[FilePath]) -> String {
    let names: String = files.iter().map(|file| format!("{}\n", file.written)).collect();
    format!("{} files {:016x}", files.len(), key::hash(names.as_bytes()))
}

/// The files that were read to their ends: of each, a hash of its name and length, as eight hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct ReadFiles(String);

impl ReadFiles {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, file: &FilePath, length: u64) {
        self.0.push_str(&Self::digits(file, length));
    }

    /// The first of these files that wasn't read. One that was read and is gone doesn't matter: all of its rows came.
    fn first_added<'a>(&self, files: &'a [FilePath]) -> Result<Option<&'a FilePath>, ConnectorError> {
        let mut read = self.0.as_bytes().chunks(8);
        for file in files {
            let length = std::fs::metadata(&file.path).map_err(|error| fault::input(file, "opened", &error))?.len();
            let digits = Self::digits(file, length);
            if !read.any(|read| read == digits.as_bytes()) {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    fn digits(file: &FilePath, length: u64) -> String {
        let hash = key::hash(format!("{}\n{length}", file.written).as_bytes());
        format!("{:08x}", hash >> 32)
    }
}

impl Source for FileSource {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        self.next(limit).boxed()
    }

    fn position(&self) -> Position {
        Position::of(&self.here())
    }

    /// Goes to a place in one of the files.
    ///
    /// # Errors
    /// Codes `position-invalid`, `file-gone`, `files-changed`, `file-too-short`, `file-changed` (no line starts there),
    /// `file-unreadable`, `header-invalid`.
    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        let position: FilePosition = position.read("a file")?;
        self.go_to(&position)
    }

    fn replays(&self) -> bool {
        true
    }

    /// The bytes that the files had when the source was opened.
    fn extent(&self) -> Extent {
        Extent::Bytes(self.bytes)
    }

    /// The bytes of the files before the one that is open, and those of rows in that: more than its bytes where it is compressed.
    fn done(&self) -> u64 {
        let Some((index, reader)) = &self.open else { return 0 };
        let length = |file: &FilePath| std::fs::metadata(&file.path).map_or(0, |metadata| metadata.len());
        self.files[..*index].iter().map(length).sum::<u64>() + reader.place().byte
    }
}

#[cfg(test)]
mod tests;
