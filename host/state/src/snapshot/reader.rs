//! Reads a snapshot, trusting no byte of it.

use wasmill_flow::Epoch;

use super::{BLOCK, HEADER_HEAD, MAGIC, TRAILER, VERSION, checksum};
use crate::contract::{StateError, StateKind, StateNeed};

/// A snapshot whose header was read and whose checksums all hold.
#[derive(Debug)]
pub struct Snapshot<'a> {
    epoch: Epoch,
    states: Vec<StateNeed>,
    /// The entries of each block, how many they should be, and where the block starts in the snapshot.
    blocks: Vec<(&'a [u8], u32, usize)>,
}

/// What a snapshot holds of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The encoded key.
    pub key: &'a [u8],
    /// A value or none for each of the snapshot's states.
    pub values: Vec<Option<&'a [u8]>>,
}

impl<'a> Snapshot<'a> {
    /// Reads the header and verifies lengths, checksums and counts of all blocks. One pass over the bytes.
    ///
    /// # Errors
    /// [`StateError::Damaged`], which says what was wrong at which byte.
    pub fn open(bytes: &'a [u8]) -> Result<Self, StateError> {
        let mut cursor = Cursor { bytes, at: 0 };
        let (epoch, states) = read_header(&mut cursor)?;
        let mut checksums = bytes[cursor.at - 8..cursor.at].to_vec();
        let (mut blocks, mut entries) = (Vec::new(), 0u64);
        loop {
            let start = cursor.at;
            match cursor.take(1, "a block or the trailer")?[0] {
                BLOCK => {
                    let count = cursor.u32("a block's number of entries")?;
                    let length = cursor.u64("a block's length")?;
                    let body = cursor.take(length, "a block's entries")?;
                    checksums.extend_from_slice(cursor.checksum(start, "block")?);
                    blocks.push((body, count, start));
                    entries += u64::from(count);
                }
                TRAILER => {
                    let counts = (cursor.u64("the number of blocks")?, cursor.u64("the number of entries")?);
                    checksums.extend_from_slice(&bytes[start..cursor.at]);
                    let expected = checksum(&checksums);
                    if cursor.u64("the trailer's checksum")? != expected {
                        return damaged(format!("the checksum of the trailer at byte {start} is wrong"));
                    }
                    if counts != (blocks.len() as u64, entries) {
                        return damaged(format!(
                            "the trailer counts {} blocks and {} entries, found {} and {entries}",
                            counts.0,
                            counts.1,
                            blocks.len()
                        ));
                    }
                    break;
                }
                tag => return damaged(format!("byte {start} is {tag:#04x}, expected a block or the trailer")),
            }
        }
        if cursor.at != bytes.len() {
            return damaged(format!("{} bytes follow the trailer, expected none", bytes.len() - cursor.at));
        }
        Ok(Self { epoch, states, blocks })
    }

    /// The epoch that it was taken for.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Its states, in the order of the entries' values.
    #[must_use]
    pub fn states(&self) -> &[StateNeed] {
        &self.states
    }

