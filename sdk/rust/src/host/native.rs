//! The host of the harness: what an operator calls natively is noted here, and checked as the real host does.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::bindings::plan::TimeDomain;
use crate::bindings::stream_operator::wasmill::plugin::state::{Lists, MapEntries};
use crate::bindings::{BinaryArray, Column, Origin, Values};
use crate::column::bit;
use crate::log::Level;
use crate::state::{item_of, next_item};

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// One call: what it is given, and what it leaves behind.
#[derive(Default)]
pub(crate) struct Call {
    /// The clock.
    pub(crate) now: i64,
    /// How far event time has come.
    pub(crate) watermark: i64,
    /// Its input is broadcast.
    pub(crate) broadcast: bool,
    /// The call's states, by number.
    pub(crate) states: Vec<CallState>,
    /// What was emitted, in order.
    pub(crate) emitted: Vec<Emission>,
    /// Timers that were set and deleted, in order.
    pub(crate) timers: Vec<TimerChange>,
    /// Rejected rows and why.
    pub(crate) rejected: Vec<(u32, String)>,
    /// Messages.
    pub(crate) logs: Vec<(Level, String)>,
    /// What was added to counters.
    pub(crate) counters: Vec<(String, u64)>,
    /// What gauges were set to.
    pub(crate) gauges: Vec<(String, f64)>,
}

/// A timer that is set or deleted.
pub(crate) struct TimerChange {
    pub(crate) domain: TimeDomain,
    pub(crate) key: u32,
    pub(crate) at: i64,
    pub(crate) set: bool,
}

/// A state during a call.
pub(crate) struct CallState {
    /// The bytes of every value, where they have the same number.
    pub(crate) width: Option<u32>,
    /// The value of each key of the call; of lists the items, of maps entries and values in turn, each with its length before it.
    pub(crate) values: Vec<Option<Vec<u8>>>,
    /// The keys that were stored.
    pub(crate) stored: Vec<u32>,
}

/// Rows sent to an output.
pub(crate) struct Emission {
    pub(crate) port: u32,
    pub(crate) origin: Origin,
    pub(crate) columns: Vec<Column>,
}

/// Makes a call: everything `during` it is noted in `call`, which is given back. A panic ends the call too.
pub(crate) fn during<T>(call: Call, work: impl FnOnce() -> T) -> (T, Call) {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            CALL.set(None);
        }
    }
    assert!(CALL.replace(Some(call)).is_none(), "one call was made during another");
    let end = End;
    let done = work();
    let call = CALL.take().unwrap_or_default();
    drop(end);
    (done, call)
}

fn in_call<T>(what: &str, note: impl FnOnce(&mut Call) -> T) -> T {
    CALL.with_borrow_mut(|call| match call {
        Some(call) => note(call),
        None => panic!("{what} was used where there is no host: run the operator under `wasmill_sdk::harness::Harness`"),
    })
}

pub(crate) fn load(state: u32) -> Values {
    in_call("a state", |call| {
        let state = &call.states[state as usize];
        let mut present = vec![0; state.values.len().div_ceil(8)];
        let (mut offsets, mut data) = (Vec::new(), Vec::new());
        if state.width.is_none() {
            offsets.push(0);
        }
        for (key, value) in state.values.iter().enumerate() {
            match value {
                Some(bytes) => {
                    present[key / 8] |= 1 << (key % 8);
                    data.extend_from_slice(bytes);
                }
                None => data.resize(data.len() + state.width.unwrap_or(0) as usize, 0),
            }
            if state.width.is_none() {
                offsets.push(data.len() as u32);
            }
        }
        Values { present, values: BinaryArray { offsets, data } }
    })
}

pub(crate) fn store(state: u32, keys: Option<&[u32]>, values: &Values) {
    in_call("a state", |call| {
        let state = &mut call.states[state as usize];
        let all: Vec<u32> = (0..state.values.len() as u32).collect();
        let keys = keys.unwrap_or(&all);
        let BinaryArray { offsets, data } = &values.values;
        for (at, key) in keys.iter().enumerate() {
            let bytes = match state.width {
                Some(width) => &data[at * width as usize..][..width as usize],
                None => &data[offsets[at] as usize..offsets[at + 1] as usize],
            };
            state.values[*key as usize] = bit(&values.present, at).then(|| bytes.to_vec());
            state.stored.push(*key);
        }
    });
}

pub(crate) fn list_load(state: u32, first: u32) -> Lists {
    in_call("a state", |call| {
        // The host gives some at a time, too.
        let (mut starts, mut items) = (vec![0], no_items());
        for stored in call.states[state as usize].values[first as usize..].iter().take(3) {
            strings(stored).for_each(|item| push(&mut items, item));
            starts.push(items.offsets.len() as u32 - 1);
        }
        Lists { starts, items }
    })
}

pub(crate) fn list_append(state: u32, keys: &[u32], items: &BinaryArray) {
    in_call("a state", |call| {
        for (index, &key) in keys.iter().enumerate() {
            call.states[state as usize].change(key, |stored| store_item(item_of(items, index), stored));
        }
    });
}

pub(crate) fn list_clear(state: u32, keys: &[u32]) {
    in_call("a state", |call| keys.iter().for_each(|&key| call.states[state as usize].change(key, Vec::clear)));
}

pub(crate) fn map_get(state: u32, keys: &[u32], entries: &BinaryArray) -> Values {
    in_call("a state", |call| {
        // The host gives some at a time, too.
        let first = &keys[..keys.len().min(3)];
        let mut values = Values { present: vec![0; first.len().div_ceil(8)], values: no_items() };
        for (index, &key) in first.iter().enumerate() {
            let map = map_of(&call.states[state as usize].values[key as usize]);
            let value = map.get(item_of(entries, index));
            values.present[index / 8] |= u8::from(value.is_some()) << (index % 8);
            push(&mut values.values, value.map_or(&[], Vec::as_slice));
        }
        values
    })
}

