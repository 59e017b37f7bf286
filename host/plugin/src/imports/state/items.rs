//! Lists and maps: what a guest asks for and changes, checked.

use wasmill_state::{ItemChange, Items, StateKind, Values};

use super::{expires, keyed};
use crate::bindings::wasmill::plugin::data::{BinaryArrayResult, Values as WitValues};
use crate::bindings::wasmill::plugin::state::{Lists, MapEntries};
use crate::fault::Refusal;
use crate::imports::call::Keyed;
use crate::instance::HostState;
use crate::limits::{STATE_ENTRY_BYTES, STATE_LIST_BYTES, STATE_PAGE_BYTES, STATE_VALUE_BYTES};

pub(super) fn list_load(host: &mut HostState, state: u32, first: u32) -> wasmtime::Result<Lists> {
    let (keyed, _) = keyed(host, "state.list-load", state, StateKind::List)?;
    check_keys("state.list-load", &[first], keyed.keys.count())?;
    let (mut starts, mut items) = (vec![0], Items::default());
    for key in first..keyed.keys.count() as u32 {
        let (_, bytes) = keyed.staged.list_size(keyed.state.as_ref(), &keyed.keys, state as usize, key);
        if key > first && items.data.len() + bytes > STATE_PAGE_BYTES {
            break;
        }
        keyed.staged.list(keyed.state.as_ref(), &keyed.keys, state as usize, key, &mut items);
        starts.push(count(items.len()));
    }
    Ok(Lists { starts, items: out(items) })
}

pub(super) fn list_append(host: &mut HostState, state: u32, keys: Vec<u32>, items: BinaryArrayResult) -> wasmtime::Result<()> {
    let expires = expires(host, state);
    let (keyed, _) = keyed(host, "state.list-append", state, StateKind::List)?;
    check_keys("state.list-append", &keys, keyed.keys.count())?;
    let items = Items { offsets: items.offsets, data: items.data };
    items.check(keys.len(), STATE_VALUE_BYTES).map_err(|what| unfit(state, &what))?;
    if expires && items.iter().any(|item| item.len() < 8) {
        return Err(unfit(state, "an item that doesn't begin with the moment at which it is forgotten"));
    }
    keyed.count_bytes(held(&items))?;
    let staged = &mut keyed.staged;
    staged.write(state as usize, ItemChange::Append { keys: keys.clone(), items });
    for key in keys {
        let (_, bytes) = staged.list_size(keyed.state.as_ref(), &keyed.keys, state as usize, key);
        if bytes > STATE_LIST_BYTES {
            return Err(Refusal::limit(format!(
                "let a list of state {state} grow to more than {STATE_LIST_BYTES} bytes; a map has no such limit"
            )));
        }
    }
    Ok(())
}

pub(super) fn clear(host: &mut HostState, function: &str, state: u32, kind: StateKind, keys: Vec<u32>) -> wasmtime::Result<()> {
    let (keyed, _) = keyed(host, function, state, kind)?;
    check_keys(function, &keys, keyed.keys.count())?;
    let mut seen = vec![false; keyed.keys.count()];
    if let Some(key) = keys.iter().find(|&&key| std::mem::replace(&mut seen[key as usize], true)) {
        return Err(Refusal::contract(format!("called {function} with key {key} twice")));
    }
    keyed.count_bytes(keys.len() * ITEM)?;
    let change = if kind == StateKind::List { ItemChange::ClearLists(keys) } else { ItemChange::ClearMaps(keys) };
    keyed.staged.write(state as usize, change);
    Ok(())
}

pub(super) fn map_get(host: &mut HostState, state: u32, keys: &[u32], entries: BinaryArrayResult) -> wasmtime::Result<WitValues> {
    let (keyed, _) = keyed(host, "state.map-get", state, StateKind::Map)?;
    check_keys("state.map-get", keys, keyed.keys.count())?;
    let entries = Items { offsets: entries.offsets, data: entries.data };
    entries.check(keys.len(), STATE_ENTRY_BYTES).map_err(|what| unfit(state, &what))?;
    let Keyed { staged, state: stored, keys: call, .. } = keyed;
    Ok(first_values(|each| staged.entries(stored.as_ref(), call, state as usize, keys, &entries, each)))
}

