//! What running aggregates cost a row: an operator over a key of integers, in batches of 1,024 rows, with its state in memory.
//!
//! `cargo bench -p wasmill-operator --bench running_aggregate -- [KEYS [BATCHES]]`: uniform keys out of KEYS (50,000 by default),
//! BATCHES batches (20,000). Prints nanoseconds a row, the least of five runs, on one thread, and beside it what the state's own
//! calls with a bare count take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;
use wasmill_operator::aggregate::{Emit, RunningAggregate};
use wasmill_operator::filter::Filter;
use wasmill_operator::{Context, Operator};
use wasmill_state::memory::MemoryState;
use wasmill_state::{CallKeys, KeyedState, StateNeed, StateWrite, Values};

const ROWS: usize = 1_024;
/// Batches that are made before the clock starts, and used in turn.
const PREPARED: usize = 2_048;
const RUNS: usize = 5;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let number = |index: usize, default: usize| numbers.get(index).copied().unwrap_or(default);
    let (keys, batches) = (number(0, 50_000), number(1, 20_000));
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, false),
        Field::new("value", DataType::Float64, false),
        Field::new("name", DataType::Utf8View, false),
    ]));
    let prepared = prepare(&schema, keys as u64);
    println!("{keys} keys, {batches} batches of {ROWS} rows; ns a row");
    let least = |run: &dyn Fn() -> Duration| {
        let spent = (0..RUNS).map(|_| run()).min().unwrap_or_default();
        spent.as_secs_f64() * 1e9 / (batches * ROWS) as f64
    };
    println!("{:<52}{:>8.2}", "encode keys, state calls, bare count", least(&|| bare(&prepared, batches)));
    for aggregates in
        [&["count(*)"][..], &["sum(value)"], &["count(*)", "sum(value)", "max(value)", "avg(value)"], &["max(name)"]]
    {
        let named: Vec<_> =
            aggregates.iter().enumerate().map(|(index, text)| (format!("a{index}"), (*text).to_owned())).collect();
        let run = || {
            let mut operator = RunningAggregate::new(&[0], &named, Emit::EachRow, &schema).expect("aggregates");
            let state = MemoryState::new(operator.declaration().states);
            drive(&mut operator, Context { state: Some(Box::new(state)), ..Context::stateless() }, &prepared, batches)
        };
        println!("{:<52}{:>8.2}", aggregates.join(", "), least(&run));
    }
    for condition in ["value >= 100", "value >= 0", "value / key > 1 and name like 'n1%'"] {
        let run = || drive(&mut Filter::new(condition, &schema).expect("a filter"), Context::stateless(), &prepared, batches);
        println!("{:<52}{:>8.2}", format!("filter: {condition}"), least(&run));
    }
}

/// Batches with hashes, as an exchange hands them over.
fn prepare(schema: &SchemaRef, keys: u64) -> Vec<Batch> {
    let mut random = 0u64;
    let mut next = || {
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 31)
    };
    let mut batch = || {
        let rows: Vec<u64> = (0..ROWS).map(|_| next()).collect();
        let key: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| (row >> 1) as i64 % keys as i64)));
        let value = Float64Array::from_iter_values(rows.iter().map(|row| (row & 0xfff) as f64 / 16.0));
        let name = StringViewArray::from_iter_values(rows.iter().map(|row| format!("n{}", row & 0xff)));
        let mut encoded = EncodedKeys::default();
        encoded.encode(std::slice::from_ref(&key));
        let rows =
            RecordBatch::try_new(Arc::clone(schema), vec![key, Arc::new(value), Arc::new(name)]).expect("columns of the schema");
        Batch { hashes: Some(encoded.hashes().into()), ..Batch::unkeyed(rows) }
    };
    (0..PREPARED).map(|_| batch()).collect()
}

fn drive(operator: &mut dyn Operator, mut cx: Context, prepared: &[Batch], batches: usize) -> Duration {
    use futures_util::FutureExt;
    let start = Instant::now();
    for index in 0..batches {
        let done = operator.process(0, prepared[index % PREPARED].clone(), &mut cx).now_or_never();
        done.expect("a step without waiting").expect("a step without an error");
        cx.emitted.clear();
    }
    start.elapsed()
}

/// The least that a keyed count can take with this state: no operator, no output.
fn bare(prepared: &[Batch], batches: usize) -> Duration {
    let mut state = MemoryState::new(vec![StateNeed::values("count", 1, Some(8))]);
    let (mut keys, mut call) = (EncodedKeys::default(), CallKeys::default());
    let mut write = StateWrite { state: 0, keys: None, values: Values::default() };
    let start = Instant::now();
    for index in 0..batches {
        let batch = &prepared[index % PREPARED];
        keys.encode(&batch.rows.columns()[..1]);
        state.resolve(&keys, batch.hashes.as_deref().expect("hashes"), &mut call);
        state.load(0, &call, &mut write.values);
        for &key in &call.row_key {
            let cell = &mut write.values.data[key as usize * 8..][..8];
            let count = u64::from_le_bytes(cell.try_into().expect("eight bytes")) + 1;
            cell.copy_from_slice(&count.to_le_bytes());
        }
        write.values.present.fill(0xff);
        state.apply(&call, std::slice::from_ref(&write));
        state.finish(&call);
    }
    start.elapsed()
}
