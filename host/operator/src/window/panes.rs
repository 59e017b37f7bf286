//! Windows that slide share slices: a row is counted once, and a window's result is put together of slices.
//!
//! Slices are as long as the greatest length that both a window's length and the distance between windows are multiples of. From one window
//! to the next some slices leave and some come, and no slice may be gone through for each window that it is in. So what is known of the
//! window at hand is in two parts, by key, at a boundary in time:
//!
//! ```text
//!      slices          a   b   c   d │ e   f   g
//!      front           ◄─────────────┤              what a, b, c and d come to; beside it, what it was before a was added, and before b …
//!      back                          ├─────────►    what e, f and g come to
//! ```
//!
//! A slice that comes is added to the back. One that leaves takes the front back to what it was before. Where the front is used up, the slices up
//! to the next boundary become the front, the latest first. So each slice is added twice at most, however many windows it is in. A row for a
//! slice that was added already has its key counted anew. Boundaries are a window's length apart, from where windows begin, so that a window has
//! one, and what is added to what is the same for each task that comes to it.
//!
//! All this is known from the slices in the operator's state, and is made again where a task is restored.

use std::collections::BTreeMap;

use wasmill_flow::Batch;
use wasmill_state::memory::MemoryState;
use wasmill_state::{CallKeys, KeyedState, StateNeed, StateWrite, Values};

use super::keys::{Keys, nothing};
use crate::aggregate::RunningAggregate;
use crate::contract::OperatorError;

/// What is known of the window at hand.
#[derive(Debug)]
pub(super) struct Panes {
    front: MemoryState,
    /// What the front had of each key of a slice before that slice was added, by slice.
    before: MemoryState,
    back: MemoryState,
    /// Where the front ends and the back begins, and where the back ends; nothing where nothing is known.
    reach: Option<Reach>,
    /// Keys that rows came of for slices that had been added.
    stale: BTreeMap<Vec<u8>, u64>,
    /// What is still to be done for the window at hand.
    tasks: Vec<Task>,
    call: CallKeys,
}

#[derive(Debug, Clone, Copy)]
struct Reach {
    boundary: i64,
    end: i64,
}

#[derive(Debug, Clone, Copy)]
enum Task {
    /// A slice is to be added to the front, all of whose slices are later.
    Front(i64),
    /// A slice is to be added to the back.
    Back(i64),
    /// Keys that rows came of are to be counted anew.
    Stale,
}

/// Where a key's part of a slice is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Front,
    Back,
}

impl Panes {
    pub(super) fn new(states: Vec<StateNeed>) -> Self {
        Self {
            front: MemoryState::new(states.clone()),
            before: MemoryState::in_spaces(states.clone()),
            back: MemoryState::new(states),
            reach: None,
            stale: BTreeMap::new(),
            tasks: Vec::new(),
            call: CallKeys::default(),
        }
    }

    /// Begins with the window from `start` to `end`; the one before, if there was one, began earlier. The two parts of what is added up meet at
    /// `boundary`, which follows from `start` alone: sums of floats depend on what is added to what.
    pub(super) fn begin(&mut self, start: i64, end: i64, boundary: i64, slices: &dyn KeyedState) {
        self.tasks.clear();
        match &mut self.reach {
            Some(reach) if start < reach.boundary => {
                self.tasks.extend(between(reach.end, end, slices).map(Task::Back));
                self.tasks.reverse();
                if !self.stale.is_empty() {
                    self.tasks.push(Task::Stale);
                }
                reach.end = end;
            }
            reach => {
                *reach = Some(Reach { boundary, end });
                self.stale.clear();
                self.front.forget(0);
                self.back.forget(0);
                while let Some(slice) = self.before.space_from(i64::MIN) {
                    self.before.forget(slice);
                }
                self.tasks.extend(between(boundary, end, slices).map(Task::Back).rev());
                self.tasks.extend(between(start, boundary, slices).map(Task::Front));
            }
        }
    }