    /// Hands over the entries one by one, in their order.
    ///
    /// # Errors
    /// [`StateError::Damaged`] where an entry's bytes don't make sense, and whatever `each` returns.
    pub fn for_each(&self, mut each: impl FnMut(&Entry<'a>) -> Result<(), StateError>) -> Result<(), StateError> {
        let mut entry = Entry { key: &[], values: vec![None; self.states.len()] };
        for &(body, count, start) in &self.blocks {
            let mut cursor = Cursor { bytes: body, at: 0 };
            let read = (|| {
                for _ in 0..count {
                    self.read_entry(&mut cursor, &mut entry)?;
                    each(&entry)?;
                }
                Ok(())
            })();
            read.map_err(|error| match error {
                StateError::Damaged(what) => StateError::Damaged(format!("block at byte {start}: {what}")),
                other => other,
            })?;
            if cursor.at != body.len() {
                return damaged(format!(
                    "block at byte {start}: {} bytes follow its last entry, expected none",
                    body.len() - cursor.at
                ));
            }
        }
        Ok(())
    }

    fn read_entry(&self, cursor: &mut Cursor<'a>, entry: &mut Entry<'a>) -> Result<(), StateError> {
        let length = cursor.u32("a key's length")?;
        entry.key = cursor.take(u64::from(length), "a key")?;
        let presence = cursor.take(self.states.len().div_ceil(8) as u64, "a key's presence bits")?;
        let set: u32 = presence.iter().map(|byte| byte.count_ones()).sum();
        let mut found = 0;
        for (index, (value, state)) in entry.values.iter_mut().zip(&self.states).enumerate() {
            *value = None;
            if presence[index / 8] >> (index % 8) & 1 == 1 {
                found += 1;
                let length = match (state.kind, state.width) {
                    (StateKind::Value, Some(width)) => u64::from(width),
                    (StateKind::Value, None) => u64::from(cursor.u32("a value's length")?),
                    (StateKind::List | StateKind::Map | StateKind::Broadcast | StateKind::Task, _) => {
                        cursor.u64("the length of a list or map")?
                    }
                };
                *value = Some(cursor.take(length, "a value")?);
            }
        }
        if set == 0 || set != found {
            return damaged(format!("a key's presence bits {presence:?} don't fit {} states", self.states.len()));
        }
        Ok(())
    }
}

fn read_header(cursor: &mut Cursor<'_>) -> Result<(Epoch, Vec<StateNeed>), StateError> {
    if cursor.bytes.first_chunk() != Some(&MAGIC) {
        return damaged("it doesn't start as a snapshot does, with WMSTATE".to_owned());
    }
    cursor.at = MAGIC.len();
    let version = cursor.u32("the format's version")?;
    if version != VERSION {
        return damaged(format!("it has version {version} of the format, this program reads version {VERSION}"));
    }
    let length = cursor.u64("the header's length")?;
    cursor.take(length, "the header")?;
    let end = cursor.at;
    cursor.checksum(0, "header")?;
    let after = std::mem::replace(&mut cursor.at, HEADER_HEAD);

    let mut inside = Cursor { bytes: &cursor.bytes[..end], at: HEADER_HEAD };
    let epoch = Epoch(inside.u64("the epoch")?);
    let count = inside.u32("the number of states")?;
    let mut states = Vec::new();
    for _ in 0..count {
        let length = inside.u32("the length of a state's name")?;
        let name = inside.take(u64::from(length), "a state's name")?;
        let Ok(name) = std::str::from_utf8(name) else {
            return damaged("a state's name isn't UTF-8".to_owned());
        };
        let version = inside.u32("a state's version")?;
        let fixed = inside.take(1, "a state's width")?[0];
        let width = inside.u32("a state's width")?;
        let (kind, width) = match (fixed, width) {
            (0, 0) => (StateKind::Value, None),
            (1, width) => (StateKind::Value, Some(width)),
            (2, 0) => (StateKind::List, None),
            (3, 0) => (StateKind::Map, None),
            (4, 0) => (StateKind::Broadcast, None),
            (5, 0) => (StateKind::Task, None),
            other => {
                return damaged(format!(
                    "state `{name}` has kind and width {other:?}, expected (1, width), or 0 or 2 to 5 and 0"
                ));
            }
        };
        states.push(StateNeed { name: name.to_owned(), version, kind, width });
    }
    if inside.at != end {
        return damaged(format!("{} bytes follow the last state of the header, expected none", end - inside.at));
    }
    cursor.at = after;
    Ok((epoch, states))
}

fn damaged<T>(what: String) -> Result<T, StateError> {
    Err(StateError::Damaged(what))
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: u64, what: &str) -> Result<&'a [u8], StateError> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let Some(taken) = taken else {
            return damaged(format!("it ends within {what}: byte {} of {}, {length} bytes expected", self.at, self.bytes.len()));
        };
        self.at += taken.len();
        Ok(taken)
    }

    fn u32(&mut self, what: &str) -> Result<u32, StateError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4, what)?);
        Ok(u32::from_le_bytes(bytes))
    }

    fn u64(&mut self, what: &str) -> Result<u64, StateError> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8, what)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads the checksum of the bytes since `start`, and compares it.
    fn checksum(&mut self, start: usize, of: &str) -> Result<&'a [u8], StateError> {
        let expected = checksum(&self.bytes[start..self.at]).to_le_bytes();
        let found = self.take(8, "a checksum")?;
        if found != expected {
            return damaged(format!("the checksum of the {of} at byte {start} is wrong"));
        }
        Ok(found)
    }
}
