//! The files of one task in a folder of parts, and what a crash can leave of them. All calls block.
//!
//! For a folder `out/`, task 3 and epoch 12:
//! - `out/.wasmill-staging-3` takes rows as they come.
//! - `prepare` finishes it, syncs it and renames it to `out/.wasmill-part-0000000012-00003.EXT`: from then on a crash loses nothing of
//!   the epoch. One without rows has no file.
//! - `commit` renames the files of all epochs up to this one that are still hidden to `out/part-0000000012-00003.EXT`.
//! - `recover` does the same, and removes the parts of later epochs, seen and hidden.
//!
//! A part is one in any format: where a job changes its sink's, the parts in the other are replaced, counted and refused all the same. Every step can be
//! cut short at any instant, and doing it again gives the same result. At a start, fresh or not, a task also looks after the files of
//! tasks that there aren't any more: of three tasks, task 1 after those of tasks 4, 7 …

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use wasmill_flow::TaskIndex;

use super::part_name;

/// One task's files in a folder.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    folder: PathBuf,
    task: TaskIndex,
    extension: String,
}

/// What the name of a hidden part has in front of its name as a part that is seen.
const HIDDEN: &str = ".wasmill-";
/// What a part of columns has at the end of its name until it is whole, where there are no epochs.
const PARTIAL: &str = ".partial";

/// What a file in the folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It takes rows as they come, or did until a crash.
    Staging,
    /// An epoch that is durable, and not seen.
    Hidden(u64),
    /// A part that is seen.
    Part(u64),
}

/// A file in the folder.
struct Found {
    path: PathBuf,
    kind: Kind,
    task: u32,
}

impl Parts {
    pub(super) fn new(folder: PathBuf, task: TaskIndex, extension: String) -> Self {
        Self { folder, task, extension }
    }

    fn staging(&self) -> PathBuf {
        self.folder.join(format!(".wasmill-staging-{}", self.task.index))
    }

    fn hidden(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{HIDDEN}{}", self.name(number)))
    }

    /// The name of a part, without its folder.
    pub(super) fn name(&self, number: u64) -> String {
        self.name_of(number, self.task.index)
    }

    /// The name of a task's part.
    pub(super) fn name_of(&self, number: u64, task: u32) -> String {
        part_name::of(number, task, &self.extension)
    }

    /// The path of a part.
    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.folder.join(self.name(number))
    }

    /// The greatest number of a part that is there.
    pub(super) fn last(&self) -> io::Result<Option<u64>> {
        let numbers = self.files()?.into_iter().filter_map(|file| match file.kind {
            Kind::Part(number) => Some(number),
            Kind::Staging | Kind::Hidden(_) => None,
        });
        Ok(numbers.max())
    }

    /// A fresh start: no hidden files, and where everything is to be written anew, no parts.
    pub(super) fn start(&self, anew: bool) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        self.remove(|file| anew || !matches!(file.kind, Kind::Part(_)))
    }

    /// An empty file for the rows to come, in place of one that may be there.
    pub(super) fn create_staging(&self) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        File::create(self.staging())
    }

    /// Makes what was staged the rows of an epoch, and durable; its bytes.
    pub(super) fn prepare(&self, staged: &File, number: u64) -> io::Result<u64> {
        staged.sync_all()?;
        fs::rename(self.staging(), self.hidden(number))?;
        self.sync()?;
        Ok(staged.metadata()?.len())
    }

    /// Makes all of the task's epochs up to this one visible. Again: nothing changes. Whether the epoch is there then.
    pub(super) fn commit(&self, number: u64) -> io::Result<bool> {
        self.show(|task| (task == self.task.index).then_some(number))?;
        Ok(self.shown()?.contains(&(number, self.task.index)))
    }

    /// Makes visible, of all tasks that this one looks after, the epochs up to their last, and removes those behind it. The parts that are
    /// seen then, as numbers and tasks.
    pub(super) fn recover(&self, last: impl Fn(u32) -> u64) -> io::Result<BTreeSet<(u64, u32)>> {
        self.show(|task| Some(last(task)))?;
        self.remove(|file| match file.kind {
            Kind::Staging => true,
            Kind::Hidden(epoch) | Kind::Part(epoch) => epoch > last(file.task),
        })?;
        self.shown()
    }

    /// Renames what is hidden, up to the number that there is for its task.
    fn show(&self, upto: impl Fn(u32) -> Option<u64>) -> io::Result<()> {
        let mut changed = false;
        for Found { path, kind, task } in self.files()? {
            if let Kind::Hidden(epoch) = kind
                && upto(task).is_some_and(|number| epoch <= number)
            {
                let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix(HIDDEN));
                if let Some(name) = name {
                    fs::rename(&path, self.folder.join(name))?;
                    changed = true;
                }
            }
        }
        if changed { self.sync() } else { Ok(()) }
    }

    fn shown(&self) -> io::Result<BTreeSet<(u64, u32)>> {
        let files = self.files()?.into_iter();
        Ok(files.filter_map(|file| if let Kind::Part(number) = file.kind { Some((number, file.task)) } else { None }).collect())
    }

    fn remove(&self, is_to_go: impl Fn(&Found) -> bool) -> io::Result<()> {
        let mut removed = false;
        for file in self.files()? {
            if is_to_go(&file) {
                fs::remove_file(file.path)?;
                removed = true;
            }
        }
        if removed { self.sync() } else { Ok(()) }
    }

    /// Whether this task looks after what a task has left.
    pub(super) fn looks_after(&self, task: u32) -> bool {
        task % self.task.of.max(1) == self.task.index
    }

    /// The files that this task looks after.
    fn files(&self) -> io::Result<Vec<Found>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            if let Some((kind, task)) = name.to_str().and_then(read)
                && self.looks_after(task)
            {
                found.push(Found { path: self.folder.join(name), kind, task });
            }
        }
        Ok(found)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// What a file of this name is, and of which task.
fn read(name: &str) -> Option<(Kind, u32)> {
    if let Some(task) = name.strip_prefix(".wasmill-staging-") {
        return Some((Kind::Staging, task.parse().ok()?));
    }
    let (hidden, part) = name.strip_prefix(HIDDEN).map_or((false, name), |part| (true, part));
    let (partial, part) = part.strip_suffix(PARTIAL).map_or((false, part), |part| (true, part));
    let (number, task) = part_name::read(part)?;
    let kind = match (partial, hidden) {
        (true, _) => Kind::Staging,
        (false, true) => Kind::Hidden(number),
        (false, false) => Kind::Part(number),
    };
    Some((kind, task))
}
