//! What the boundary costs by itself: `cargo bench --profile release -p wasmill-plugin --bench boundary -- PLUGIN`, where PLUGIN is the
//! component of plugins/keyed-count. Prints medians.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Batch, TaskIndex};
use wasmill_operator::{Context, Operator as _};
use wasmill_plugin::cache::Cache;
use wasmill_plugin::operator::Definition;
use wasmill_plugin::{Compiler, InputShape, Limits, OnPoison, PluginOperator, Sandbox};
use wasmill_state::memory::MemoryState;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn timed(runs: usize, mut work: impl FnMut()) -> Duration {
    let once = |()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    median(std::iter::repeat_n((), runs).map(once).collect())
}

fn keyed(keys: &[i64]) -> Batch {
    let column: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
    let mut encoded = EncodedKeys::default();
    encoded.encode(std::slice::from_ref(&column));
    let hashes = encoded.hashes();
    let rows = RecordBatch::try_from_iter_with_nullable([("key", column, false)]).expect("a batch");
    Batch { hashes: Some(hashes.into()), ..Batch::unkeyed(rows) }
}

fn main() {
    // Cargo adds `--bench`.
    let Some(path) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        println!("give the path of plugins/keyed-count's component");
        return;
    };
    let path = Path::new(&path);
    let sandbox = Sandbox::start(None, Compiler::InProcess).expect("the engine starts");
    println!("compile            {:>10.1?}", timed(5, || drop(sandbox.load(path).expect("loads"))));

    let directory = tempfile::tempdir().expect("a directory");
    let cached =
        Sandbox::start(Some(Cache::open(directory.path()).expect("a cache")), Compiler::InProcess).expect("the engine starts");
    drop(cached.load(path).expect("loads"));
    println!("load from cache    {:>10.1?}", timed(21, || assert!(cached.load(path).expect("loads").cached)));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let component = sandbox.load(path).expect("loads");
    let batch = keyed(&(0..1_024).collect::<Vec<_>>());
    let inputs = vec![InputShape { name: "main".to_owned(), schema: batch.rows.schema(), key: vec![0], broadcast: false }];
    let plan = runtime.block_on(component.describe("null", &inputs, &Limits::default())).expect("describes itself");
    let described = timed(501, || drop(runtime.block_on(component.describe("null", &inputs, &Limits::default()))));
    println!("instantiate, ask   {described:>10.1?}");
    let states = plan.declaration.states.clone();
    let definition = Definition {
        operator: "count".to_owned(),
        component,
        settings: "null".to_owned(),
        inputs,
        plan,
        handed: vec![None],
        limits: Limits::default(),
        on_poison: OnPoison::Halt,
        batch_rows: 1_024,
        timed: false,
    };
    let mut operator = PluginOperator::new(definition, TaskIndex::ONLY);
    let mut cx = Context { state: Some(Box::new(MemoryState::new(states))), ..Context::stateless() };
    let mut call = |operator: &mut PluginOperator, batch: &Batch| {
        runtime.block_on(operator.process(0, batch.clone(), &mut cx)).expect("counts");
        cx.emitted.clear();
    };
    let one = keyed(&[7]);
    let single = timed(20_001, || call(&mut operator, &one));
    println!("call with 1 row    {single:>10.1?}");
    let full = timed(5_001, || call(&mut operator, &batch));
    println!("call with 1,024    {full:>10.1?}   {:.1} ns a row, as many keys", full.as_secs_f64() * 1e9 / 1_024.0);
    let few = keyed(&(0..1_024).map(|row| row % 16).collect::<Vec<_>>());
    let few = timed(5_001, || call(&mut operator, &few));
    println!("  of 16 keys       {few:>10.1?}   {:.1} ns a row", few.as_secs_f64() * 1e9 / 1_024.0);
    let per_key = (full.as_secs_f64() - few.as_secs_f64()) * 1e9 / (1_024.0 - 16.0);
    println!("load and store     {per_key:>7.1} ns a key");
    let opened = timed(501, || {
        operator.idle();
        call(&mut operator, &one);
    });
    println!("instantiate, open  {:>10.1?}", opened.saturating_sub(single));
}
