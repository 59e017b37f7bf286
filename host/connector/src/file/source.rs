//! The source of rows from local files.

use arrow_schema::SchemaRef;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wasmill_flow::TaskIndex;

use super::position::{Dealt, FilePosition, ReadFiles, deal, fingerprint};
use super::reader::FileReader;
use super::{Compressed, FilePath};
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
    /// Which of the files are this task's: of two tasks, the first has every other file from the first on; but where it takes over from
    /// another number of tasks.
    pub task: TaskIndex,
}

/// Reads files from start to end, one after another.
///
/// Which files there are is found out when the source is opened. A file may grow while it is read, up to the moment at which its end was
/// seen. A last row without its end is a row. The position is the file, and the byte and the line behind the last row; a file must not
/// change before it, and no file be added. Of each file that was read it keeps four bytes. Going to a position in a compressed file takes as long as decompressing what lies before it.
///
/// Where it takes over from another number of tasks, each file is a split: those that aren't read to their ends are dealt out in the order
/// of their names, each task reading its own in that order.
///
/// A compressed file that is cut off, or broken, fails the job once all rows before the fault were handed over.
pub struct FileSource {
    path: FilePath,
    task: TaskIndex,
    /// This task's.
    files: Vec<FilePath>,
    /// Which of the files is open; `None` where this task has none to read.
    open: Option<(usize, FileReader)>,
    /// The reader of rows, while no file is open.
    rows: Option<RowReader>,
    schema: SchemaRef,
    compressed: Compressed,
    /// What files there are, where these are one task's share: with others there is no going on from a position.
    share: Option<String>,
    /// Where the files were dealt out anew.
    dealt: Option<Dealt>,
    /// The files before the one that is open.
    read: ReadFiles,
    bytes: u64,
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
        let files = share_of(&all, task);
        let bytes = bytes_of(&files);
        let rows = Some(RowReader::new(SchemaRef::clone(&schema), &format, None)?);
        let read = ReadFiles::default();
        let mut source = Self { path, task, files, open: None, rows, schema, compressed, share, dealt: None, read, bytes };
        source.open_file(0)?;
        Ok(source)
    }

    /// Opens one of the files, in place of that which is open: where another task had begun it, behind what that has read.
    fn open_file(&mut self, index: usize) -> Result<(), ConnectorError> {
        let rows = self.open.take().map(|(_, reader)| reader.into_rows()).or(self.rows.take());
        self.rows = match (self.files.get(index), rows) {
            (Some(file), Some(rows)) => {
                let mut reader = FileReader::open(file.clone(), self.compressed.of(&file.path), rows)?;
                if let Some(begun) = self.dealt.as_ref().and_then(|dealt| dealt.begun_at(index)) {
                    reader.seek(begun)?;
                }
                self.open = Some((index, reader));
                None
            }
            (_, rows) => rows,
        };
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
            self.read.add(reader.file(), reader.length()?);
            self.open_file(next)?;
        }
        Ok(None)
    }

    fn here(&self) -> FilePosition {
        let place = self.open.as_ref().map_or_else(Place::default, |(_, reader)| reader.place());
        let file = self.open.as_ref().map(|(_, reader)| reader.file().written.clone());
        let dealt = self.dealt.as_ref().map(|dealt| match &self.open {
            Some((index, _)) => dealt.behind(*index),
            None => dealt.clone(),
        });
        FilePosition { file, byte: place.byte, line: place.line, read: self.read.clone(), share: self.share.clone(), dealt }
    }

    fn go_to(&mut self, position: FilePosition) -> Result<(), ConnectorError> {
        let all = self.path.files()?;
        let (files, index) = position.files(&all, self.task)?;
        let bytes = if files == self.files { self.bytes } else { bytes_of(&files) };
        (self.files, self.bytes) = (files, bytes);
        (self.read, self.share, self.dealt) = (position.read, position.share, position.dealt);
        if self.open.as_ref().is_none_or(|(open, reader)| *open != index || self.files.get(index) != Some(reader.file())) {
            self.open_file(index)?;
        }
        let place = Place { byte: position.byte, line: position.line };
        self.open.as_mut().map_or(Ok(()), |(_, reader)| reader.seek(place))
    }
}

/// The files that are a task's, where they are dealt out in turn.
fn share_of(all: &[FilePath], task: TaskIndex) -> Vec<FilePath> {
    all.iter().skip(task.index as usize).step_by(task.of.max(1) as usize).cloned().collect()
}

fn bytes_of(files: &[FilePath]) -> u64 {
    files.iter().filter_map(|file| std::fs::metadata(&file.path).ok()).map(|metadata| metadata.len()).sum()
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
        self.go_to(position.read("a file")?)
    }

    fn take_over(&mut self, former: &[Position], task: TaskIndex) -> Result<Vec<usize>, ConnectorError> {
        let former = former.iter().map(|position| position.read("a file")).collect::<Result<Vec<FilePosition>, _>>()?;
        let (position, from) = deal(&former, &self.path.files()?, task)?;
        self.go_to(position)?;
        Ok(from)
    }

    fn holds_time(&self) -> bool {
        let index = self.open.as_ref().map_or(usize::MAX, |(index, _)| *index);
        self.dealt.as_ref().is_some_and(|dealt| dealt.is_begun_from(index))
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
