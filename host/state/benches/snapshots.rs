//! What snapshots cost: bytes of a delta by how many keys changed, the time of the mark, the longest step, the longest call, and restoring.
//!
//! `cargo bench -p wasmill-state --bench snapshots -- [KEYS]`: KEYS keys (1,000,000 by default) with values of 100 bytes; then one key with a map of as
//! many entries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array};
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Epoch, KeyGroups};
use wasmill_state::memory::MemoryState;
use wasmill_state::{CallKeys, ItemChange, ItemWrite, Items, KeyedState, SnapshotKind, StateNeed, StateWrite, Values};

const ROWS: u64 = 1_024;
const WIDTH: u32 = 100;
/// What the runtime asks for at a time.
const STEP: usize = 4_096;

fn main() {
    let keys = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let mut chain = of_values(keys);
    restore("values", &chain, || MemoryState::new(values()));
    chain = of_a_map(keys);
    restore("a map", &chain, || MemoryState::new(maps()));
}

fn values() -> Vec<StateNeed> {
    vec![StateNeed::values("value", 1, Some(WIDTH))]
}

fn maps() -> Vec<StateNeed> {
    vec![StateNeed::maps("map", 1)]
}

fn of_values(keys: u64) -> Vec<Vec<u8>> {
    let mut state = MemoryState::new(values());
    for first in (0..keys).step_by(ROWS as usize) {
        write(&mut state, (first..keys.min(first + ROWS)).collect());
    }
    println!("{keys} keys with values of {WIDTH} bytes: {} MB held", state.bytes() / 1_000_000);
    let mut chain = Vec::new();
    snapshot("base", &mut state, &mut chain, |state, at| write(state, spread(at, keys)));
    for changed in [0, 1_000, 10_000, 50_000, 200_000] {
        for at in 0..changed / ROWS + 1 {
            write(&mut state, (at * ROWS..changed.min((at + 1) * ROWS)).map(|key| key * 5 % keys).collect());
        }
        snapshot(&format!("{changed} changed"), &mut state, &mut chain, |_, _| ());
    }
    chain
}

fn of_a_map(entries: u64) -> Vec<Vec<u8>> {
    let mut state = MemoryState::new(maps());
    for first in (0..entries).step_by(ROWS as usize) {
        put(&mut state, first..entries.min(first + ROWS));
    }
    println!("a key with a map of {entries} entries: {} MB held", state.bytes() / 1_000_000);
    let mut chain = Vec::new();
    snapshot("base", &mut state, &mut chain, |state, at| put(state, at * 7 % entries..at * 7 % entries + 1));
    for changed in [1, 1_000, 50_000] {
        for first in (0..changed).step_by(ROWS as usize) {
            put(&mut state, first..changed.min(first + ROWS));
        }
        snapshot(&format!("{changed} changed"), &mut state, &mut chain, |_, _| ());
    }
    snapshot("base, map cleared", &mut state, &mut Vec::new(), |state, at| {
        if at == 0 {
            clear(state);
        }
    });
    chain
}

/// Takes a snapshot, with a call between its steps, and prints what it cost.
fn snapshot(name: &str, state: &mut MemoryState, chain: &mut Vec<Vec<u8>>, mut call: impl FnMut(&mut MemoryState, u64)) {
    let kind = if name.starts_with("base") { SnapshotKind::Base } else { SnapshotKind::Delta };
    let epoch = Epoch(chain.len() as u64 + 1);
    let start = Instant::now();
    state.snapshot(epoch, kind);
    let mark = start.elapsed();
    let (mut bytes, mut total, mut longest, mut largest, mut longest_call) =
        (Vec::new(), Duration::ZERO, Duration::ZERO, 0, Duration::ZERO);
    for at in 0.. {
        let start = Instant::now();
        call(state, at);
        longest_call = longest_call.max(start.elapsed());
        let start = Instant::now();
        let piece = state.snapshot_step(STEP);
        let took = start.elapsed();
        (total, longest) = (total + took, longest.max(took));
        let Some(piece) = piece else { break };
        largest = largest.max(piece.len());
        bytes.extend(piece);
    }
    let start = Instant::now();
    state.confirm_snapshot(epoch);
    println!(
        "{name:<20}{:>12} bytes  mark {mark:>9.1?}  steps {total:>9.1?}  longest step {longest:>9.1?} ({largest} bytes)  longest call {longest_call:>9.1?}  confirm {:>9.1?}",
        bytes.len(),
        start.elapsed()
    );
    chain.push(bytes);
}

fn restore(name: &str, chain: &[Vec<u8>], make: impl Fn() -> MemoryState) {
    let chain: Vec<&[u8]> = chain.iter().map(|bytes| &bytes[..]).collect();
    for files in [1, chain.len()] {
        let mut state = make();
        let (start, busy) = (Instant::now(), busy());
        let restored = state.restore(&chain[..files], KeyGroups::DEFAULT, 0..128, 0..128);
        let (took, busy) = (start.elapsed(), self::busy().saturating_sub(busy));
        let bytes: usize = chain[..files].iter().map(|file| file.len()).sum();
        println!("{name}: {files} files of {bytes} bytes restored in {took:.0?}, {busy:.0?} on a processor: {restored:?}");
    }
}

/// How long this thread was on a processor, which others may keep busy too; zero where the system doesn't say.
fn busy() -> Duration {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(said.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or_default())
}

fn encoded(keys: Vec<u64>) -> EncodedKeys {
    let mut encoded = EncodedKeys::default();
    encoded.encode(&[Arc::new(Int64Array::from_iter_values(keys.into_iter().map(|key| key as i64))) as ArrayRef]);
    encoded
}

fn write(state: &mut MemoryState, keys: Vec<u64>) {
    let keys = encoded(keys);
    let mut call = CallKeys::default();
    state.resolve(&keys, &keys.hashes(), &mut call);
    let count = call.count();
    let present = vec![u8::MAX; count.div_ceil(8)];
    let values = Values { present, offsets: Vec::new(), data: vec![7; count * WIDTH as usize] };
    state.apply(&call, &[StateWrite { state: 0, keys: None, values }]);
    state.finish(&call);
}

/// Keys all over.
fn spread(at: u64, keys: u64) -> Vec<u64> {
    (0..50).map(|key| (at * 50 + key).wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys).collect()
}

fn change(state: &mut MemoryState, change: ItemChange) {
    let keys = encoded(vec![1]);
    let mut call = CallKeys::default();
    state.resolve(&keys, &keys.hashes(), &mut call);
    state.apply_items(&call, &[ItemWrite { state: 0, change }]);
    state.finish(&call);
}

fn put(state: &mut MemoryState, entries: std::ops::Range<u64>) {
    let (mut items, mut values) = (Items::default(), Values::end_to_end());
    for entry in entries {
        items.push(&entry.to_be_bytes());
        values.push(Some(&entry.to_le_bytes()));
    }
    change(state, ItemChange::Put { keys: vec![0; items.len()], entries: items, values });
}

fn clear(state: &mut MemoryState) {
    change(state, ItemChange::ClearMaps(vec![0]));
}
