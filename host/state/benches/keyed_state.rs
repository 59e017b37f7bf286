//! What keyed state costs a row: a running count over uniform keys, one call a batch, each stage timed apart.
//!
//! `cargo bench -p wasmill-state --bench keyed_state -- [KEYS [TASKS [BATCHES]]]`: of KEYS keys (100,000 by default) those of one of TASKS tasks
//! (2) are counted, in BATCHES batches (20,000) of 1,024 rows. Prints nanoseconds a row, the least of five runs, on one thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array};
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Epoch, KeyGroups, TaskIndex};
use wasmill_state::memory::MemoryState;
use wasmill_state::{CallKeys, KeyedState, SnapshotKind, StateNeed, StateWrite, Values};

const ROWS: usize = 1_024;
/// Batches that are made before the clock starts, and used in turn.
const PREPARED: usize = 2_048;
const RUNS: usize = 5;

/// One batch's keys, as an operator has them.
struct Prepared {
    keys: EncodedKeys,
    hashes: Vec<u64>,
}

/// Time spent, by stage.
#[derive(Default, Clone, Copy)]
struct Spent {
    resolve: Duration,
    load: Duration,
    count: Duration,
    apply: Duration,
    finish: Duration,
    snapshot: Duration,
}

impl Spent {
    fn of_the_state(&self) -> Duration {
        self.resolve + self.load + self.apply + self.finish + self.snapshot
    }
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let number = |index: usize, default: usize| numbers.get(index).copied().unwrap_or(default);
    let (keys, tasks, batches) = (number(0, 100_000), number(1, 2), number(2, 20_000));
    let prepared = prepare(keys as u64, tasks as u32);
    println!("{keys} keys, the first of {tasks} tasks, {batches} batches of {ROWS} rows; ns a row");
    println!(
        "{:<22}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}{:>12}",
        "", "resolve", "load", "apply", "finish", "snap.", "state", "(count)", "B/key"
    );
    for (name, snapshot_every) in [("counting", 0), ("… and snapshots", 1_000)] {
        let runs = (0..RUNS).map(|_| run(&prepared, batches, snapshot_every));
        let (spent, bytes) = runs.min_by_key(|(spent, _)| spent.of_the_state()).unwrap_or_default();
        let row = |spent: Duration| spent.as_secs_f64() * 1e9 / (batches * ROWS) as f64;
        println!(
            "{name:<22}{:>8.2}{:>8.2}{:>8.2}{:>8.2}{:>8.2}{:>8.2}{:>10.2}{bytes:>12}",
            row(spent.resolve),
            row(spent.load),
            row(spent.apply),
            row(spent.finish),
            row(spent.snapshot),
            row(spent.of_the_state()),
            row(spent.count),
        );
    }
}

/// Counts the rows of each key, and checks the answer; what was spent, and the memory that a key takes.
fn run(prepared: &[Prepared], batches: usize, snapshot_every: usize) -> (Spent, usize) {
    let mut state = MemoryState::new(vec![StateNeed::values("count", 1, Some(8))]);
    let mut call = CallKeys::default();
    let mut loaded = Values::default();
    let mut spent = Spent::default();
    // Every key is there before the clock starts.
    for batch in prepared {
        step(&mut state, batch, &mut call, &mut loaded, &mut Spent::default());
    }
    for batch in 0..batches {
        let start = Instant::now();
        if snapshot_every != 0 && batch % snapshot_every == 0 {
            while state.snapshot_step(1_024).is_some() {}
            state.snapshot(Epoch(batch as u64), SnapshotKind::Base);
        }
        if snapshot_every != 0 {
            std::hint::black_box(state.snapshot_step(1_024));
        }
        spent.snapshot += start.elapsed();
        step(&mut state, &prepared[batch % PREPARED], &mut call, &mut loaded, &mut spent);
    }
    let counted: u64 = state.dump().values().flatten().flatten().map(|value| count_of(value)).sum();
    assert_eq!(counted as usize, (batches + PREPARED) * ROWS, "every row is counted once");
    (spent, state.bytes() / state.keys())
}

fn step(state: &mut dyn KeyedState, batch: &Prepared, call: &mut CallKeys, loaded: &mut Values, spent: &mut Spent) {
    let start = Instant::now();
    state.resolve(&batch.keys, &batch.hashes, call);
    let resolved = Instant::now();
    state.load(0, call, loaded);
    let loaded_at = Instant::now();
    let mut counts: Vec<u64> = loaded.data.as_chunks::<8>().0.iter().map(|count| count_of(count)).collect();
    for &key in &call.row_key {
        counts[key as usize] += 1;
    }
    let mut present = vec![u8::MAX; counts.len() / 8];
    present.extend((!counts.len().is_multiple_of(8)).then(|| u8::MAX >> (8 - counts.len() % 8)));
    let data = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    let write = StateWrite { state: 0, keys: None, values: Values { present, offsets: Vec::new(), data } };
    let counted = Instant::now();
    state.apply(call, &[write]);
    let applied = Instant::now();
    state.finish(call);
    let finished = Instant::now();
    spent.resolve += resolved - start;
    spent.load += loaded_at - resolved;
    spent.count += counted - loaded_at;
    spent.apply += applied - counted;
    spent.finish += finished - applied;
}

fn count_of(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Batches of uniform keys that belong to the first of `tasks` tasks.
fn prepare(keys: u64, tasks: u32) -> Vec<Prepared> {
    let groups = KeyGroups::DEFAULT;
    let owned = groups.owned_by(TaskIndex { index: 0, of: tasks });
    let all: Vec<i64> = (0..keys as i64).collect();
    let hashes = encode(all).hashes;
    let mut random = 0u64;
    let mut next = || loop {
        random += 1;
        let key = mix(random) % keys;
        if owned.contains(&groups.group(hashes[key as usize])) {
            return key as i64;
        }
    };
    (0..PREPARED).map(|_| encode((0..ROWS).map(|_| next()).collect())).collect()
}

fn encode(values: Vec<i64>) -> Prepared {
    let mut keys = EncodedKeys::default();
    keys.encode(&[Arc::new(Int64Array::from(values)) as ArrayRef]);
    Prepared { hashes: keys.hashes(), keys }
}

/// splitmix64.
fn mix(number: u64) -> u64 {
    let z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