    /// Does a part of what is to be done before the window's results are known; whether more is left.
    pub(super) async fn prepare(
        &mut self,
        aggregate: &mut RunningAggregate,
        slices: &mut dyn KeyedState,
    ) -> Result<bool, OperatorError> {
        let mut all = Keys::default();
        match self.tasks.pop() {
            Some(Task::Front(slice)) => {
                slices.resolve_all(slice, &mut all.keys, &mut all.hashes, &mut self.call);
                slices.finish(&self.call);
                self.add(slice, &all, Side::Front, aggregate, slices).await?;
            }
            Some(Task::Back(slice)) => {
                slices.resolve_all(slice, &mut all.keys, &mut all.hashes, &mut self.call);
                slices.finish(&self.call);
                self.add(slice, &all, Side::Back, aggregate, slices).await?;
            }
            Some(Task::Stale) => self.count_anew(aggregate, slices).await?,
            None => return Ok(false),
        }
        Ok(!self.tasks.is_empty())
    }

    /// Adds some keys' parts of a slice.
    async fn add(
        &mut self,
        slice: i64,
        of: &Keys,
        side: Side,
        aggregate: &mut RunningAggregate,
        slices: &mut dyn KeyedState,
    ) -> Result<(), OperatorError> {
        let count = of.keys.len();
        let (mut part, mut held) = (Values::default(), Values::default());
        slices.resolve_in(&of.keys, &of.hashes, &vec![slice; count], &mut self.call);
        slices.load(0, &self.call, &mut part);
        slices.finish(&self.call);
        if side == Side::Front {
            self.front.resolve(&of.keys, &of.hashes, &mut self.call);
            self.front.load(0, &self.call, &mut held);
            self.front.finish(&self.call);
            self.before.resolve_in(&of.keys, &of.hashes, &vec![slice; count], &mut self.call);
            self.before.apply(&self.call, &[StateWrite { state: 0, keys: None, values: held.clone() }]);
            self.before.finish(&self.call);
            // The slice is earlier than all that the front has.
            aggregate.merge(&mut part, &mut held, count).await?;
            write(&mut self.front, of, part, &mut self.call);
        } else {
            self.back.resolve(&of.keys, &of.hashes, &mut self.call);
            self.back.load(0, &self.call, &mut held);
            self.back.finish(&self.call);
            aggregate.merge(&mut held, &mut part, count).await?;
            write(&mut self.back, of, held, &mut self.call);
        }
        Ok(())
    }

    /// A slice leaves the window at hand, and is still in the operator's state: none that is left is earlier.
    pub(super) fn leave(&mut self, slice: i64, slices: &mut dyn KeyedState) {
        if self.reach.is_none_or(|reach| slice >= reach.boundary) {
            return;
        }
        let (mut of, mut held) = (Keys::default(), Values::default());
        slices.resolve_all(slice, &mut of.keys, &mut of.hashes, &mut self.call);
        slices.finish(&self.call);
        self.before.resolve_in(&of.keys, &of.hashes, &vec![slice; of.keys.len()], &mut self.call);
        self.before.load(0, &self.call, &mut held);
        self.before.finish(&self.call);
        self.before.forget(slice);
        write(&mut self.front, &of, held, &mut self.call);
    }

    /// Notes of which keys rows come for slices that have been added.
    pub(super) fn touched(&mut self, slices: &[i64], rows: &Batch, key_by: &[usize]) {
        let Some(end) = self.reach.map(|reach| reach.end).filter(|&end| slices.iter().any(|&slice| slice < end)) else { return };
        let Keys { keys, hashes } = Keys::of(rows, key_by);
        for (row, (&slice, &hash)) in slices.iter().zip(hashes.iter()).enumerate() {
            if slice < end && !self.stale.contains_key(keys.get(row)) {
                self.stale.insert(keys.get(row).to_vec(), hash);
            }
        }
    }

