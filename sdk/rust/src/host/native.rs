//! The host of the harness: what an operator calls natively is noted here, and checked as the real host does.

use std::cell::RefCell;

use crate::bindings::plan::TimeDomain;
use crate::bindings::{BinaryArray, Column, Origin, Values};
use crate::column::bit;
use crate::log::Level;

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
    /// The value of each key of the call.
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
