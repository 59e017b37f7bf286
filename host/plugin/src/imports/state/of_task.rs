//! State that is no key's: broadcast maps and the task's own items.

use wasmill_state::{ItemChange, Items, StateKind, Values};

use super::check_kind;
use super::items::{first_values, held, out, page, unfit};
use crate::bindings::wasmill::plugin::data::{BinaryArrayResult, Values as WitValues};
use crate::bindings::wasmill::plugin::state::MapEntries;
use crate::fault::Refusal;
use crate::imports::call::Keyed;
use crate::instance::HostState;
use crate::limits::{STATE_ENTRY_BYTES, STATE_LIST_BYTES, STATE_VALUE_BYTES};

/// The number of what stands for the key.
const KEY: u32 = 0;

pub(super) fn broadcast_get(host: &mut HostState, state: u32, entries: BinaryArrayResult) -> wasmtime::Result<WitValues> {
    let keyed = of_task(host, "state.broadcast-get", state, StateKind::Broadcast)?;
    let entries = items(entries, STATE_ENTRY_BYTES).map_err(|what| unfit(state, &what))?;
    let Keyed { staged_of_task, state: stored, of_task, .. } = keyed;
    let keys = vec![KEY; entries.len()];
    Ok(first_values(|each| staged_of_task.entries(stored.as_ref(), of_task, state as usize, &keys, &entries, each)))
}

pub(super) fn broadcast_put(
    host: &mut HostState,
    state: u32,
    entries: BinaryArrayResult,
    values: WitValues,
) -> wasmtime::Result<()> {
    let broadcast = host.call.as_ref().is_some_and(|call| call.broadcast);
    let keyed = of_task(host, "state.broadcast-put", state, StateKind::Broadcast)?;
    if !broadcast {
        return Err(Refusal::contract(
            "called state.broadcast-put where no rows of a broadcast input are processed: tasks would have different maps"
                .to_owned(),
        ));
    }
    let entries = items(entries, STATE_ENTRY_BYTES).map_err(|what| unfit(state, &what))?;
    let values = Values { present: values.present, offsets: values.values.offsets, data: values.values.data };
    values.check(entries.len(), None, STATE_VALUE_BYTES).map_err(|what| unfit(state, &what))?;
    keyed.count_bytes(held(&entries) + values.data.len())?;
    keyed.staged_of_task.write(state as usize, ItemChange::Put { keys: vec![KEY; entries.len()], entries, values });
    Ok(())
}

pub(super) fn broadcast_scan(host: &mut HostState, state: u32, start: &[u8], limit: u32) -> wasmtime::Result<MapEntries> {
    let Keyed { staged_of_task, state: stored, of_task, .. } =
        of_task(host, "state.broadcast-scan", state, StateKind::Broadcast)?;
    Ok(page(limit, |each| staged_of_task.scan(stored.as_ref(), of_task, state as usize, KEY, start, each)))
}

pub(super) fn task_load(host: &mut HostState, state: u32) -> wasmtime::Result<BinaryArrayResult> {
    let keyed = of_task(host, "state.task-load", state, StateKind::Task)?;
    let mut items = Items::default();
    keyed.staged_of_task.list(keyed.state.as_ref(), &keyed.of_task, state as usize, KEY, &mut items);
    Ok(out(items))
}

pub(super) fn task_store(host: &mut HostState, state: u32, stored: BinaryArrayResult) -> wasmtime::Result<()> {
    let keyed = of_task(host, "state.task-store", state, StateKind::Task)?;
    let items = items(stored, STATE_VALUE_BYTES).map_err(|what| unfit(state, &what))?;
    // What several tasks had may be more, where there are fewer now; it may be written again.
    let (_, before) = keyed.staged_of_task.list_size(keyed.state.as_ref(), &keyed.of_task, state as usize, KEY);
    if held(&items) > STATE_LIST_BYTES.max(2 * before) {
        return Err(Refusal::limit(format!(
            "stored items of the task in state {state} that have more than {STATE_LIST_BYTES} bytes"
        )));
    }
    keyed.count_bytes(held(&items))?;
    keyed.staged_of_task.write(state as usize, ItemChange::ClearLists(vec![KEY]));
    keyed.staged_of_task.write(state as usize, ItemChange::Append { keys: vec![KEY; items.len()], items });
    Ok(())
}

/// Byte strings that came from outside, however many.
fn items(given: BinaryArrayResult, longest: usize) -> Result<Items, String> {
    let items = Items { offsets: given.offsets, data: given.data };
    items.check(items.offsets.len().saturating_sub(1), longest).map(|()| items)
}

/// The task's state in the call under way; the state must be of this kind.
fn of_task<'a>(host: &'a mut HostState, function: &str, state: u32, kind: StateKind) -> wasmtime::Result<&'a mut Keyed> {
    let call = host.call(function)?;
    check_kind(&call.plan, function, state, kind)?;
    call.keyed.as_mut().ok_or_else(|| Refusal::contract(format!("called {function} where there is no state")))
}
