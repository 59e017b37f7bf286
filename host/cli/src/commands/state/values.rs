//! What keys have in a state, as a column.

use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, ListBuilder, StructBuilder, TimestampMillisecondBuilder};
use arrow_array::{ArrayRef, BinaryViewArray};
use arrow_schema::{DataType, Field};
use wasmill_flow::column_type;
use wasmill_operator::StateReader;
use wasmill_state::memory::MemoryState;
use wasmill_state::{CallKeys, Items, KeyedState, StateKind, StateNeed, Values};

/// States in which a plugin's timers are.
const TIMERS: [&str; 2] = ["@event-timers", "@processing-timers"];

/// Which of some keys have something in a state, by their numbers, and what: of aggregates an object, of timers their times, of a plugin's values
/// the bytes; of lists a list of those, of maps one of entries with their values.
pub(super) fn values(
    state: &MemoryState,
    index: usize,
    call: &CallKeys,
    reader: Option<&mut StateReader>,
) -> (Vec<usize>, ArrayRef) {
    match state.states()[index].kind {
        StateKind::Value => of_values(state, index, call, reader),
        StateKind::List | StateKind::Task => of_lists(state, index, call),
        StateKind::Map | StateKind::Broadcast => of_maps(state, index, call),
    }
}

fn of_values(state: &MemoryState, index: usize, call: &CallKeys, reader: Option<&mut StateReader>) -> (Vec<usize>, ArrayRef) {
    let need = &state.states()[index];
    let mut loaded = Values::default();
    state.load(index, call, &mut loaded);
    let having: Vec<usize> = (0..call.count()).filter(|&key| loaded.is_present(key)).collect();
    let values: Vec<&[u8]> = having.iter().filter_map(|&key| loaded.get(key, need.width)).collect();
    let known =
        if TIMERS.contains(&need.name.as_str()) { times(&values) } else { reader.and_then(|reader| read(reader, need, &values)) };
    let column = known.filter(|column| column_type::is_supported(column.data_type()));
    let column = column.unwrap_or_else(|| Arc::new(BinaryViewArray::from_iter_values(&values)));
    (having, column)
}

/// What the values of an operator that aggregates come to.
fn read(reader: &mut StateReader, need: &StateNeed, values: &[&[u8]]) -> Option<ArrayRef> {
    let mut all = Values::end_to_end();
    values.iter().for_each(|value| all.push(Some(value)));
    if need.width.is_some() {
        all.offsets.clear();
    }
    reader.read(need, &mut all, u32::try_from(values.len()).ok()?)
}

/// The moments of timers: eight bytes each.
fn times(values: &[&[u8]]) -> Option<ArrayRef> {
    let mut lists = ListBuilder::new(TimestampMillisecondBuilder::new());
    for value in values {
        let (moments, rest) = value.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        moments.iter().for_each(|moment| lists.values().append_value(i64::from_le_bytes(*moment)));
        lists.append(true);
    }
    Some(Arc::new(lists.finish()))
}

fn of_lists(state: &MemoryState, index: usize, call: &CallKeys) -> (Vec<usize>, ArrayRef) {
    let mut lists = ListBuilder::new(BinaryViewBuilder::new());
    let mut having = Vec::new();
    for key in call.row_key.iter().copied() {
        let mut items = Items::default();
        state.list(index, call, key, &mut items);
        if !items.is_empty() {
            having.push(key as usize);
            items.iter().for_each(|item| lists.values().append_value(item));
            lists.append(true);
        }
    }
    (having, Arc::new(lists.finish()))
}

fn of_maps(state: &MemoryState, index: usize, call: &CallKeys) -> (Vec<usize>, ArrayRef) {
    let fields = ["key", "value"].map(|name| Field::new(name, DataType::BinaryView, true));
    let mut maps = ListBuilder::new(StructBuilder::from_fields(fields.to_vec(), 0));
    let mut having = Vec::new();
    for key in call.row_key.iter().copied() {
        let mut entries: Vec<[Vec<u8>; 2]> = Vec::new();
        state.scan(index, call, key, &[], &mut |entry, value| {
            entries.push([entry.to_vec(), value.to_vec()]);
            true
        });
        if entries.is_empty() {
            continue;
        }
        having.push(key as usize);
        for entry in &entries {
            for (column, bytes) in entry.iter().enumerate() {
                if let Some(column) = maps.values().field_builder::<BinaryViewBuilder>(column) {
                    column.append_value(bytes);
                }
            }
            maps.values().append(true);
        }
        maps.append(true);
    }
    (having, Arc::new(maps.finish()))
}
