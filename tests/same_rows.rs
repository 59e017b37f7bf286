//! Whatever the rows: a job gives the same ones in every format, with every batch size, on every number of tasks, and whether its operators
//! are built in or components; and they are those that plain code computes.

mod program;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use program::{Folder, plugin};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use wasmill_cli::composition::Composition;
use wasmill_cli::plugin_directory::prepare;
use wasmill_cli::sandbox::compiler;
use wasmill_cli::signals::Stop;
use wasmill_plugin::{Compiler, CompilerProcess, Sandbox};
use wasmill_runtime::{JobRun, MemoryBudget, Outcome, assembly};
use wasmill_time::ProcessingClock;

/// A row of the input.
#[derive(Debug, Clone)]
struct Row {
    key: i64,
    value: f64,
    ts: i64,
    note: Option<String>,
}

/// How the job is run.
#[derive(Debug, Clone)]
struct Way {
    format: &'static str,
    batch: usize,
    tasks: u32,
    mapped_by_component: bool,
    counted_by_component: bool,
}

fn a_row() -> impl Strategy<Value = Row> {
    let key = prop_oneof![8 => -3..6_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    // What 1.1 times that is stays finite: infinity is null in JSON.
    let value = (proptest::num::f64::NORMAL | proptest::num::f64::ZERO).prop_filter("finite", |value| value.abs() < 1e300);
    // The years 0 to 9999 but for the last millisecond.
    let ts = -62_167_219_200_000..253_402_300_799_999_i64;
    let note = proptest::option::weighted(0.8, prop_oneof![4 => any::<String>(), 1 => Just(String::new())]);
    (key, value, ts, note).prop_map(|(key, value, ts, note)| Row { key, value, ts, note })
}

fn a_way() -> impl Strategy<Value = Way> {
    let format = proptest::sample::select(vec!["json", "csv", "parquet", "arrow"]);
    (format, prop_oneof![1..8_usize, Just(1024)], 1..4_u32, any::<bool>(), any::<bool>()).prop_map(
        |(format, batch, tasks, mapped_by_component, counted_by_component)| Way {
            format,
            batch,
            tasks,
            mapped_by_component,
            counted_by_component,
        },
    )
}

const SCHEMA: &str = "{ id: int64 not null, key: int64 not null, value: float64 not null, ts: timestamp not null, note: utf8 }";

/// What jobs are run with, once for all cases.
struct World {
    folder: Folder,
    composition: Composition,
    runtime: Runtime,
    map_filter: String,
    keyed_count: String,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let compiler = CompilerProcess { program: env!("CARGO_BIN_EXE_wasmill").into(), ..compiler() };
        let sandbox = Sandbox::start(None, Compiler::Process(compiler)).expect("an engine");
        let path = |name: &str| plugin(name).display().to_string();
        Self {
            folder: Folder::new(),
            composition: Composition::new(sandbox, prepare(false, Stop::never())),
            runtime,
            map_filter: path("plugins/map-filter"),
            keyed_count: path("plugins/keyed-count"),
        }
    }

    /// Runs a job with batches of so many rows, on so many tasks.
    fn run(&self, text: &str, batch: usize, tasks: u32) {
        let directory = self.folder.path("");
        let loaded = wasmill_job::load(text, "job.yaml", &directory, &[], Some(tasks), 1, &|_| None, &self.composition);
        let shown = |problems: Vec<wasmill_job::Problem>| {
            problems.iter().map(|problem| wasmill_job::render(problem, text)).collect::<Vec<_>>().join("\n")
        };
        let (mut job, _) = loaded.map_err(shown).unwrap_or_else(|problems| panic!("{problems}"));
        job.batch.max_rows = batch;
        let plan = wasmill_job::plan::plan(&job);
        let factory = self.composition.factory(&job, Instant::now()).expect("parts");
        let counts = Arc::new(assembly::counts(&job));
        let (_stop, stop) = watch::channel(false);
        let memory = Arc::new(MemoryBudget::new(4 << 30));
        let run = JobRun {
            job: &job,
            plan: &plan,
            factory: &factory,
            counts,
            durability: None,
            memory,
            clock: ProcessingClock::start(),
            stop,
            savepoints: mpsc::unbounded_channel().1,
        };
        assert_eq!(self.runtime.block_on(run.run()), Ok(Outcome::Finished));
    }

    /// Writes the rows as a file of this format; its name.
    fn write(&self, rows: &[Row], format: &str) -> String {
        let line = |(id, row): (usize, &Row)| {
            let Row { key, value, ts, note } = row;
            json!({ "id": id, "key": key, "value": value, "ts": ts, "note": note }).to_string() + "\n"
        };
        self.folder.write("rows.json", rows.iter().enumerate().map(line).collect::<String>());
        let name = format!("rows.{format}");
        if format != "json" {
            let copy = format!(
                "name: copy
sources: {{ rows: {{ connector: file, path: rows.json, format: json, schema: {SCHEMA} }} }}
sinks: {{ out: {{ input: rows, connector: file, path: {name}, format: {format} }} }}
"
            );
            self.run(&copy, 1024, 1);
        }
        name
    }

    /// What the job gives: the rows that were mapped, and those that were counted.
    fn results(&self, rows: &[Row], way: &Way) -> [Vec<Value>; 2] {
        let name = self.write(rows, way.format);
        let mapped = if way.mapped_by_component {
            format!("mapped: {{ input: rows, plugin: {} }}", self.map_filter)
        } else {
            "even: { input: rows, filter: \"key % 2 = 0\" }
  mapped: { input: even, with: { value: \"value * 1.1 + 1.0\", ts: \"ts + interval '1 millisecond'\" } }"
                .to_owned()
        };
        let counted = match way.counted_by_component {
            true => format!("plugin: {}", self.keyed_count),
            false => "aggregate: { count: count(*) }".to_owned(),
        };
        let job = format!(
            "name: same
sources: {{ rows: {{ connector: file, path: {name}, format: {}, schema: {SCHEMA} }} }}
operators:
  {mapped}
  counted: {{ input: mapped, key-by: [key], {counted} }}
sinks:
  mapped-rows: {{ input: mapped, connector: file, path: mapped.ndjson, format: {{ type: json, timestamps: ms }} }}
  counted-rows: {{ input: counted, connector: file, path: counted.ndjson, format: json }}
",
            way.format
        );
        self.run(&job, way.batch, way.tasks);
        ["mapped.ndjson", "counted.ndjson"].map(|name| {
            self.folder.read(name).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
        })
    }
}

/// The rows of each key, in order.
fn by_key(rows: Vec<Value>) -> BTreeMap<i64, Vec<Value>> {
    let mut keys: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for row in rows {
        keys.entry(row["key"].as_i64().expect("a key")).or_default().push(row);
    }
    keys
}

/// What plain code makes of the rows.
fn expected(rows: &[Row]) -> [Vec<Value>; 2] {
    let (mut mapped, mut counted) = (Vec::new(), Vec::new());
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for (id, Row { key, value, ts, note }) in rows.iter().enumerate().filter(|(_, row)| row.key % 2 == 0) {
        mapped.push(json!({ "id": id, "key": key, "value": value * 1.1 + 1.0, "ts": ts + 1, "note": note }));
        let count = counts.entry(*key).or_default();
        *count += 1;
        counted.push(json!({ "key": key, "count": *count }));
    }
    [mapped, counted]
}

#[test]
fn rows_are_the_same_by_every_format_batch_size_number_of_tasks_and_kind_of_operator() {
    let world = World::new();
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let inputs = (proptest::collection::vec(a_row(), 0..60), a_way());
    let tested = runner.run(&inputs, |(rows, way)| {
        let found = world.results(&rows, &way).map(by_key);
        prop_assert_eq!(found, expected(&rows).map(by_key));
        Ok(())
    });
    tested.unwrap_or_else(|error| panic!("{error}"));
}
