//! The source of rows from files that grow, as `tail -F` reads them.

mod tail;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use arrow_schema::SchemaRef;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use self::tail::{Identity, Tail};
use super::{FilePath, fault};
use crate::rows::{Place, RowReader};
use crate::{BatchLimit, ConnectorError, Extent, FormatIn, Position, Read, Source};

/// How long the source waits before it looks again, at least. Names and lengths are looked at again and again rather than waiting to be
/// told by the system: that works on every file system, network ones too, and costs two calls a file each time.
const PAUSE: Duration = Duration::from_millis(50);
/// And this for each file, so that looking takes a hundredth of a processor at most.
const PAUSE_A_FILE: Duration = Duration::from_micros(500);

/// Reads a file, or the files of a folder or a pattern, and then what is appended to them, without an end.
///
/// A file is known by its device and inode, whatever its name is. What is there is read in the order of names; a file that is added is
/// read from its start. A file whose name is another file's now, or that is removed, is read to its end first. One that is shorter than
/// what was read is read anew; rows that were written and cut off between two looks are not seen. A last row without its end waits
/// for it, until its file is replaced or removed. A file that isn't there yet is waited for.
///
/// The position has a place for each file. A file is found again under another name in the same folder; one that is gone is warned of.
pub struct FollowSource {
    path: FilePath,
    format: FormatIn,
    schema: SchemaRef,
    tails: Vec<Tail>,
    /// The file that is being read.
    at: usize,
    waits: bool,
}

/// Where the source is, by file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowPosition {
    follow: Vec<TailPosition>,
}

/// Where a file was read to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TailPosition {
    file: String,
    device: u64,
    inode: u64,
    byte: u64,
    line: u64,
}

impl std::fmt::Debug for FollowSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowSource").field("path", &self.path).field("position", &self.here()).finish_non_exhaustive()
    }
}

impl FollowSource {
    /// Opens the files that are there, at their starts.
    ///
    /// # Errors
    /// Codes `file-is-directory`, `file-not-regular` (a pipe or a device), `file-unreadable`, `pattern-invalid`, `type-not-in-json`,
    /// `type-not-in-csv`.
    pub fn open(path: FilePath, format: FormatIn, schema: SchemaRef) -> Result<Self, ConnectorError> {
        format.decoder(SchemaRef::clone(&schema))?;
        let mut source = Self { path, format, schema, tails: Vec::new(), at: 0, waits: false };
        source.look()?;
        Ok(source)
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        loop {
            let mut without_rows = 0;
            while without_rows < self.tails.len() {
                let tail = &mut self.tails[self.at];
                if let Some(read) = tail.read(limit)? {
                    return Ok(Some(read));
                }
                if tail.has_more() {
                    // A row that is too long must not hold the thread.
                    tokio::task::yield_now().await;
                } else {
                    without_rows += 1;
                    self.at = (self.at + 1) % self.tails.len();
                    self.tails[self.at].visit()?;
                }
            }
            if !self.look()? {
                let files = u32::try_from(self.tails.len()).unwrap_or(u32::MAX);
                tokio::time::sleep(PAUSE.max(PAUSE_A_FILE.saturating_mul(files))).await;
            }
        }
    }

    /// Looks for files that are new, renamed, replaced, removed or cut. Whether there is something to be read at once.
    fn look(&mut self) -> Result<bool, ConnectorError> {
        let before = self.tails.len();
        self.tails.retain(|tail| !tail.is_done());
        let mut changed = self.tails.len() != before;
        let mut names: HashMap<String, Identity> = HashMap::new();
        for file in self.listed()? {
            let Some(identity) = Identity::of(&file.path).map_err(|error| fault::input(&file, "opened", &error))? else {
                continue;
            };
            names.insert(file.written.clone(), identity);
            match self.tails.iter_mut().find(|tail| tail.identity == identity) {
                Some(tail) => tail.file = file,
                None => {
                    changed |= self.open_tail(file)?;
                }
            }
        }
        for tail in &mut self.tails {
            let replaced = names.get(&tail.file.written).is_some_and(|identity| *identity != tail.identity);
            changed |= tail.look(replaced)?;
        }
        if changed {
            // A file that is replaced comes before the one that has its name.
            self.tails.sort_by(|left, right| left.file.path.cmp(&right.file.path));
            self.at = 0;
            if let Some(tail) = self.tails.first_mut() {
                tail.visit()?;
            }
        }
        if self.tails.is_empty() && !std::mem::replace(&mut self.waits, true) {
            tracing::warn!(code = "file-awaited", "{}: there is no such file yet; it is waited for", self.path.written);
        }
        Ok(changed)
    }

