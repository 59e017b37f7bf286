//! What sessions are worked on by: rows that are counted together, sessions that are looked up together, and values one by one.

use arrow_array::UInt32Array;
use wasmill_flow::Batch;
use wasmill_state::Values;

use super::known::Session;
use crate::contract::OperatorError;
use crate::window::frame::bug;
use crate::window::keys::{Keys, nothing};

/// Some sessions: keys and numbers.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) keys: Keys,
    pub(super) spaces: Vec<i64>,
}

/// Rows that no expression fails on, with their keys.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) batch: Batch,
    pub(super) of: Keys,
}

/// Rows that are counted together, and those among them that are late.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) rows: Vec<u32>,
    pub(super) spaces: Vec<i64>,
    pub(super) late: Vec<u32>,
    /// Sessions that are to be put together with that of the only row.
    pub(super) others: Vec<i64>,
    /// Their sessions' results have come out.
    pub(super) closing: bool,
    /// The row behind them.
    pub(super) end: usize,
}

impl Chosen {
    pub(super) fn push(&mut self, key: &[u8], hash: u64, space: i64) {
        self.keys.push(key, hash);
        self.spaces.push(space);
    }

    pub(super) fn numbered(&self, numbers: &UInt32Array) -> Self {
        let spaces = numbers.values().iter().map(|&number| self.spaces[number as usize]).collect();
        Self { keys: self.keys.numbered(numbers), spaces }
    }
}

/// The session that the only row of a segment is in, and then those that are put together with it; none where it is in one.
pub(super) fn sessions_of(rows: &Rows, segment: &Segment) -> Chosen {
    let mut all = Chosen::default();
    if let (false, [row], [space]) = (segment.others.is_empty(), &segment.rows[..], &segment.spaces[..]) {
        let (key, hash) = (rows.of.keys.get(*row as usize), rows.of.hashes[*row as usize]);
        [*space].iter().chain(&segment.others).for_each(|&space| all.push(key, hash, space));
    }
    all
}

/// A value alone.
pub(super) fn one(value: Option<&[u8]>, width: Option<u32>) -> Values {
    let Some(value) = value else { return nothing(1, width) };
    #[expect(clippy::cast_possible_truncation, reason = "a value is far smaller than 4 GiB")]
    let offsets = if width.is_some() { Vec::new() } else { vec![0, value.len() as u32] };
    Values { present: vec![1], offsets, data: value.to_vec() }
}

/// A session, of its value in the state: behind the number of its rows, when the first and the last came, each behind a byte that says that it is
/// there.
pub(super) fn session(space: i64, value: &[u8]) -> Result<Session, OperatorError> {
    let time = |from: usize| value.get(from..from + 8).and_then(|bytes| Some(i64::from_le_bytes(*bytes.first_chunk()?)));
    match (time(9), time(18)) {
        (Some(first), Some(last)) => Ok(Session { space, first, last }),
        _ => Err(bug("a session has no bounds")),
    }
}
