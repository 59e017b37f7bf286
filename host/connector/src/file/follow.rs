//! The source of rows from files that grow, as `tail -F` reads them.

mod found;
mod position;
mod tail;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow_schema::SchemaRef;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use self::found::{Found, Identity};
use self::position::{FollowPosition, TailPosition};
use self::tail::Tail;
use super::{Compressed, FilePath, fault};
use crate::rows::RowReader;
use crate::{BatchLimit, ConnectorError, Extent, FormatIn, Position, Read, Source};

/// How long the source waits before it looks again, at least. Names and lengths are looked at again and again rather than waiting to be
/// told by the system: that works on every file system, network ones too, and costs two calls a file each time.
const PAUSE: Duration = Duration::from_millis(50);
/// And this for each file, so that looking takes a hundredth of a processor at most.
const PAUSE_A_FILE: Duration = Duration::from_micros(500);
/// So many files are open before those are closed that are read and idle; so many idle ones are opened to be read, others wait. Half of
/// what a process may open by default.
const MOST_OPEN: usize = 512;
/// So often names are listed in a row where files are being renamed.
const LISTINGS: usize = 3;

/// Reads a file, or the files of a folder or a pattern, and then what is appended to them, without an end.
///
/// A file is known by its device and inode, whatever its name is, and by the bytes where reading stopped. What is there is read in the
/// order of names; a file that is added is read from its start. A file whose name is another file's now, or that is removed, is read to
/// its end first. One that is shorter than what was read, or has other bytes there, was written anew, and is read from its start; rows
/// that were written and cut off between two looks are not seen, and one that was written anew with as many bytes is noticed once it grows. A
/// last row without its end waits for it, until its file is replaced or
/// removed. A file that isn't there yet is waited for. Compressed files are passed over with a warning: a log that is rotated away and
/// compressed was read before.
///
/// Files that were rotated away under a name that is followed, too, are closed once they were read to their end and are idle for a
/// minute, and opened when they grow. Where 512 files are open that holds for all.
///
/// The position has a place for each file. A file is found again under another name in the same folder; one that is gone is warned of.
pub struct FollowSource {
    path: FilePath,
    format: FormatIn,
    compressed: Compressed,
    schema: SchemaRef,
    tails: Vec<Tail>,
    /// Files that aren't open, by what they are, and where each is to be read on.
    resting: HashMap<Identity, TailPosition>,
    /// The file that is being read.
    at: usize,
    /// The names that were found last, and whose they were.
    names: HashMap<PathBuf, Identity>,
    /// Compressed files that were warned of.
    passed_over: HashSet<PathBuf>,
    /// When names were looked at, and how long that holds.
    looked: Option<Instant>,
    pause: Duration,
    waits: bool,
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
    pub fn open(path: FilePath, format: FormatIn, compressed: Compressed, schema: SchemaRef) -> Result<Self, ConnectorError> {
        format.decoder(SchemaRef::clone(&schema))?;
        let mut source = Self {
            path,
            format,
            compressed,
            schema,
            tails: Vec::new(),
            resting: HashMap::new(),
            at: 0,
            names: HashMap::new(),
            passed_over: HashSet::new(),
            looked: None,
            pause: PAUSE,
            waits: false,
        };
        source.look()?;
        Ok(source)
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        loop {
            if self.until_next_look().is_zero() {
                self.look()?;
            }
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
                    tail.shrink();
                    without_rows += 1;
                    self.at = (self.at + 1) % self.tails.len();
                    self.tails[self.at].visit()?;
                }
            }
            tokio::time::sleep(self.until_next_look()).await;
            if let Some(tail) = self.tails.get_mut(self.at) {
                tail.visit()?;
            }
        }
    }

    fn until_next_look(&self) -> Duration {
        self.looked.map_or(Duration::ZERO, |looked| self.pause.saturating_sub(looked.elapsed()))
    }

    /// Looks for files that are new, renamed, replaced or removed.
    fn look(&mut self) -> Result<(), ConnectorError> {
        let (found, is_settled) = self.find()?;
        self.looked = Some(Instant::now());
        self.pause = PAUSE.max(PAUSE_A_FILE.saturating_mul(u32::try_from(found.len()).unwrap_or(u32::MAX)));
        let current = self.tails.get(self.at).map(|tail| tail.identity);
        self.tails.retain(|tail| !tail.is_done());
        let there: HashSet<Identity> = found.iter().map(|found| found.identity).collect();
        for tail in self.tails.iter_mut().filter(|tail| !there.contains(&tail.identity)) {
            // Where names change while they are listed, a file that seems to have none may have one: it would be read again under it.
            let replaced = is_settled && self.names.contains_key(&tail.file().path);
            tail.miss(replaced)?;
        }
        if is_settled {
            self.resting.retain(|identity, _| there.contains(identity));
        }
        self.follow(found)?;
        self.tails.sort_by(|left, right| left.file().path.cmp(&right.file().path));
        self.at = self.tails.iter().position(|tail| Some(tail.identity) == current).unwrap_or(0);
        if self.tails.is_empty() && self.resting.is_empty() && !std::mem::replace(&mut self.waits, true) {
            tracing::warn!(code = "file-awaited", "{}: there is no such file yet; it is waited for", self.path.written);
        }
        Ok(())
    }

    /// The files that are there, and whether all names that were found before are the same files' still: where they aren't, names may
    /// have changed in the middle of listing them.
    fn find(&mut self) -> Result<(Vec<Found>, bool), ConnectorError> {
        let mut found = self.found()?;
        for listing in 1.. {
            let names: HashMap<_, _> = found.iter().map(|found| (found.file.path.clone(), found.identity)).collect();
            let is_settled = self.names.iter().all(|(name, identity)| names.get(name) == Some(identity));
            self.names = names;
            if is_settled || listing == LISTINGS {
                return Ok((found, is_settled));
            }
            found = self.found()?;
        }
        Ok((found, false))
    }

    /// The files that are there, in the order of names.
    fn found(&mut self) -> Result<Vec<Found>, ConnectorError> {
        let mut found = Vec::new();
        let mut passed_over = HashSet::new();
        for file in self.listed()? {
            if self.compressed.of(&file.path).is_none() {
                let at = Found::at(file.clone()).map_err(|error| fault::input(&file, "opened", &error))?;
                found.extend(at);
                continue;
            }
            if !self.passed_over.contains(&file.path) {
                tracing::warn!(
                    code = "file-passed-over",
                    "{}: the file is compressed, and is passed over: `follow` reads files that grow as they are",
                    file.written
                );
            }
            passed_over.insert(file.path);
        }
        self.passed_over = passed_over;
        Ok(found)
    }

    /// The files that are there by their names.
    fn listed(&self) -> Result<Vec<FilePath>, ConnectorError> {
        match self.path.list() {
            Err(error) if error.code == "file-not-found" => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// Notes the names of files that are open, and closes those that may rest. Which files are there besides, and how many of those that
    /// are open are idle and not read.
    fn rest(&mut self, found: Vec<Found>) -> (Vec<Found>, usize) {
        let must_make_room = self.tails.len() >= MOST_OPEN;
        let open: HashMap<Identity, usize> = self.tails.iter().enumerate().map(|(at, tail)| (tail.identity, at)).collect();
        let (mut others, mut at_rest, mut idle_unread) = (Vec::new(), HashSet::new(), 0);
        for found in found {
            let Some(at) = open.get(&found.identity) else {
                others.push(found);
                continue;
            };
            let tail = &mut self.tails[*at];
            tail.call(found.file);
            if found.is_idle && tail.may_rest(found.length, must_make_room) {
                at_rest.insert(found.identity);
                self.resting.insert(found.identity, tail.position());
            } else if found.is_idle && tail.is_unread(found.length) {
                idle_unread += 1;
            }
        }
        self.tails.retain(|tail| !at_rest.contains(&tail.identity));
        (others, idle_unread)
    }

    /// Opens the files that are new or have grown, and closes those that may rest.
    fn follow(&mut self, found: Vec<Found>) -> Result<(), ConnectorError> {
        let (others, mut idle_unread) = self.rest(found);
        for Found { file, identity, length, is_idle } in others {
            let known = self.resting.remove(&identity);
            if known.as_ref().is_some_and(|position| is_read(position, length)) || (is_idle && idle_unread >= MOST_OPEN) {
                // Idle files can wait for their turn; others may be gone by then.
                let position = known.unwrap_or_else(|| TailPosition::start(identity));
                self.resting.insert(identity, TailPosition { file: file.written, ..position });
            } else {
                self.wake(&file, known.unwrap_or_else(|| TailPosition::start(identity)))?;
                idle_unread += usize::from(is_idle);
            }
        }
        Ok(())
    }

    /// Opens a file to be read on, or from its start where it isn't the one that was read before.
    fn wake(&mut self, file: &FilePath, position: TailPosition) -> Result<(), ConnectorError> {
        let identity = position.identity();
        let Some(mut tail) = self.open_tail(file)?.filter(|tail| tail.identity == identity) else {
            // It was renamed since it was listed, and is looked for again.
            self.resting.insert(identity, TailPosition { file: file.written.clone(), ..position });
            return Ok(());
        };
        if !tail.go_to(&position)? {
            overwritten(&file.written, position.byte);
            return self.wake(file, TailPosition::start(identity));
        }
        self.tails.push(tail);
        Ok(())
    }

    /// Opens a file at its start; `None` where it isn't there any more.
    fn open_tail(&self, file: &FilePath) -> Result<Option<Tail>, ConnectorError> {
        let rows = RowReader::new(SchemaRef::clone(&self.schema), &self.format, Some(file.written.clone()))?;
        match Tail::open(file.clone(), rows) {
            Ok(tail) => Ok(Some(tail)),
            Err(error) if error.code == "file-not-found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn here(&self) -> FollowPosition {
        let mut follow: Vec<_> = self.tails.iter().map(Tail::position).chain(self.resting.values().cloned()).collect();
        follow.sort_by(|left, right| left.file.cmp(&right.file));
        FollowPosition { follow }
    }

    fn go_to(&mut self, position: FollowPosition) -> Result<(), ConnectorError> {
        let there = self.there(&position)?;
        self.tails.clear();
        self.resting.clear();
        (self.at, self.looked) = (0, None);
        for position in position.follow {
            let name = &position.file;
            let Some(found) = there.get(&position.identity()) else {
                tracing::warn!(
                    code = "file-gone",
                    "{name}: the file of which {} bytes were read is gone; what was appended to it since is not read",
                    position.byte
                );
                continue;
            };
            let nothing_is_missed = position.byte == 0 || is_read(&position, found.length);
            let may_wait = nothing_is_missed && found.is_idle && self.tails.len() >= MOST_OPEN;
            let tail = if may_wait { None } else { self.open_tail(&found.file)?.filter(|tail| tail.identity == found.identity) };
            let Some(mut tail) = tail else {
                self.resting.insert(found.identity, position);
                continue;
            };
            if tail.go_to(&position)? {
                // Until it is found under a name that is followed it has the one that it had.
                tail.call(FilePath { path: self.path.base().join(name), written: name.clone() });
                self.tails.push(tail);
            } else {
                // Where it has a name that is followed, it is found as a new file.
                overwritten(name, position.byte);
            }
        }
        self.tails.first_mut().map_or(Ok(()), Tail::visit)
    }

    /// The files of a position that are there, by what they are: each has the name that it had, another one that is followed, or
    /// another one in the folder that it was in.
    fn there(&self, position: &FollowPosition) -> Result<HashMap<Identity, Found>, ConnectorError> {
        let folders: BTreeSet<&Path> = position.follow.iter().filter_map(|tail| Path::new(&tail.file).parent()).collect();
        let mut files = Vec::new();
        for folder in folders {
            files.extend(self.files_in(folder)?);
        }
        files.extend(self.listed()?);
        let files = files.into_iter().filter(|file| self.compressed.of(&file.path).is_none());
        let found = files.filter_map(|file| Found::at(file).ok().flatten());
        Ok(found.map(|found| (found.identity, found)).collect())
    }

    /// The files of a folder, as the job would call it.
    fn files_in(&self, folder: &Path) -> Result<Vec<FilePath>, ConnectorError> {
        let written = if folder == Path::new("") { "./".to_owned() } else { format!("{}/", folder.display()) };
        let folder = FilePath { path: self.path.base().join(&written), written };
        match folder.list() {
            Err(error) if error.code == "file-not-found" => Ok(Vec::new()),
            listed => listed,
        }
    }
}

/// Whether all of a file of this length was read.
fn is_read(position: &TailPosition, length: u64) -> bool {
    length > 0 && position.byte == length && position.mark.read == length
}

/// Warns of a file that isn't what was read of it.
fn overwritten(name: &str, byte: u64) {
    tracing::warn!(
        code = "file-overwritten",
        "{name}: the file of which {byte} bytes were read is gone or was overwritten: what has its place is read from its start"
    );
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
