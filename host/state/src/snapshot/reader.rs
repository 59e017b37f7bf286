//! Reads a snapshot, trusting no byte of it.

use wasmill_flow::Epoch;

use super::{ADD, ENTRY_REMOVED, Header, RECORDS, REMOVALS, REMOVE, SET, SPACES, TRAILER, checksum};
use crate::contract::{StateError, StateKind, StateNeed};

/// A snapshot whose header was read and whose checksums all hold.
#[derive(Debug)]
pub struct Snapshot<'a> {
    header: Header,
    version: u32,
    blocks: Vec<Block<'a>>,
    entries: u64,
}

#[derive(Debug)]
struct Block<'a> {
    tag: u8,
    body: &'a [u8],
    /// How many entries it should have.
    count: u32,
    /// Where it starts in the snapshot.
    start: usize,
}

/// Something that a snapshot says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'r, 'a> {
    /// A space was forgotten with all its keys.
    Space(i64),
    /// A key lost what it had in some states.
    Removal {
        /// The encoded key.
        key: &'a [u8],
        /// A bit for each state, least significant first.
        states: &'a [u8],
    },
    /// What a key has now.
    Record(&'r Record<'a>),
}

/// What a snapshot says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The encoded key.
    pub key: &'a [u8],
    /// For each of the snapshot's states what became of it, if that is said.
    pub changes: Vec<Option<Change<'a>>>,
}

