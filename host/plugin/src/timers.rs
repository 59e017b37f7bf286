//! A plugin's timers: what a call sets and deletes, kept as state and in order of their moments.
//!
//! The timers of a key in a domain are the value of a state that the plugin doesn't see: their moments, ascending, each as eight bytes,
//! little-endian. So they are staged, undone, snapshotted and restored as every state is. A queue beside it has the earliest of each key.

use std::collections::{BTreeMap, HashMap};

use wasmill_flow::Watermark;
use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, KeyedState, StateNeed, StateWrite, Values};
use wasmill_time::TimerQueue;

use crate::bindings::wasmill::plugin::plan::TimeDomain;
use crate::fault::Fault;

/// The most timers of a key in a domain.
pub const TIMERS_PER_KEY: usize = 65_536;
/// How often in a row a key may set a timer whose moment has passed while it is handed the one before, until that is an error.
pub const IN_A_ROW: u32 = 100_000;
/// The same after the end of bounded input, when every moment has passed: those over are dropped, so that timers that set the next one end.
pub const IN_A_ROW_AT_END: u32 = 1_000;

/// A timer that a call sets or deletes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimerChange {
    pub domain: TimeDomain,
    /// The number of its key in the call.
    pub key: u32,
    pub at: i64,
    /// It is set, not deleted.
    pub set: bool,
}

/// Timers that are handed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fired<'a> {
    pub domain: TimeDomain,
    /// That of each key of the call.
    pub at: &'a [i64],
    /// The moment that has come.
    pub moment: i64,
}

/// The timers of one domain.
#[derive(Debug)]
pub(crate) struct Timers {
    pub domain: TimeDomain,
    /// The index of the state that has them.
    state: usize,
    queue: TimerQueue,
    /// How often in a row keys have set timers whose moments had passed, since time last moved on.
    in_a_row: HashMap<Box<[u8]>, u32>,
    /// Timers that were dropped.
    pub dropped: u64,
}

/// What a call leaves behind in the timers of a domain.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The state's new values.
    write: StateWrite,
    /// For each key that changes, the moments of its earliest timer before and after.
    moves: Vec<(u32, Option<i64>, Option<i64>)>,
    /// Keys that set timers whose moments had passed, and how often in a row they have.
    in_a_row: Vec<(u32, u32)>,
    dropped: u64,
}

impl Staged {
    /// The state's new values; they are to be taken once.
    pub fn into_write(self) -> StateWrite {
        self.write
    }
}

/// The state of a domain's timers.
pub(crate) fn state_need(domain: TimeDomain) -> StateNeed {
    let name = match domain {
        TimeDomain::EventTime => "@event-timers",
        TimeDomain::ProcessingTime => "@processing-timers",
    };
    StateNeed::values(name, 1, None)
}

impl Timers {
    /// None yet, in the state with this index.
    pub fn new(domain: TimeDomain, state: usize) -> Self {
        Self { domain, state, queue: TimerQueue::default(), in_a_row: HashMap::new(), dropped: 0 }
    }

    /// Finds those that a restored state has; the error says what is wrong with it.
    pub fn restore(&mut self, state: &dyn KeyedState) -> Result<(), String> {
        self.queue.clear();
        let mut broken = None;
        state.for_each_value(self.state, &mut |key, value| match first_of(value) {
            Some(first) if value.len() % 8 == 0 => self.queue.move_on(key, None, Some(first)),
            _ => broken = Some(format!("the timers of key {key:02x?} have {} bytes, expected 8 for each", value.len())),
        });
        broken.map_or(Ok(()), Err)
    }

    /// The moment of the earliest.
    pub fn first(&self) -> Option<i64> {
        self.queue.first()
    }

    /// At most `most` of those that are due, of each key the earliest, in order.
    pub fn due(&self, moment: i64, most: usize) -> Vec<(i64, &[u8])> {
        self.queue.due(moment, most).collect()
    }

    /// Time moves on: nothing is due any more.
    pub fn moved_on(&mut self) {
        self.in_a_row.clear();
    }

