//! Values of a plugin that are forgotten when their moment has come.
//!
//! A value begins with its moment. A queue has a moment for each key with a value, which is never later than the value's own; when it has come,
//! the value is looked at: it is taken away, or, where it was written anew since, it waits again. So a write of a key that has a value
//! costs the queue nothing.

use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, KeyedState, StateWrite, Values};
use wasmill_time::TimerQueue;

use crate::bindings::wasmill::plugin::plan::TimeDomain;

/// The values of one state that are forgotten.
#[derive(Debug)]
pub(crate) struct Expiry {
    pub domain: TimeDomain,
    state: usize,
    width: Option<u32>,
    queue: TimerQueue,
}

impl Expiry {
    /// None yet, of the state with this index and width.
    pub fn new(domain: TimeDomain, state: usize, width: Option<u32>) -> Self {
        Self { domain, state, width, queue: TimerQueue::default() }
    }

    /// Finds the moments of what a restored state has; the error says what is wrong with it.
    pub fn restore(&mut self, state: &dyn KeyedState) -> Result<(), String> {
        self.queue.clear();
        let mut broken = None;
        state.for_each_value(self.state, &mut |key, value| match moment_of(value) {
            Some(moment) => self.queue.move_on(key, None, Some(moment)),
            None => broken = Some(format!("a value of key {key:02x?} has {} bytes, and no moment", value.len())),
        });
        broken.map_or(Ok(()), Err)
    }

    /// Notes the moments of what a call writes; before it is applied.
    pub fn note(&mut self, writes: &[StateWrite], call: &CallKeys, encoded: &EncodedKeys, state: &dyn KeyedState) {
        let mut before = Values::default();
        let mut loaded = false;
        for write in writes.iter().filter(|write| write.state == self.state) {
            if !std::mem::replace(&mut loaded, true) {
                state.load(self.state, call, &mut before);
            }
            let count = write.keys.as_ref().map_or(call.count(), Vec::len);
            for item in 0..count {
                let key = write.keys.as_ref().map_or(item, |keys| keys[item] as usize);
                let name = encoded.get(call.first_row[key] as usize);
                let was = before.get(key, self.width).and_then(moment_of);
                match (was, write.values.get(item, self.width).and_then(moment_of)) {
                    // One that was written anew since waits under an earlier moment; then the queue forgets it when that has come.
                    (Some(was), None) => self.queue.move_on(name, Some(was), None),
                    (was, Some(after)) if was.is_none_or(|was| after < was) => self.queue.move_on(name, None, Some(after)),
                    _ => {}
                }
            }
        }
    }

    /// The earliest moment at which something may have to be forgotten.
    pub fn first(&self) -> Option<i64> {
        self.queue.first()
    }

    /// Forgets values whose moments have come, at most `most`; whether there may be more.
    pub fn forget(&mut self, moment: i64, most: usize, state: &mut dyn KeyedState) -> bool {
        let due: Vec<(i64, Vec<u8>)> = self.queue.due(moment, most).map(|(at, key)| (at, key.to_vec())).collect();
        if due.is_empty() {
            return false;
        }
        let mut encoded = EncodedKeys::default();
        due.iter().for_each(|(_, key)| encoded.push(key));
        let mut call = CallKeys::default();
        state.resolve(&encoded, &encoded.hashes(), &mut call);
        let mut values = Values::default();
        state.load(self.state, &call, &mut values);
        let mut forgotten = Vec::new();
        let mut seen = vec![false; call.count()];
        for (row, (at, key)) in due.iter().enumerate() {
            let number = call.row_key[row];
            let until = values.get(number as usize, self.width).and_then(moment_of);
            self.queue.move_on(key, Some(*at), until.filter(|until| *until > moment));
            if until.is_some_and(|until| until <= moment) && !std::mem::replace(&mut seen[number as usize], true) {
                forgotten.push(number);
            }
        }
        let count = forgotten.len();
        let nothing = match self.width {
            Some(width) => {
                Values { present: vec![0; count.div_ceil(8)], offsets: Vec::new(), data: vec![0; count * width as usize] }
            }
            None => Values { present: vec![0; count.div_ceil(8)], offsets: vec![0; count + 1], data: Vec::new() },
        };
        state.apply(&call, &[StateWrite { state: self.state, keys: Some(forgotten), values: nothing }]);
        state.finish(&call);
        true
    }

    /// The memory that the queue takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.queue.bytes()
    }
}

fn moment_of(value: &[u8]) -> Option<i64> {
    value.first_chunk::<8>().map(|first| i64::from_le_bytes(*first))
}
