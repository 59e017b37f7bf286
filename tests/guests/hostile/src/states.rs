//! States, keys and values that there aren't.

use wasmill_sdk::bindings::stream_operator::wasmill::plugin::state;
use wasmill_sdk::bindings::{BinaryArray, Values};

use crate::Call;
use crate::settings::{Do, Settings};

pub(crate) use wasmill_sdk::bindings::stream_operator::wasmill::plugin::state::load;

/// The number of the state whose values have 8 bytes.
const COUNT: u32 = 0;
/// The number of the state whose values have any length.
const TEXT: u32 = 1;

/// Uses states as is asked for.
pub(crate) fn touch(settings: &Settings, call: &Call) {
    let keys = call.keys() as usize;
    match settings.what {
        Do::LoadUnknown => drop(load(9)),
        Do::StoreUnknown => state::store(9, None, &fixed(keys)),
        Do::StoreUnknownKey => state::store(COUNT, Some(&[keys as u32]), &fixed(1)),
        Do::StoreKeyTwice => state::store(COUNT, Some(&[0, 0]), &fixed(2)),
        Do::StoreTooFew => state::store(COUNT, None, &fixed(keys - 1)),
        Do::StoreTooMany => state::store(COUNT, None, &fixed(keys + 1)),
        Do::StoreOtherWidth => {
            let present = vec![0xff; keys.div_ceil(8)];
            state::store(COUNT, None, &Values { present, values: BinaryArray { offsets: Vec::new(), data: vec![1; keys * 7] } });
        }
        Do::StorePresentTooShort => state::store(COUNT, None, &Values { present: Vec::new(), ..fixed(keys) }),
        Do::StoreOffsetsFall => {
            let offsets = (0..=keys as u32).rev().collect();
            let values = BinaryArray { offsets, data: vec![b'x'; keys] };
            state::store(TEXT, None, &Values { present: vec![0xff; keys.div_ceil(8)], values });
        }
        Do::StoreWithoutMoment => state::store(TEXT, Some(&[0]), &varying(1, 7)),
        Do::StoreTooLong => state::store(TEXT, Some(&[0]), &varying(1, 1024 * 1024 + 1)),
        Do::StoreTooMuch => (0..17).for_each(|_| state::store(TEXT, Some(&[0]), &varying(1, 1024 * 1024))),
        Do::StoreForever => (0..settings.count).for_each(|_| state::store(COUNT, None, &fixed(keys))),
        Do::LoadForever => (0..settings.count).for_each(|_| drop(load(COUNT))),
        Do::StoreThenTrap | Do::StoreThenFail => state::store(COUNT, None, &fixed(keys)),
        Do::Count => count(call),
        _ => items(settings, keys),
    }
}

/// The number of the state of lists.
const TRAIL: u32 = 2;
/// The number of the state of maps.
const TALLY: u32 = 3;

/// The same for lists and maps.
fn items(settings: &Settings, keys: usize) {
    let past = keys as u32;
    match settings.what {
        Do::ListAsMap => state::map_clear(TRAIL, &[0]),
        Do::ListUnknownKey => state::list_append(TRAIL, &[past], &strings(1, 8)),
        Do::ListTooFewItems => state::list_append(TRAIL, &[0, 0], &strings(1, 8)),
        Do::ListTooLong => {
            let chunk = 1024 * 1024;
            (0..9).for_each(|_| state::list_append(TRAIL, &[0], &strings(1, chunk)));
        }
        Do::MapAsValue => drop(load(TALLY)),
        Do::MapGetUnknownKey => drop(state::map_get(TALLY, &[past], &strings(1, 8))),
        Do::MapGetTooMuch => {
            state::map_put(TALLY, &[0], &strings(1, 8), &varying(1, 1024 * 1024));
            let some = state::map_get(TALLY, &[0; 1_000_000], &strings(1_000_000, 8));
            assert_eq!(some.values.offsets.len(), 2, "one value of 1 MiB comes at a time");
        }
        Do::ListOfNothing => (0..3).for_each(|_| state::list_append(TRAIL, &[0; 1_000_000], &strings(1_000_000, 0))),
        Do::MapClearTwice => state::map_clear(TALLY, &[0, 0]),
        Do::BroadcastUnknown => drop(state::broadcast_get(9, &strings(1, 1))),
        Do::MapPutTooFew => state::map_put(TALLY, &[0, 0], &strings(2, 8), &varying(1, 8)),
        Do::MapPutOffsetsFall => {
            let entries = BinaryArray { offsets: vec![0, 8, 4], data: vec![b'x'; 4] };
            state::map_put(TALLY, &[0, 0], &entries, &varying(2, 8));
        }
        Do::MapPutLongEntry => state::map_put(TALLY, &[0], &strings(1, 64 * 1024 + 1), &varying(1, 8)),
        Do::PutWithoutMoment => state::map_put(TALLY, &[0], &strings(1, 8), &varying(1, 7)),
        Do::MapScanUnknownKey => drop(state::map_scan(TALLY, past, &[], 10)),
        Do::ItemsThenFail => {
            state::list_append(TRAIL, &[0], &strings(1, 8));
            state::map_put(TALLY, &[0], &strings(1, 8), &varying(1, 8));
            assert_eq!(state::list_load(TRAIL, 0).starts[1], 1, "what was appended is read");
            assert_eq!(state::map_scan(TALLY, 0, &[], 10).entries.offsets.len(), 2, "what was put is read");
        }
        _ => {}
    }
}

/// So many byte strings of so many bytes.
fn strings(count: usize, bytes: usize) -> BinaryArray {
    varying(count, bytes).values
}

/// Counts the rows of each key, as it should.
fn count(call: &Call) {
    let Some(keys) = &call.keys else { return };
    let mut values = load(COUNT);
    values.present.fill(0xff);
    let (counts, _) = values.values.data.as_chunks_mut::<8>();
    for key in &keys.row_key {
        let count = &mut counts[*key as usize];
        *count = (u64::from_le_bytes(*count) + 1).to_le_bytes();
    }
    state::store(COUNT, None, &values);
}

/// So many values of 8 bytes, each 0x0101010101010101.
fn fixed(keys: usize) -> Values {
    Values { present: vec![0xff; keys.div_ceil(8)], values: BinaryArray { offsets: Vec::new(), data: vec![1; keys * 8] } }
}

/// So many values of so many bytes.
fn varying(keys: usize, bytes: usize) -> Values {
    let offsets = (0..=keys).map(|at| (at * bytes) as u32).collect();
    Values { present: vec![0xff; keys.div_ceil(8)], values: BinaryArray { offsets, data: vec![b'x'; keys * bytes] } }
}
