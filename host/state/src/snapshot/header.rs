//! The header of a snapshot: what it is of.

use wasmill_flow::Epoch;

use super::reader::{Cursor, damaged};
use super::{HEADER_HEAD, MAGIC, VERSION, checksum};
use crate::contract::{StateError, StateKind, StateNeed};

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// It holds what was applied before the barrier that ends this epoch.
    pub epoch: Epoch,
    /// The epoch whose snapshot it goes on from, where it is a delta; a base has none.
    pub since: Option<Epoch>,
    /// How many keys were held at its mark, so that a reader can make room. 0 where that isn't known.
    pub keys: u64,
    /// Its states, in the order in which records speak of them.
    pub states: Vec<StateNeed>,
}

impl Header {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut counted = self.epoch.0.to_le_bytes().to_vec();
        counted.push(u8::from(self.since.is_some()));
        counted.extend_from_slice(&self.since.map_or(0, |epoch| epoch.0).to_le_bytes());
        counted.extend_from_slice(&self.keys.to_le_bytes());
        counted.extend_from_slice(&length(self.states.len()));
        for state in &self.states {
            counted.extend_from_slice(&length(state.name.len()));
            counted.extend_from_slice(state.name.as_bytes());
            counted.extend_from_slice(&state.version.to_le_bytes());
            counted.push(match state.kind {
                StateKind::Value => u8::from(state.width.is_some()),
                StateKind::List => 2,
                StateKind::Map => 3,
                StateKind::Broadcast => 4,
                StateKind::Task => 5,
            });
            counted.extend_from_slice(&state.width.unwrap_or(0).to_le_bytes());
        }
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&(counted.len() as u64).to_le_bytes());
        header.extend_from_slice(&counted);
        let sum = checksum(&header);
        header.extend_from_slice(&sum.to_le_bytes());
        header
    }

    /// Reads a header, of which version of the format it is, and moves behind it.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<(Self, u32), StateError> {
        if cursor.bytes.first_chunk() != Some(&MAGIC) {
            return damaged("it doesn't start as a snapshot does, with WMSTATE".to_owned());
        }
        cursor.at = MAGIC.len();
        let version = cursor.u32("the format's version")?;
        if !(1..=VERSION).contains(&version) {
            return damaged(format!("it has version {version} of the format, this program reads versions 1 to {VERSION}"));
        }
        let length = cursor.u64("the header's length")?;
        cursor.take(length, "the header")?;
        let end = cursor.at;
        cursor.checksum(0, "header")?;

        let mut inside = Cursor { bytes: &cursor.bytes[..end], at: HEADER_HEAD };
        let epoch = Epoch(inside.u64("the epoch")?);
        let (since, keys) = if version == 1 { (None, 0) } else { read_since(&mut inside)? };
        let count = inside.u32("the number of states")?;
        let states = (0..count).map(|_| read_state(&mut inside)).collect::<Result<_, _>>()?;
        if inside.at != end {
            return damaged(format!("{} bytes follow the last state of the header, expected none", end - inside.at));
        }
        Ok((Self { epoch, since, keys, states }, version))
    }
}

fn read_since(inside: &mut Cursor<'_>) -> Result<(Option<Epoch>, u64), StateError> {
    let kind = inside.take(1, "whether it is a delta")?[0];
    let since = match (kind, inside.u64("the epoch that it goes on from")?) {
        (0, 0) => None,
        (1, epoch) => Some(Epoch(epoch)),
        other => return damaged(format!("what it goes on from is {other:?}, expected (0, 0) for a base, or (1, epoch)")),
    };
    Ok((since, inside.u64("the number of keys")?))
}

fn read_state(inside: &mut Cursor<'_>) -> Result<StateNeed, StateError> {
    let length = inside.u32("the length of a state's name")?;
    let name = inside.take(u64::from(length), "a state's name")?;
    let Ok(name) = std::str::from_utf8(name) else {
        return damaged("a state's name isn't UTF-8".to_owned());
    };
    let version = inside.u32("a state's version")?;
    let kind = inside.take(1, "a state's width")?[0];
    let (kind, width) = match (kind, inside.u32("a state's width")?) {
        (0, 0) => (StateKind::Value, None),
        (1, width) => (StateKind::Value, Some(width)),
        (2, 0) => (StateKind::List, None),
        (3, 0) => (StateKind::Map, None),
        (4, 0) => (StateKind::Broadcast, None),
        (5, 0) => (StateKind::Task, None),
        other => {
            return damaged(format!("state `{name}` has kind and width {other:?}, expected (1, width), or 0 or 2 to 5 and 0"));
        }
    };
    Ok(StateNeed { name: name.to_owned(), version, kind, width })
}

#[expect(clippy::cast_possible_truncation, reason = "an operator has few states, with short names")]
fn length(of: usize) -> [u8; 4] {
    (of as u32).to_le_bytes()
}
