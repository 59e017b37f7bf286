//! `state`: what keys remember, by the backend behind `wasmill_state::KeyedState`.

mod items;
mod of_task;

use wasmill_state::{StateKind, StateWrite, Values};

use super::call::Keyed;
use crate::bindings::wasmill::plugin::data::{BinaryArrayResult, Values as WitValues};
use crate::bindings::wasmill::plugin::state::{Host, Lists, MapEntries};
use crate::declaration::Plan;
use crate::fault::Refusal;
use crate::instance::HostState;
use crate::limits::{STATE_CALL_BYTES, STATE_VALUE_BYTES};

impl Host for HostState {
    fn load(&mut self, state: u32) -> wasmtime::Result<WitValues> {
        let (keyed, width) = keyed(self, "state.load", state, StateKind::Value)?;
        let mut values = Values::default();
        keyed.state.load(state as usize, &keyed.keys, &mut values);
        for write in keyed.writes.iter().filter(|write| write.state == state as usize) {
            values = overlaid(&values, write, keyed.keys.count(), width);
        }
        Ok(WitValues { present: values.present, values: BinaryArrayResult { offsets: values.offsets, data: values.data } })
    }

    fn store(&mut self, state: u32, keys: Option<Vec<u32>>, values: WitValues) -> wasmtime::Result<()> {
        let expires = expires(self, state);
        let (keyed, width) = keyed(self, "state.store", state, StateKind::Value)?;
        let count = keyed.keys.count();
        let broken = |what: String| Refusal::contract(format!("stored to state {state} what can't be: {what}"));
        let written = match &keys {
            None => count,
            Some(keys) => {
                let mut seen = vec![false; count];
                for &key in keys {
                    match seen.get_mut(key as usize) {
                        None => return Err(broken(format!("key {key} of {count} keys"))),
                        Some(true) => return Err(broken(format!("key {key} twice"))),
                        Some(seen) => *seen = true,
                    }
                }
                keys.len()
            }
        };
        let values = Values { present: values.present, offsets: values.values.offsets, data: values.values.data };
        values.check(written, width, STATE_VALUE_BYTES).map_err(broken)?;
        if expires && (0..written).any(|item| values.get(item, width).is_some_and(|value| value.len() < 8)) {
            return Err(broken("a value that doesn't begin with the moment at which it is forgotten".to_owned()));
        }
        keyed.count_bytes(values.data.len())?;
        keyed.writes.push(StateWrite { state: state as usize, keys, values });
        Ok(())
    }

    fn list_load(&mut self, state: u32, first: u32) -> wasmtime::Result<Lists> {
        items::list_load(self, state, first)
    }

    fn list_append(&mut self, state: u32, keys: Vec<u32>, items: BinaryArrayResult) -> wasmtime::Result<()> {
        items::list_append(self, state, keys, items)
    }

    fn list_clear(&mut self, state: u32, keys: Vec<u32>) -> wasmtime::Result<()> {
        items::clear(self, "state.list-clear", state, StateKind::List, keys)
    }

    fn map_get(&mut self, state: u32, keys: Vec<u32>, entries: BinaryArrayResult) -> wasmtime::Result<WitValues> {
        items::map_get(self, state, &keys, entries)
    }

    fn map_put(&mut self, state: u32, keys: Vec<u32>, entries: BinaryArrayResult, values: WitValues) -> wasmtime::Result<()> {
        items::map_put(self, state, keys, entries, values)
    }

    fn map_clear(&mut self, state: u32, keys: Vec<u32>) -> wasmtime::Result<()> {
        items::clear(self, "state.map-clear", state, StateKind::Map, keys)
    }

    fn map_scan(&mut self, state: u32, key: u32, start: Vec<u8>, limit: u32) -> wasmtime::Result<MapEntries> {
        items::map_scan(self, state, key, &start, limit)
    }

    fn broadcast_get(&mut self, state: u32, entries: BinaryArrayResult) -> wasmtime::Result<WitValues> {
        of_task::broadcast_get(self, state, entries)
    }

    fn broadcast_put(&mut self, state: u32, entries: BinaryArrayResult, values: WitValues) -> wasmtime::Result<()> {
        of_task::broadcast_put(self, state, entries, values)
    }

    fn broadcast_scan(&mut self, state: u32, start: Vec<u8>, limit: u32) -> wasmtime::Result<MapEntries> {
        of_task::broadcast_scan(self, state, &start, limit)
    }

    fn task_load(&mut self, state: u32) -> wasmtime::Result<BinaryArrayResult> {
        of_task::task_load(self, state)
    }

    fn task_store(&mut self, state: u32, items: BinaryArrayResult) -> wasmtime::Result<()> {
        of_task::task_store(self, state, items)
    }
}

impl Keyed {
    /// Takes account of bytes that the call writes.
    fn count_bytes(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.written_bytes += bytes;
        if self.written_bytes > STATE_CALL_BYTES {
            return Err(Refusal::limit(format!("stored more than {STATE_CALL_BYTES} bytes in one call")));
        }
        Ok(())
    }
}

/// Whether the values of a state are forgotten.
fn expires(host: &HostState, state: u32) -> bool {
    host.call.as_ref().is_some_and(|call| call.plan.expiring.iter().any(|(index, _)| *index == state as usize))
}

/// The keys of the call under way, and the width of one of its states, which must be of this kind.
fn keyed<'a>(
    host: &'a mut HostState,
    function: &str,
    state: u32,
    kind: StateKind,
) -> wasmtime::Result<(&'a mut Keyed, Option<u32>)> {
    let call = host.call(function)?;
    let Some(keyed) = call.keyed.as_mut().filter(|_| !call.key.is_empty()) else {
        return Err(Refusal::contract(format!("called {function} where there is no key")));
    };
    check_kind(&call.plan, function, state, kind).map(|width| (keyed, width))
}

/// The width of a state, which must be of this kind.
fn check_kind(plan: &Plan, function: &str, state: u32, kind: StateKind) -> wasmtime::Result<Option<u32>> {
    // Those behind are the timers', which go another way.
    let states = &plan.declaration.states[..plan.own_states];
    let Some(need) = states.get(state as usize) else {
        return Err(Refusal::contract(format!("called {function} with state {state}; its plan has {} states", states.len())));
    };
    if need.kind != kind {
        return Err(Refusal::contract(format!("called {function} with state {state}, which its plan says is a {}", need.kind)));
    }
    Ok(need.width)
}

/// Values as they are after a write of the same call.
fn overlaid(values: &Values, write: &StateWrite, count: usize, width: Option<u32>) -> Values {
    let mut written = vec![None; count];
    match &write.keys {
        None => (0..count).for_each(|key| written[key] = Some(key)),
        Some(keys) => keys.iter().enumerate().for_each(|(item, &key)| written[key as usize] = Some(item)),
    }
    let mut result = Values { present: vec![0; count.div_ceil(8)], ..Values::default() };
    if width.is_none() {
        result.offsets.push(0);
    }
    for (key, item) in written.into_iter().enumerate() {
        let value = match item {
            Some(item) => write.values.get(item, width),
            None => values.get(key, width),
        };
        if let Some(value) = value {
            result.present[key / 8] |= 1 << (key % 8);
            result.data.extend_from_slice(value);
        }
        match width {
            Some(width) => result.data.resize((key + 1) * width as usize, 0),
            #[expect(clippy::cast_possible_truncation, reason = "what a call stores is limited to far less than 4 GiB")]
            None => result.offsets.push(result.data.len() as u32),
        }
    }
    result
}
