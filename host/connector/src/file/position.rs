//! Where the task of a source of files is, and how its files are dealt out to another number of tasks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wasmill_flow::{TaskIndex, key};

use super::{FilePath, fault};
use crate::ConnectorError;
use crate::rows::Place;

/// Where a source of files is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePosition {
    /// The file, as the job names it; none where the task has none to read.
    #[serde(deserialize_with = "Option::deserialize")]
    pub file: Option<String>,
    pub byte: u64,
    pub line: u64,
    /// The files before it.
    #[serde(default, skip_serializing_if = "ReadFiles::is_empty")]
    pub read: ReadFiles,
    /// What files there are, where they are shared out to tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// Which of them are the task's, where it took over from another number of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dealt: Option<Dealt>,
}

/// The files that a task took over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dealt {
    /// Their places among all files in the order of names, in the order in which they are read: those first that were read before.
    files: Vec<u32>,
    /// Those that another task had begun and this one hasn't: the place in `files`, and the byte and the line to go on from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begun: Vec<(usize, u64, u64)>,
}

impl Dealt {
    /// Where to go on in the file at this place in `files`; none where it wasn't begun.
    pub(super) fn begun_at(&self, index: usize) -> Option<Place> {
        let found = self.begun.iter().find(|(at, ..)| *at == index);
        found.map(|&(_, byte, line)| Place { byte, line })
    }

    /// Whether the file at this place or one behind it was begun by another task.
    pub(super) fn is_begun_from(&self, index: usize) -> bool {
        self.begun.iter().any(|(at, ..)| *at >= index)
    }

    /// What is left of it behind the file at this place, which the task itself has begun.
    pub(super) fn behind(&self, index: usize) -> Self {
        let begun = self.begun.iter().filter(|(at, ..)| *at > index).copied().collect();
        Self { files: self.files.clone(), begun }
    }
}

impl FilePosition {
    /// The files of a task that is here, and which of them is the one in which reading stopped; their number where it has none to read.
    ///
    /// # Errors
    /// Codes `files-changed`, `file-gone`.
    pub(super) fn files(&self, all: &[FilePath], task: TaskIndex) -> Result<(Vec<FilePath>, usize), ConnectorError> {
        let (places, index) = self.places(all, task)?;
        Ok((places.into_iter().map(|place| all[place as usize].clone()).collect(), index))
    }

    /// The same, as places among all files in the order of names.
    fn places(&self, all: &[FilePath], task: TaskIndex) -> Result<(Vec<u32>, usize), ConnectorError> {
        let is_shared = task.of > 1 || self.dealt.is_some();
        let places: Vec<u32> = match &self.dealt {
            Some(dealt) => dealt.files.clone(),
            None => (task.index..).step_by(task.of.max(1) as usize).take_while(|place| (*place as usize) < all.len()).collect(),
        };
        let is_there = places.iter().all(|place| (*place as usize) < all.len());
        if !is_there || self.share != is_shared.then(|| fingerprint(all)) {
            let message = "expected the files that were there when the job started, found others";
            let hint = "put back those files, or start with --fresh: the tasks of `parallel-files` share them out";
            return Err(ConnectorError::new("files-changed", message).with_hint(hint));
        }
        let file = |place: &u32| &all[*place as usize];
        let index = match &self.file {
            None => places.len(),
            Some(name) => places.iter().position(|place| file(place).written == *name).ok_or_else(|| {
                let message = format!("{name}: expected this file, in which reading stopped, found none of its name");
                ConnectorError::new("file-gone", message).with_hint("put it back, or start with --fresh")
            })?,
        };
        if let Some(added) = self.read.first_added(places[..index].iter().map(file))? {
            let before = self.file.as_ref().map_or_else(String::new, |name| format!("before {name}, in which reading stopped, "));
            let message = format!("{}: the file lies {before}and was not there then, or had another length", added.written);
            let hint = "take it away or give it a later name, or start with --fresh; `follow: true` reads files that are added \
                        under any name";
            return Err(ConnectorError::new("files-changed", message).with_hint(hint));
        }
        Ok((places, index))
    }
}

/// A task's share of the files that former tasks had to read, and which of those had them.
///
/// All that aren't read to their ends are dealt out in turn, in the order of names, and so is what former tasks know of those that are.
///
/// # Errors
/// As [`FilePosition::files`].
pub(super) fn deal(
    former: &[FilePosition],
    all: &[FilePath],
    task: TaskIndex,
) -> Result<(FilePosition, Vec<usize>), ConnectorError> {
    let mut dealt = Dealt::default();
    let mut read = ReadFiles::default();
    let mut left: Vec<(u32, usize, Place)> = Vec::new();
    for (index, position) in (0..).zip(former) {
        let (places, at) = position.places(all, TaskIndex { index, of: u32::try_from(former.len()).unwrap_or(u32::MAX) })?;
        if index % task.of == task.index {
            dealt.files.extend(&places[..at]);
            read.0.push_str(&position.read.0);
        }
        let here = Place { byte: position.byte, line: position.line };
        left.extend((at..).zip(&places[at..]).map(|(nth, place)| {
            let begun = || position.dealt.as_ref().and_then(|dealt| dealt.begun_at(nth)).unwrap_or_default();
            (*place, index as usize, if nth == at { here } else { begun() })
        }));
    }
    left.sort_unstable_by_key(|(place, ..)| *place);
    let mut mine = left.into_iter().skip(task.index as usize).step_by(task.of as usize).peekable();
    let (file, here) = match mine.peek() {
        Some((place, _, here)) => (Some(all[*place as usize].written.clone()), *here),
        None => (None, Place::default()),
    };
    let (first, mut from) = (dealt.files.len(), BTreeSet::new());
    for (place, of, begun) in mine {
        let index = dealt.files.len();
        if index > first && begun.byte > 0 {
            dealt.begun.push((index, begun.byte, begun.line));
        }
        dealt.files.push(place);
        from.insert(of);
    }
    let share = Some(fingerprint(all));
    let position = FilePosition { file, byte: here.byte, line: here.line, read, share, dealt: Some(dealt) };
    Ok((position, from.into_iter().collect()))
}

/// What tells one set of files from another.
pub(super) fn fingerprint(files: &[FilePath]) -> String {
    let names: String = files.iter().map(|file| format!("{}\n", file.written)).collect();
    format!("{} files {:016x}", files.len(), key::hash(names.as_bytes()))
}

/// The files that were read to their ends: of each, a hash of its name and length, as eight hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ReadFiles(String);

impl ReadFiles {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, file: &FilePath, length: u64) {
        self.0.push_str(&Self::digits(file, length));
    }

    /// The first of these files that wasn't read. One that was read and is gone doesn't matter: all of its rows came.
    fn first_added<'a>(&self, files: impl Iterator<Item = &'a FilePath>) -> Result<Option<&'a FilePath>, ConnectorError> {
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