/// What became of a key's value, list or map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// It is this value now.
    Set(&'a [u8]),
    /// It has no value.
    Remove,
    /// This follows on what it had: bytes of a value, items of a list, or entries of a map (`map_changes`).
    Add(&'a [u8]),
}

impl<'a> Snapshot<'a> {
    /// Reads the header and verifies lengths, checksums and counts of all blocks. One pass over the bytes.
    ///
    /// # Errors
    /// [`StateError::Damaged`], which says what was wrong at which byte.
    pub fn open(bytes: &'a [u8]) -> Result<Self, StateError> {
        let mut cursor = Cursor { bytes, at: 0 };
        let (header, version) = Header::read(&mut cursor)?;
        let mut checksums = bytes[cursor.at - 8..cursor.at].to_vec();
        let (mut blocks, mut entries) = (Vec::new(), 0u64);
        loop {
            let start = cursor.at;
            match cursor.take(1, "a block or the trailer")?[0] {
                tag if tag == RECORDS || (header.since.is_some() && (tag == REMOVALS || tag == SPACES)) => {
                    let count = cursor.u32("a block's number of entries")?;
                    let length = cursor.u64("a block's length")?;
                    let body = cursor.take(length, "a block's entries")?;
                    checksums.extend_from_slice(cursor.checksum(start, "block")?);
                    blocks.push(Block { tag, body, count, start });
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
        Ok(Self { header, version, blocks, entries })
    }

    /// The epoch that it was taken for.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.header.epoch
    }

    /// The epoch whose snapshot it goes on from; none where it is a base.
    #[must_use]
    pub fn since(&self) -> Option<Epoch> {
        self.header.since
    }

    /// Its states, in the order of the records' changes.
    #[must_use]
    pub fn states(&self) -> &[StateNeed] {
        &self.header.states
    }

    /// How many keys it may have, at most; never more than there are entries, whatever the header says.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.header.keys.min(self.entries)
    }

    /// Hands over what it says, in the order in which that happened: spaces that were forgotten, then keys that lost what they had, then records.
    ///
    /// # Errors
    /// [`StateError::Damaged`] where an entry's bytes don't make sense, and whatever `each` returns.
    pub fn for_each(&self, mut each: impl FnMut(Item<'_, 'a>) -> Result<(), StateError>) -> Result<(), StateError> {
        let mut record = Record { key: &[], changes: vec![None; self.states().len()] };
        for tag in [SPACES, REMOVALS, RECORDS] {
            for block in self.blocks.iter().filter(|block| block.tag == tag) {
                self.for_each_of(block, &mut record, &mut each).map_err(|error| match error {
                    StateError::Damaged(what) => StateError::Damaged(format!("block at byte {}: {what}", block.start)),
                    other => other,
                })?;
            }
        }
        Ok(())
    }

    fn for_each_of(
        &self,
        block: &Block<'a>,
        record: &mut Record<'a>,
        each: &mut impl FnMut(Item<'_, 'a>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut cursor = Cursor { bytes: block.body, at: 0 };
        for _ in 0..block.count {
            match block.tag {
                #[expect(clippy::cast_possible_wrap, reason = "a space is written as the 8 bytes it has")]
                SPACES => each(Item::Space(cursor.u64("a space")? as i64))?,
                REMOVALS => {
                    let key = cursor.sized("a key")?;
                    let states = cursor.take(self.states().len().div_ceil(8) as u64, "a key's states")?;
                    each(Item::Removal { key, states })?;
                }
                _ if self.version == 1 => {
                    self.read_entry(&mut cursor, record)?;
                    each(Item::Record(record))?;
                }
                _ => {
                    self.read_record(&mut cursor, record)?;
                    each(Item::Record(record))?;
                }
            }
        }
        if cursor.at != block.body.len() {
            return damaged(format!("{} bytes follow its last entry, expected none", block.body.len() - cursor.at));
        }
        Ok(())
    }

    fn read_record(&self, cursor: &mut Cursor<'a>, record: &mut Record<'a>) -> Result<(), StateError> {
        record.key = cursor.sized("a key")?;
        let codes = cursor.take(self.states().len().div_ceil(4) as u64, "a key's codes")?;
        let mut rest = codes.iter().fold(0, |said, codes| said + u64::from(*codes));
        if rest == 0 {
            return damaged(format!("the record of key {:02x?} says nothing", record.key));
        }
        let delta = self.since().is_some();
        for (index, (change, state)) in record.changes.iter_mut().zip(&self.header.states).enumerate() {
            let shift = index % 4 * 2;
            let code = codes[index / 4] >> shift & 3;
            rest -= u64::from(code << shift);
            *change = match (code, state.kind, state.width) {
                (0, ..) => None,
                (SET, StateKind::Value, Some(width)) => Some(Change::Set(cursor.take(u64::from(width), "a value")?)),
                (SET, StateKind::Value, None) => Some(Change::Set(cursor.sized("a value")?)),
                (REMOVE, StateKind::Value, _) if delta => Some(Change::Remove),
                (ADD, StateKind::Value, None) if delta => Some(Change::Add(cursor.sized("a value")?)),
                (ADD, kind, _) if kind != StateKind::Value => Some(Change::Add(cursor.sized("a list or map")?)),
                _ => return damaged(format!("the record of key {:02x?} says {code} of state `{}`", record.key, state.name)),
            };
        }
        if rest != 0 {
            return damaged(format!("a key's codes {codes:?} don't fit {} states", self.states().len()));
        }
        Ok(())
    }

    /// Reads a record as version 1 has it.
    fn read_entry(&self, cursor: &mut Cursor<'a>, record: &mut Record<'a>) -> Result<(), StateError> {
        record.key = cursor.sized("a key")?;
        let presence = cursor.take(self.states().len().div_ceil(8) as u64, "a key's presence bits")?;
        let set: u32 = presence.iter().map(|byte| byte.count_ones()).sum();
        let mut found = 0;
        for (index, (change, state)) in record.changes.iter_mut().zip(&self.header.states).enumerate() {
            *change = None;
            if presence[index / 8] >> (index % 8) & 1 == 1 {
                found += 1;
                *change = Some(match (state.kind, state.width) {
                    (StateKind::Value, Some(width)) => Change::Set(cursor.take(u64::from(width), "a value")?),
                    (StateKind::Value, None) => Change::Set(cursor.sized("a value")?),
                    (StateKind::List | StateKind::Map | StateKind::Broadcast | StateKind::Task, _) => {
                        let length = cursor.u64("the length of a list or map")?;
                        Change::Add(cursor.take(length, "a value")?)
                    }
                });
            }
        }
        if set == 0 || set != found {
            return damaged(format!("a key's presence bits {presence:?} don't fit {} states", self.states().len()));
        }
        Ok(())
    }
}

/// Hands over the entries of a map that a change adds, each with its value, or none where it is removed. False where the bytes aren't such.
pub(crate) fn map_changes<'a>(bytes: &'a [u8], mut each: impl FnMut(&'a [u8], Option<&'a [u8]>)) -> bool {
    let mut cursor = Cursor { bytes, at: 0 };
    while cursor.at < bytes.len() {
        let Ok(entry) = cursor.sized("an entry") else { return false };
        if bytes[cursor.at..].first_chunk() == Some(&ENTRY_REMOVED.to_le_bytes()) {
            cursor.at += 4;
            each(entry, None);
        } else {
            let Ok(value) = cursor.sized("an entry's value") else { return false };
            each(entry, Some(value));
        }
    }
    true
}

pub(super) fn damaged<T>(what: String) -> Result<T, StateError> {
    Err(StateError::Damaged(what))
}

pub(super) struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Cursor<'a> {
    pub fn take(&mut self, length: u64, what: &str) -> Result<&'a [u8], StateError> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let Some(taken) = taken else {
            return damaged(format!("it ends within {what}: byte {} of {}, {length} bytes expected", self.at, self.bytes.len()));
        };
        self.at += taken.len();
        Ok(taken)
    }

    /// Bytes with their length before them, in four.
    #[inline]
    pub fn sized(&mut self, what: &str) -> Result<&'a [u8], StateError> {
        let length = self.u32(what)?;
        self.take(u64::from(length), what)
    }

    pub fn u32(&mut self, what: &str) -> Result<u32, StateError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4, what)?);
        Ok(u32::from_le_bytes(bytes))
    }

    pub fn u64(&mut self, what: &str) -> Result<u64, StateError> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8, what)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads the checksum of the bytes since `start`, and compares it.
    pub fn checksum(&mut self, start: usize, of: &str) -> Result<&'a [u8], StateError> {
        let expected = checksum(&self.bytes[start..self.at]).to_le_bytes();
        let found = self.take(8, "a checksum")?;
        if found != expected {
            return damaged(format!("the checksum of the {of} at byte {start} is wrong"));
        }
        Ok(found)
    }
}