    /// The files that are there by their names.
    fn listed(&self) -> Result<Vec<FilePath>, ConnectorError> {
        match self.path.list() {
            Err(error) if error.code == "file-not-found" => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// Opens a file that is new. Whether it is there still.
    fn open_tail(&mut self, file: FilePath) -> Result<bool, ConnectorError> {
        let rows = RowReader::new(SchemaRef::clone(&self.schema), &self.format, Some(file.written.clone()))?;
        match Tail::open(file, rows) {
            Ok(tail) => {
                self.tails.push(tail);
                Ok(true)
            }
            Err(error) if error.code == "file-not-found" => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn here(&self) -> FollowPosition {
        let place = |tail: &Tail| {
            let Place { byte, line } = tail.place();
            let Identity { device, inode } = tail.identity;
            TailPosition { file: tail.file.written.clone(), device, inode, byte, line }
        };
        FollowPosition { follow: self.tails.iter().map(place).collect() }
    }

    fn go_to(&mut self, position: FollowPosition) -> Result<(), ConnectorError> {
        let mut there: HashMap<Identity, FilePath> = HashMap::new();
        for tail in &position.follow {
            for file in self.beside(&tail.file)? {
                if let Ok(Some(identity)) = Identity::of(&file.path) {
                    there.insert(identity, file);
                }
            }
        }
        for file in self.listed()? {
            if let Ok(Some(identity)) = Identity::of(&file.path) {
                there.insert(identity, file);
            }
        }
        self.tails.clear();
        for TailPosition { file: name, device, inode, byte, line } in position.follow {
            let Some(file) = there.get(&Identity { device, inode }) else {
                tracing::warn!(
                    code = "file-gone",
                    "{name}: the file of which {byte} bytes were read is gone; what was appended to it since is not read"
                );
                continue;
            };
            if self.open_tail(file.clone())?
                && let Some(tail) = self.tails.last_mut()
            {
                tail.go_to(Place { byte, line }, name)?;
            }
        }
        self.at = 0;
        match self.tails.first_mut() {
            Some(tail) => tail.visit(),
            None => Ok(()),
        }
    }

    /// The files of the folder that had a file of this name: it may have another now.
    fn beside(&self, written: &str) -> Result<Vec<FilePath>, ConnectorError> {
        let slash = |folder: &Path| if folder == Path::new("") { "./".to_owned() } else { format!("{}/", folder.display()) };
        let written = slash(Path::new(written).parent().unwrap_or(Path::new("")));
        let base = self.path.base();
        let folder = FilePath { path: base.join(&written), written };
        match folder.list() {
            Err(error) if error.code == "file-not-found" => Ok(Vec::new()),
            listed => listed,
        }
    }
}

impl Source for FollowSource {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        self.next(limit).boxed()
    }

    fn position(&self) -> Position {
        Position::of(&self.here())
    }

    /// Goes to a place in each file. Files that are gone, or shorter than what was read of them, are warned of.
    ///
    /// # Errors
    /// Codes `position-invalid`, `file-unreadable`, `header-invalid`.
    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        let position = position.read("files that are followed")?;
        self.go_to(position)
    }

    fn replays(&self) -> bool {
        true
    }

    fn extent(&self) -> Extent {
        Extent::Unknown
    }

    fn done(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