    /// Counts the keys anew that rows came of, from slices that have been added.
    async fn count_anew(&mut self, aggregate: &mut RunningAggregate, slices: &mut dyn KeyedState) -> Result<(), OperatorError> {
        let Some(Reach { boundary, .. }) = self.reach else { return Ok(()) };
        let mut stale = Keys::default();
        std::mem::take(&mut self.stale).iter().for_each(|(key, &hash)| stale.push(key, hash));
        let none = nothing(stale.keys.len(), self.front.states()[0].width);
        write(&mut self.front, &stale, none.clone(), &mut self.call);
        write(&mut self.back, &stale, none, &mut self.call);
        // Those of the back are what `begin` said that it ends with, less what is still to be added.
        let added = |slice: &i64| !self.tasks.iter().any(|task| matches!(task, Task::Back(other) if other == slice));
        let end = self.reach.map_or(boundary, |reach| reach.end);
        let back: Vec<i64> = between(boundary, end, slices).filter(added).collect();
        let mut front: Vec<i64> = between(i64::MIN, boundary, slices).collect();
        front.reverse();
        let all = front.into_iter().map(|slice| (slice, Side::Front)).chain(back.into_iter().map(|slice| (slice, Side::Back)));
        for (slice, side) in all {
            let mut part = Values::default();
            slices.resolve_in(&stale.keys, &stale.hashes, &vec![slice; stale.keys.len()], &mut self.call);
            slices.load(0, &self.call, &mut part);
            slices.finish(&self.call);
            let there = stale.only(&part, true);
            if !there.hashes.is_empty() {
                self.add(slice, &there, side, aggregate, slices).await?;
            }
        }
        Ok(())
    }

    /// The keys that have rows in the window at hand.
    pub(super) fn keys(&mut self) -> Keys {
        let (mut all, mut others, mut held) = (Keys::default(), Keys::default(), Values::default());
        self.back.resolve_all(0, &mut others.keys, &mut others.hashes, &mut self.call);
        self.back.finish(&self.call);
        self.front.resolve_all(0, &mut all.keys, &mut all.hashes, &mut self.call);
        self.front.finish(&self.call);
        self.front.resolve(&others.keys, &others.hashes, &mut self.call);
        self.front.load(0, &self.call, &mut held);
        self.front.finish(&self.call);
        let others = others.only(&held, false);
        others.hashes.iter().enumerate().for_each(|(index, &hash)| all.push(others.keys.get(index), hash));
        all
    }

    /// What some of them have in the window at hand.
    pub(super) async fn values(&mut self, of: &Keys, aggregate: &mut RunningAggregate) -> Result<Values, OperatorError> {
        let (mut front, mut back) = (Values::default(), Values::default());
        self.front.resolve(&of.keys, &of.hashes, &mut self.call);
        self.front.load(0, &self.call, &mut front);
        self.front.finish(&self.call);
        self.back.resolve(&of.keys, &of.hashes, &mut self.call);
        self.back.load(0, &self.call, &mut back);
        self.back.finish(&self.call);
        aggregate.merge(&mut front, &mut back, of.keys.len()).await?;
        Ok(front)
    }

    /// The memory held, in bytes.
    pub(super) fn held(&self) -> usize {
        self.front.bytes() + self.before.bytes() + self.back.bytes()
    }
}

/// The slices that there are between two times, ascending.
fn between(from: i64, to: i64, slices: &dyn KeyedState) -> impl DoubleEndedIterator<Item = i64> + use<> {
    let mut found = Vec::new();
    let mut next = slices.space_from(from);
    while let Some(slice) = next.filter(|&slice| slice < to) {
        found.push(slice);
        next = slice.checked_add(1).and_then(|least| slices.space_from(least));
    }
    found.into_iter()
}

fn write(state: &mut MemoryState, of: &Keys, values: Values, call: &mut CallKeys) {
    state.resolve(&of.keys, &of.hashes, call);
    state.apply(call, &[StateWrite { state: 0, keys: None, values }]);
    state.finish(call);
}