/// The first of the values that are looked up: as many as go at once.
pub(super) fn first_values(look_up: impl FnOnce(&mut dyn FnMut(Option<&[u8]>) -> bool)) -> WitValues {
    let mut values = Values::end_to_end();
    look_up(&mut |value| {
        let first = values.offsets.len() == 1;
        if !first && values.data.len() + value.map_or(0, <[u8]>::len) > STATE_PAGE_BYTES {
            return false;
        }
        values.push(value);
        true
    });
    WitValues { present: values.present, values: BinaryArrayResult { offsets: values.offsets, data: values.data } }
}

pub(super) fn map_put(
    host: &mut HostState,
    state: u32,
    keys: Vec<u32>,
    entries: BinaryArrayResult,
    values: WitValues,
) -> wasmtime::Result<()> {
    let expires = expires(host, state);
    let (keyed, _) = keyed(host, "state.map-put", state, StateKind::Map)?;
    check_keys("state.map-put", &keys, keyed.keys.count())?;
    let entries = Items { offsets: entries.offsets, data: entries.data };
    entries.check(keys.len(), STATE_ENTRY_BYTES).map_err(|what| unfit(state, &what))?;
    let values = Values { present: values.present, offsets: values.values.offsets, data: values.values.data };
    values.check(keys.len(), None, STATE_VALUE_BYTES).map_err(|what| unfit(state, &what))?;
    if expires && (0..keys.len()).any(|item| values.get(item, None).is_some_and(|value| value.len() < 8)) {
        return Err(unfit(state, "a value that doesn't begin with the moment at which it is forgotten"));
    }
    keyed.count_bytes(held(&entries) + values.data.len())?;
    keyed.staged.write(state as usize, ItemChange::Put { keys, entries, values });
    Ok(())
}

pub(super) fn map_scan(host: &mut HostState, state: u32, key: u32, start: &[u8], limit: u32) -> wasmtime::Result<MapEntries> {
    let (keyed, _) = keyed(host, "state.map-scan", state, StateKind::Map)?;
    check_keys("state.map-scan", &[key], keyed.keys.count())?;
    let Keyed { staged, state: stored, keys, .. } = keyed;
    Ok(page(limit, |each| staged.scan(stored.as_ref(), keys, state as usize, key, start, each)))
}

/// As many of the entries that are gone through as go at once.
pub(super) fn page(limit: u32, scan: impl FnOnce(&mut dyn FnMut(&[u8], &[u8]) -> bool)) -> MapEntries {
    let (mut entries, mut values) = (Items::default(), Items::default());
    scan(&mut |entry, value| {
        let bytes = entries.data.len() + values.data.len() + entry.len() + value.len();
        if entries.len() >= limit as usize || !entries.is_empty() && bytes > STATE_PAGE_BYTES {
            return false;
        }
        entries.push(entry);
        values.push(value);
        true
    });
    MapEntries { entries: out(entries), values: out(values) }
}

/// What the host keeps of an item or entry beside its bytes, about.
pub(super) const ITEM: usize = 8;

/// The bytes that the host keeps of items or entries.
pub(super) fn held(items: &Items) -> usize {
    items.data.len() + ITEM * items.len()
}

fn check_keys(function: &str, keys: &[u32], count: usize) -> wasmtime::Result<()> {
    match keys.iter().find(|&&key| key as usize >= count) {
        Some(key) => Err(Refusal::contract(format!("called {function} with key {key} of {count} keys"))),
        None => Ok(()),
    }
}

pub(super) fn unfit(state: u32, what: &str) -> wasmtime::Error {
    Refusal::contract(format!("stored to state {state}, or asked of it, what can't be: {what}"))
}

pub(super) fn out(items: Items) -> BinaryArrayResult {
    BinaryArrayResult { offsets: items.offsets, data: items.data }
}

#[expect(clippy::cast_possible_truncation, reason = "what is handed over at once is limited to far less than 4 GiB")]
fn count(items: usize) -> u32 {
    items as u32
}