    /// What the changes of a call, and timers that it was handed, make of the timers of its keys. Nothing is changed yet.
    pub fn stage(
        &self,
        changes: &[TimerChange],
        fired: Option<Fired<'_>>,
        call: &CallKeys,
        encoded: &EncodedKeys,
        state: &dyn KeyedState,
    ) -> Result<Option<Staged>, Fault> {
        let fired = fired.filter(|fired| fired.domain == self.domain);
        let mut of_keys: BTreeMap<u32, BTreeMap<i64, bool>> = BTreeMap::new();
        // What a key was last told of a moment counts.
        for (key, &at) in (0..).zip(fired.iter().flat_map(|fired| fired.at)) {
            of_keys.entry(key).or_default().insert(at, false);
        }
        for change in changes.iter().filter(|change| change.domain == self.domain) {
            of_keys.entry(change.key).or_default().insert(change.at, change.set);
        }
        if of_keys.is_empty() {
            return Ok(None);
        }
        let mut before = Values::default();
        state.load(self.state, call, &mut before);
        let mut after = Values { present: vec![0; of_keys.len().div_ceil(8)], offsets: vec![0], data: Vec::new() };
        let (mut moves, mut in_a_row, mut dropped) = (Vec::with_capacity(of_keys.len()), Vec::new(), 0);
        for (item, (&key, changes)) in of_keys.iter().enumerate() {
            let held = moments_of(before.get(key as usize, None).unwrap_or_default());
            let first = held.first().copied();
            let name = || encoded.get(call.first_row[key as usize] as usize);
            let mut again = fired.and_then(|_| self.in_a_row.get(name()).copied()).unwrap_or(0);
            let handed = fired.and_then(|fired| fired.at.get(key as usize).copied());
            let mut set = Vec::new();
            for (&at, _) in changes.iter().filter(|(_, set)| **set) {
                let is_new = handed == Some(at) || held.binary_search(&at).is_err();
                if let Some(fired) = fired.filter(|fired| is_new && at <= fired.moment && fired.domain == TimeDomain::EventTime) {
                    again += 1;
                    if fired.moment == Watermark::END.0 && again > IN_A_ROW_AT_END {
                        dropped += 1;
                        continue;
                    }
                    if again > IN_A_ROW {
                        return Err(Fault::limit(format!(
                            "set a timer whose moment had passed more than {IN_A_ROW} times in a row, each time that it was handed the one before"
                        )));
                    }
                }
                set.push(at);
            }
            let moments = merged(held.into_iter().filter(|at| !changes.contains_key(at)), set);
            if moments.len() > TIMERS_PER_KEY {
                return Err(Fault::limit(format!("set more than {TIMERS_PER_KEY} timers of one key")));
            }
            if again > 0 {
                in_a_row.push((key, again));
            }
            moves.push((key, first, moments.first().copied()));
            if !moments.is_empty() {
                after.present[item / 8] |= 1 << (item % 8);
                after.data.extend(moments.iter().flat_map(|moment| moment.to_le_bytes()));
            }
            #[expect(clippy::cast_possible_truncation, reason = "what a call sets is limited to far less than 4 GiB")]
            after.offsets.push(after.data.len() as u32);
        }
        let write = StateWrite { state: self.state, keys: Some(of_keys.into_keys().collect()), values: after };
        Ok(Some(Staged { write, moves, in_a_row, dropped }))
    }

    /// What was staged has happened.
    pub fn apply(&mut self, staged: &Staged, call: &CallKeys, encoded: &EncodedKeys) {
        let name = |key: u32| encoded.get(call.first_row[key as usize] as usize);
        for &(key, before, after) in &staged.moves {
            self.queue.move_on(name(key), before, after);
        }
        for &(key, again) in &staged.in_a_row {
            self.in_a_row.insert(name(key).into(), again);
        }
        self.dropped += staged.dropped;
    }

    /// Drops all that wait; nothing is handed over any more.
    pub fn drop_all(&mut self, state: &mut dyn KeyedState) {
        let mut keys = EncodedKeys::default();
        state.for_each_value(self.state, &mut |key, value| {
            self.dropped += value.len() as u64 / 8;
            keys.push(key);
        });
        if !keys.is_empty() {
            let mut call = CallKeys::default();
            state.resolve(&keys, &keys.hashes(), &mut call);
            let nothing =
                Values { present: vec![0; call.count().div_ceil(8)], offsets: vec![0; call.count() + 1], data: Vec::new() };
            state.apply(&call, &[StateWrite { state: self.state, keys: None, values: nothing }]);
            state.finish(&call);
        }
        self.queue.clear();
    }

    /// The memory that the queue takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.queue.bytes()
    }
}

/// Moments of both, ascending, as each is; none is in both.
fn merged(kept: impl Iterator<Item = i64>, set: Vec<i64>) -> Vec<i64> {
    let mut moments = Vec::with_capacity(kept.size_hint().1.unwrap_or(0) + set.len());
    let (mut kept, mut set) = (kept.peekable(), set.into_iter().peekable());
    while let Some(at) = match (kept.peek(), set.peek()) {
        (Some(one), Some(other)) if one < other => kept.next(),
        (_, Some(_)) => set.next(),
        (_, None) => kept.next(),
    } {
        moments.push(at);
    }
    moments
}

fn moments_of(value: &[u8]) -> Vec<i64> {
    let (moments, _) = value.as_chunks::<8>();
    moments.iter().map(|moment| i64::from_le_bytes(*moment)).collect()
}

fn first_of(value: &[u8]) -> Option<i64> {
    value.first_chunk::<8>().map(|first| i64::from_le_bytes(*first))
}
