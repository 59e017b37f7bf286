//! Items of lists that are forgotten, each by itself.
//!
//! An item begins with its moment, and those of a list come in any order. So of each key the earliest moment is known beside the queue: to
//! append an item reads nothing. When it has come, the list is gone through once, and written without what is past.

use std::collections::HashMap;

use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, ItemChange, ItemWrite, Items, KeyedState};
use wasmill_time::TimerQueue;

use super::{Written, moment_of};

/// The earliest moment of each key's items.
#[derive(Debug, Default)]
pub(super) struct Lists {
    earliest: HashMap<Box<[u8]>, i64>,
}

impl Lists {
    pub(super) fn clear(&mut self) {
        self.earliest.clear();
    }

    /// A key has an item more.
    pub(super) fn add(&mut self, key: &[u8], moment: i64, queue: &mut TimerQueue) {
        let before = self.earliest.get(key).copied();
        if before.is_none_or(|before| moment < before) {
            queue.move_on(key, before, Some(moment));
            self.earliest.insert(key.into(), moment);
        }
    }

    fn remove(&mut self, key: &[u8], queue: &mut TimerQueue) {
        if let Some(before) = self.earliest.remove(key) {
            queue.move_on(key, Some(before), None);
        }
    }

    /// Notes the moments of what a call writes to a state.
    pub(super) fn note<'a>(
        &mut self,
        state: usize,
        written: Written<'_>,
        name: impl Fn(u32) -> &'a [u8],
        queue: &mut TimerQueue,
    ) {
        for write in written.items.iter().filter(|write| write.state == state) {
            match &write.change {
                ItemChange::Append { keys, items } => {
                    for (&key, moment) in keys.iter().zip(items.iter().map(moment_of)) {
                        moment.into_iter().for_each(|moment| self.add(name(key), moment, queue));
                    }
                }
                ItemChange::ClearLists(keys) => keys.iter().for_each(|&key| self.remove(name(key), queue)),
                ItemChange::Put { .. } | ItemChange::ClearMaps(_) => {}
            }
        }
    }

    /// Takes the items whose moments have come out of the lists of some keys.
    pub(super) fn forget(
        &mut self,
        number: usize,
        keys: &EncodedKeys,
        moment: i64,
        state: &mut dyn KeyedState,
        queue: &mut TimerQueue,
    ) {
        let mut call = CallKeys::default();
        state.resolve(keys, &keys.hashes(), &mut call);
        let (mut of, mut left) = (Vec::new(), Items::default());
        for (row, &key) in call.row_key.iter().enumerate() {
            self.remove(keys.get(row), queue);
            let mut items = Items::default();
            state.list(number, &call, key, &mut items);
            for item in items.iter() {
                if let Some(until) = moment_of(item).filter(|until| *until > moment) {
                    self.add(keys.get(row), until, queue);
                    of.push(key);
                    left.push(item);
                }
            }
        }
        let changes = [ItemChange::ClearLists(call.row_key.clone()), ItemChange::Append { keys: of, items: left }];
        state.apply_items(&call, &changes.map(|change| ItemWrite { state: number, change }));
        state.finish(&call);
    }
}