pub(crate) fn map_put(state: u32, keys: &[u32], entries: &BinaryArray, values: &Values) {
    in_call("a state", |call| {
        for (index, &key) in keys.iter().enumerate() {
            let mut map = map_of(&call.states[state as usize].values[key as usize]);
            let entry = item_of(entries, index);
            match bit(&values.present, index) {
                true => map.insert(entry.to_vec(), item_of(&values.values, index).to_vec()),
                false => map.remove(entry),
            };
            call.states[state as usize].change(key, |stored| *stored = stored_map(&map));
        }
    });
}

pub(crate) fn map_clear(state: u32, keys: &[u32]) {
    list_clear(state, keys);
}

pub(crate) fn map_scan(state: u32, key: u32, start: &[u8], limit: u32) -> MapEntries {
    in_call("a state", |call| {
        let map = map_of(&call.states[state as usize].values[key as usize]);
        let (mut entries, mut values) = (no_items(), no_items());
        for (entry, value) in map.range(start.to_vec()..).take(limit as usize) {
            push(&mut entries, entry);
            push(&mut values, value);
        }
        MapEntries { entries, values }
    })
}

/// The number of what stands for the key of states that are no key's.
const NO_KEY: u32 = 0;

pub(crate) fn broadcast_get(state: u32, entries: &BinaryArray) -> Values {
    map_get(state, &vec![NO_KEY; entries.offsets.len() - 1], entries)
}

pub(crate) fn broadcast_put(state: u32, entries: &BinaryArray, values: &Values) {
    let broadcast = in_call("a state", |call| call.broadcast);
    assert!(
        broadcast,
        "a broadcast state was changed where no row of a broadcast input is processed: tasks would have different ones"
    );
    map_put(state, &vec![NO_KEY; entries.offsets.len() - 1], entries, values);
}

pub(crate) fn broadcast_scan(state: u32, start: &[u8], limit: u32) -> MapEntries {
    map_scan(state, NO_KEY, start, limit)
}

pub(crate) fn task_load(state: u32) -> BinaryArray {
    list_load(state, NO_KEY).items
}

pub(crate) fn task_store(state: u32, items: &BinaryArray) {
    list_clear(state, &[NO_KEY]);
    list_append(state, &vec![NO_KEY; items.offsets.len() - 1], items);
}

impl CallState {
    /// Changes what is stored of a list or map.
    fn change(&mut self, key: u32, change: impl FnOnce(&mut Vec<u8>)) {
        let mut stored = self.values[key as usize].take().unwrap_or_default();
        change(&mut stored);
        self.values[key as usize] = (!stored.is_empty()).then_some(stored);
        self.stored.push(key);
    }
}

/// The items of a stored list; of a stored map entries and values in turn.
pub(crate) fn strings(stored: &Option<Vec<u8>>) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || next_item(stored.as_deref().unwrap_or_default(), &mut at))
}

/// A stored map.
pub(crate) fn map_of(stored: &Option<Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut strings = strings(stored).map(<[u8]>::to_vec);
    std::iter::from_fn(|| Some((strings.next()?, strings.next()?))).collect()
}

/// A map as it is stored.
pub(crate) fn stored_map(map: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut stored = Vec::new();
    map.iter().flat_map(|(entry, value)| [entry, value]).for_each(|item| store_item(item, &mut stored));
    stored
}

pub(crate) fn store_item(item: &[u8], stored: &mut Vec<u8>) {
    stored.extend_from_slice(&(item.len() as u32).to_le_bytes());
    stored.extend_from_slice(item);
}

fn no_items() -> BinaryArray {
    BinaryArray { offsets: vec![0], data: Vec::new() }
}

fn push(items: &mut BinaryArray, item: &[u8]) {
    items.data.extend_from_slice(item);
    items.offsets.push(items.data.len() as u32);
}

pub(crate) fn emit(port: u32, origin: &Origin, columns: &[Column]) {
    in_call("an output", |call| call.emitted.push(Emission { port, origin: origin.clone(), columns: columns.to_vec() }));
}

pub(crate) fn reject(rows: &[u32], reasons: &[String]) {
    in_call("a reject", |call| call.rejected.extend(rows.iter().copied().zip(reasons.iter().cloned())));
}

/// Notes a message; one that is sent outside of a call goes to standard error.
pub(crate) fn log(level: Level, message: &str) {
    CALL.with_borrow_mut(|call| match call {
        Some(call) => call.logs.push((level, message.to_owned())),
        None => eprintln!("{level:?}: {message}"),
    });
}

pub(crate) fn counter(name: &str, add: u64) {
    in_call("a counter", |call| call.counters.push((name.to_owned(), add)));
}

pub(crate) fn gauge(name: &str, value: f64) {
    in_call("a gauge", |call| call.gauges.push((name.to_owned(), value)));
}

pub(crate) fn now() -> i64 {
    in_call("the clock", |call| call.now)
}

pub(crate) fn watermark() -> i64 {
    in_call("the watermark", |call| call.watermark)
}

pub(crate) fn register(domain: TimeDomain, keys: &[u32], at: &[i64]) {
    change(domain, keys, at, true);
}

pub(crate) fn delete(domain: TimeDomain, keys: &[u32], at: &[i64]) {
    change(domain, keys, at, false);
}

fn change(domain: TimeDomain, keys: &[u32], at: &[i64], set: bool) {
    in_call("a timer", |call| call.timers.extend(keys.iter().zip(at).map(|(&key, &at)| TimerChange { domain, key, at, set })));
}
