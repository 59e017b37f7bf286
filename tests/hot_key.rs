//! One key has 99 of 100 rows, beside a million that have few: all are counted right though the job is killed, and its checkpoints take no longer.

mod program;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use program::Folder;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use wasmill_checkpoint::coordinator::Cadence;
use wasmill_checkpoint::recovery::Fit;
use wasmill_checkpoint::{Location, Store};
use wasmill_cli::composition::Composition;
use wasmill_cli::plugin_directory::prepare;
use wasmill_cli::sandbox::compiler;
use wasmill_cli::signals::Stop;
use wasmill_plugin::{Compiler, CompilerProcess, Sandbox};
use wasmill_runtime::{Durability, JobRun, MemoryBudget, Outcome, assembly, facts};
use wasmill_time::ProcessingClock;

const KEYS: u64 = 1_000_000;
const ROWS: u64 = 4 * KEYS;
/// A second: so there are checkpoints on any machine.
const RATE: u64 = 2 * KEYS;

/// First a row of each key, then rows of which 99 of 100 are of key 0, or of all keys in turn.
fn job(hot: bool, more: &str) -> String {
    let key =
        if hot { format!("case when id < {KEYS} or id % 100 = 0 then id % {KEYS} else 0 end") } else { format!("id % {KEYS}") };
    format!(
        "name: hot
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence }}, rows: {ROWS}, rate: {RATE} }} }}
operators:
  keyed: {{ input: rows, with: {{ key: {key} }} }}
  counted: {{ input: keyed, key-by: [key], aggregate: {{ n: count(*), sum: sum(id) }}, emit: final }}
{more}"
    )
}

const OUT: &str = "sinks: { out: { input: counted, connector: file, path: out.csv, format: csv } }
checkpoint: { every: 100ms, base-every: 4, store: ./store }
";

#[test]
fn f33_one_key_with_most_rows_is_counted_right_though_the_job_is_killed() {
    let folder = Folder::of_job(&job(true, OUT));
    let arguments = ["run", "job.yaml", "--parallelism", "2"];
    for place in ["manifest-written:2", "state-written:4"] {
        let killed = folder.command(&arguments).env("WASMILL_ABORT_AT", place).stderr(Stdio::null()).status();
        assert_eq!(killed.expect("it starts").code(), None, "it is killed at {place}");
    }
    folder.run(&arguments).says(0, &["note: going on from checkpoint "]);

    let mut expected = vec![(0_u64, 0_u64); KEYS as usize];
    for id in 0..ROWS {
        let key = if id < KEYS || id % 100 == 0 { id % KEYS } else { 0 };
        let (n, sum) = &mut expected[key as usize];
        (*n, *sum) = (*n + 1, *sum + id);
    }
    assert!(expected[0].0 > 2_900_000, "{:?}", expected[0]);
    let out = folder.read("out.csv");
    let mut rows = out.lines();
    assert_eq!(rows.next(), Some("key,n,sum"));
    let mut found = 0;
    for row in rows {
        let numbers: Vec<u64> = row.split(',').map(|number| number.parse().expect("a number")).collect();
        let expected = &mut expected[numbers[0] as usize];
        assert_eq!((numbers[1], numbers[2]), *expected, "key {}", numbers[0]);
        // Once only.
        *expected = (0, 0);
        found += 1;
    }
    assert_eq!(found, KEYS);
}

/// How long the checkpoints of a job took that were behind the first, which has all keys: each.
fn checkpoints(composition: &Composition, hot: bool) -> Vec<Duration> {
    let folder = Folder::new();
    let text = job(hot, "sinks: { out: { input: counted, connector: blackhole } }\n");
    let loaded = wasmill_job::load(&text, "job.yaml", "/".as_ref(), &[], Some(2), 2, &|_| None, composition);
    let job = loaded.unwrap_or_else(|problems| panic!("{problems:?}")).0;
    let plan = wasmill_job::plan::plan(&job);
    let factory = composition.factory(&job, Instant::now()).expect("parts");
    let states = factory.states().expect("operators");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&Location::Directory(folder.path("store"))).await.expect("a store");
        let every = Duration::from_millis(50);
        let durability = Durability {
            first: store.begin(None).await.expect("begins"),
            store: Arc::new(store),
            cadence: Cadence {
                every,
                first_after: every,
                base_every: NonZero::new(10).expect("not 0"),
                first_deltas: 9,
                timeout: Duration::from_secs(60),
            },
            retain: NonZero::new(2).expect("not 0"),
            verify: (Duration::MAX, Duration::MAX),
            facts: facts(&job, &plan, &states, &BTreeMap::new()),
            restored: None,
            fit: Fit::Same,
        };
        let counts = Arc::new(assembly::counts(&job));
        let (_stop, stop) = watch::channel(false);
        let run = JobRun {
            job: &job,
            plan: &plan,
            factory: &factory,
            counts: Arc::clone(&counts),
            durability: Some(durability),
            memory: Arc::new(MemoryBudget::new(4 << 30)),
            clock: ProcessingClock::start(),
            stop,
            savepoints: mpsc::unbounded_channel().1,
        };
        let (mut seen, mut took) = (0, Vec::new());
        let watched = async {
            loop {
                sleep(Duration::from_millis(1)).await;
                let completed = counts.checkpoints.load(Relaxed);
                if completed > seen {
                    seen = completed;
                    took.push(Duration::from_micros(counts.checkpoint_micros.load(Relaxed)));
                }
            }
        };
        tokio::select! {
            ended = run.run() => assert_eq!(ended, Ok(Outcome::Finished)),
            () = watched => {}
        }
        took
    })
}

#[test]
fn f33_one_key_with_most_rows_holds_up_no_checkpoint() {
    let compiler = CompilerProcess { program: env!("CARGO_BIN_EXE_wasmill").into(), ..compiler() };
    let sandbox = Sandbox::start(None, Compiler::Process(compiler)).expect("an engine");
    let composition = Composition::new(sandbox, prepare(false, Stop::never()));
    let longest = |hot| {
        let took = checkpoints(&composition, hot);
        assert!(took.len() > 3, "only {} checkpoints", took.len());
        let longest = took.iter().max().copied().unwrap_or_default();
        println!(
            "{}: {} checkpoints, the longest {longest:?}",
            if hot { "99 % of one key" } else { "all keys alike" },
            took.len()
        );
        longest
    };
    let (even, hot) = (longest(false), longest(true));
    assert!(hot < 3 * even + Duration::from_millis(200), "with a hot key {hot:?}, without {even:?}");
}
