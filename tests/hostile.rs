//! What a hostile plugin does ends its own job with an error that names it; a neighbour job in the same process loses nothing.
//!
//! Each behaviour of `guests/hostile` runs beside a well-behaved job: same process, same threads, same sandbox.

#[path = "hostile/misdeeds.rs"]
mod misdeeds;
mod program;
mod wasm_bytes;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use misdeeds::{Case, DEPTH, LIMIT, LOOPS, MEMORY, NONSENSE, OUTPUT, REFUSED, START, TRAP, TRAPS};
use program::{Folder, plugin};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use wasmill_cli::composition::Composition;
use wasmill_cli::plugin_directory::prepare;
use wasmill_cli::sandbox::compiler;
use wasmill_cli::signals::Stop;
use wasmill_connector::BatchLimit;
use wasmill_flow::{Batch, TaskIndex};
use wasmill_job::graph::Job;
use wasmill_operator::Context;
use wasmill_plugin::{Compiler, CompilerProcess, Sandbox};
use wasmill_runtime::{Factory as _, JobCounts, JobError, JobRun, MemoryBudget, NodeCounts, OperatorParts, Outcome, assembly};
use wasmill_time::ProcessingClock;

struct World {
    folder: Folder,
    composition: Composition,
    runtime: Runtime,
    guest: String,
}

impl World {
    fn new() -> Self {
        Self::of_threads(2)
    }

    fn of_threads(threads: usize) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("a runtime");
        let compiler = CompilerProcess { program: env!("CARGO_BIN_EXE_wasmill").into(), ..compiler() };
        let sandbox = Sandbox::start(None, Compiler::Process(compiler)).expect("an engine");
        let composition = Composition::new(sandbox, prepare(false, Stop::never()));
        let guest = plugin("tests/guests/hostile").display().to_string();
        Self { folder: Folder::new(), composition, runtime, guest }
    }

    /// A job of so many rows through the guest, which a keyed count follows.
    fn job(&self, name: &str, rows: u64, operator: &str) -> Result<Job, String> {
        let text = format!(
            "name: {name}
sources:
  rows:
    connector: generator
    fields: {{ id: sequence, key: {{ uniform: [0, 9] }}, at: {{ every: 1s, start: 1970-01-01T00:00:00Z }} }}
    rows: {rows}
    event-time: {{ field: at, ascending: true }}
operators:
  guest: {{ input: rows, key-by: [key], plugin: {}, {operator} }}
  counted: {{ input: guest, key-by: [key], aggregate: {{ n: count(*) }} }}
sinks: {{ out: {{ input: counted, connector: file, path: {name}.ndjson, format: json }} }}
dead-letters: {{ connector: file, path: {name}-dead.ndjson, format: json }}
",
            self.guest
        );
        self.load(&text)
    }

    fn load(&self, text: &str) -> Result<Job, String> {
        let directory = self.folder.path("");
        let loaded = wasmill_job::load(text, "job.yaml", &directory, &[], Some(1), 1, &|_| None, &self.composition);
        loaded
            .map(|(job, _)| job)
            .map_err(|problems| problems.iter().map(|problem| wasmill_job::render(problem, text)).collect::<Vec<_>>().join("\n"))
    }

    /// Runs jobs side by side: how each ended, what it counted, how long it took.
    fn run(&self, jobs: &[&Job]) -> Vec<(Result<Outcome, JobError>, Arc<JobCounts>, Duration)> {
        let plans: Vec<_> = jobs.iter().map(|job| wasmill_job::plan::plan(job)).collect();
        let factories: Vec<_> = jobs.iter().map(|job| self.composition.factory(job, Instant::now()).expect("parts")).collect();
        let (_stop, stop) = watch::channel(false);
        let memory = Arc::new(MemoryBudget::new(4 << 30));
        let run = |index: usize| {
            let counts = Arc::new(assembly::counts(jobs[index]));
            let (job, plan, factory) = (jobs[index], &plans[index], &factories[index]);
            let run = JobRun {
                job,
                plan,
                factory,
                counts: Arc::clone(&counts),
                durability: None,
                memory: Arc::clone(&memory),
                clock: ProcessingClock::start(),
                stop: stop.clone(),
                savepoints: mpsc::unbounded_channel().1,
            };
            let began = Instant::now();
            async move { (run.run().await, counts, began.elapsed()) }
        };
        self.runtime.block_on(async {
            match jobs.len() {
                1 => vec![run(0).await],
                _ => {
                    let (first, second) = tokio::join!(run(0), run(1));
                    vec![first, second]
                }
            }
        })
    }
}

/// Each ends its own job by name, and a neighbour loses nothing.
fn all_end(cases: &[Case]) {
    let world = World::new();
    let neighbour = world.job("neighbour", 20_000, "settings: { do: pass }").expect("valid");
    world.run(&[&neighbour]).remove(0).0.expect("finishes");
    let calm = world.folder.read("neighbour.ndjson");
    assert_eq!(calm.lines().count(), 20_000);

    let mut wrong = Vec::new();
    for Case { settings, more, code, message } in cases {
        let column = if settings.contains("realloc") { ", column: id" } else { "" };
        let job = match world.job("hostile", 1, &format!("settings: {{ {settings}{column} }}, {more}")) {
            Ok(job) => job,
            Err(problems) => {
                wrong.push(format!("{settings}: refused: {problems}"));
                continue;
            }
        };
        let began = Instant::now();
        let mut ended = world.run(&[&job, &neighbour]).into_iter();
        let (hostile, counts, _) = ended.next().expect("the first");
        match hostile {
            Ok(outcome) => wrong.push(format!("{settings}: {outcome:?}")),
            Err(error) => {
                let named = error.message.contains("operator `guest` (plugin ") && error.operator.as_deref() == Some("guest");
                if error.code != *code || !error.message.contains(message) || !named {
                    wrong.push(format!("{settings}: expected {code}: {message}; found {error:?}"));
                }
            }
        }
        if NodeCounts::get(&counts.sinks[0].rows_in) > 1 {
            wrong.push(format!("{settings}: rows came out that never were"));
        }
        if began.elapsed() > Duration::from_secs(5) {
            wrong.push(format!("{settings}: took {:?}", began.elapsed()));
        }
        let (neighbour, ..) = ended.next().expect("the second");
        if neighbour != Ok(Outcome::Finished) || world.folder.read("neighbour.ndjson") != calm {
            wrong.push(format!("{settings}: the neighbour suffered: {neighbour:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn f19_a_call_that_fails_ends_its_own_job_by_name_and_leaves_nothing() {
    all_end(TRAPS);
}

#[test]
fn f20_loops_are_ended_wherever_the_guest_is_called() {
    all_end(LOOPS);
}

#[test]
fn f21_more_memory_than_it_may_have_is_refused() {
    all_end(MEMORY);
}

#[test]
fn f22_recursion_without_end_is_ended() {
    all_end(DEPTH);
}

#[test]
fn f23_more_than_a_call_may_leave_behind_is_refused() {
    all_end(OUTPUT);
}

#[test]
fn f24_nonsense_is_found_out() {
    all_end(NONSENSE);
}

/// C06: many calls, each just within its budget.
#[test]
fn a_guest_that_works_long_in_every_call_yields_to_its_neighbour() {
    let world = World::of_threads(1);
    let neighbour = world.job("neighbour", 20_000, "settings: { do: pass }").expect("valid");
    world.run(&[&neighbour]).remove(0).0.expect("finishes");
    let calm = world.folder.read("neighbour.ndjson");

    // Tens of milliseconds a call; on a slow machine more, which the limit allows.
    let spin = "settings: { do: spin, count: 200000000 }, limits: { cpu-per-call: 10s }";
    let mut hog = world.job("hog", 60, spin).expect("valid");
    hog.batch.max_rows = 1;
    let mut ended = world.run(&[&hog, &neighbour]).into_iter();
    let (hog, counts, hogs_time) = ended.next().expect("the first");
    assert_eq!(hog, Ok(Outcome::Finished));
    let (neighbour, _, neighbours_time) = ended.next().expect("the second");
    assert_eq!(neighbour, Ok(Outcome::Finished));
    assert_eq!(world.folder.read("neighbour.ndjson"), calm, "the neighbour loses nothing");
    assert!(neighbours_time < hogs_time, "the neighbour waited for the guest: {neighbours_time:?} of {hogs_time:?}");
    let busy = Duration::from_nanos(NodeCounts::get(&counts.operators[0].busy_nanos));
    assert!(busy > Duration::from_millis(300), "the guest took no time to speak of: {busy:?}");
}

#[test]
fn a_plan_that_makes_no_sense_is_refused_before_any_row_flows() {
    let world = World::new();
    let mut wrong = Vec::new();
    for Case { settings, code, message, .. } in REFUSED {
        match world.job("hostile", 1, &format!("settings: {{ {settings} }}")) {
            Ok(_) => wrong.push(format!("{settings}: taken")),
            Err(text) if text.contains(&format!("error[{code}]: ")) && text.contains(message) => {}
            Err(text) => wrong.push(format!("{settings}: expected {code}: {message}; found {text}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_belongs_to_one_input_is_not_there_while_rows_of_another_are_processed() {
    let world = World::new();
    for (settings, message) in [
        ("do: pass", "emitted to output `main` what can't be: it takes columns of input 0, but the rows are of input 1"),
        ("do: store-then-fail, text: stored", "called state.store where there is no key"),
    ] {
        let text = format!(
            "name: inputs
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 9] }} }}, rows: 5 }} }}
operators:
  none: {{ input: rows, filter: id < 0 }}
  guest: {{ inputs: {{ one: none, two: rows }}, key-by: {{ one: [key] }}, plugin: {}, settings: {{ {settings} }} }}
sinks: {{ out: {{ input: guest, connector: file, path: inputs.ndjson, format: json }} }}
",
            world.guest
        );
        let job = world.load(&text).expect("valid");
        let (ended, ..) = world.run(&[&job]).remove(0);
        let error = ended.expect_err("a guest that does what it can't");
        assert!(error.code == TRAP && error.message.contains(message), "expected {message}, found {error:?}");
    }
}

/// C33: what a call stored before it trapped is gone with it.
#[test]
fn f19_a_call_that_stores_and_then_traps_leaves_no_state() {
    let world = World::new();
    let job = world.job("stored", 10, "settings: { do: store-then-trap }, on-poison: skip").expect("valid");
    let (outcome, counts, _) = world.run(&[&job]).remove(0);
    assert_eq!((outcome, counts.operators[0].state_totals().0), (Ok(Outcome::Finished), 0));
}

#[test]
fn f19_poison_rows_alone_become_dead_letters_where_the_job_asks_for_it() {
    let world = World::new();
    // The first row, one in between, the last.
    for (what, kind, id) in [("trap-on", "trap", 0), ("trap-on", "trap", 499), ("trap-on", "trap", 7), ("loop-on", "limit", 7)] {
        let operator = format!(
            "settings: {{ do: {what}, column: id, equals: {id} }}, on-poison: dead-letter, limits: {{ cpu-per-call: 30ms }}"
        );
        let job = world.job("poisoned", 500, &operator).expect("valid");
        let (outcome, counts, _) = world.run(&[&job]).remove(0);
        // A time-out of more rows than one isn't poison: the batch is halved all the same until the row stands alone.
        assert_eq!(outcome, Ok(Outcome::Finished), "{what}");
        assert_eq!(NodeCounts::get(&counts.sinks[0].rows_in), 499, "{what}");
        let letter = world.folder.json("poisoned-dead.ndjson");
        assert_eq!((&letter["kind"], &letter["operator"]), (&kind.into(), &"guest".into()), "{letter}");
        assert_eq!(letter["row"]["id"], id, "{letter}");
    }
}

#[test]
fn poison_timers_alone_become_dead_letters_with_their_key_and_time() {
    let world = World::new();
    let operator = "settings: { do: trap-in-timer-on, equals: 7 }, on-poison: dead-letter";
    let job = world.job("timers", 500, operator).expect("valid");
    let (outcome, counts, _) = world.run(&[&job]).remove(0);
    assert_eq!(outcome, Ok(Outcome::Finished));
    assert!(NodeCounts::get(&counts.sinks[0].rows_in) >= 9, "the timers of the other keys fire");
    let letters = world.folder.read("timers-dead.ndjson");
    for letter in letters.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")) {
        assert_eq!((&letter["kind"], &letter["operator"]), (&"timer".into(), &"guest".into()), "{letter}");
        assert_eq!((&letter["row"], &letter["key"]["key"]), (&serde_json::Value::Null, &7.into()), "{letter}");
        assert_eq!(letter["time"], "1970-01-01T00:00:00.000Z", "{letter}");
        assert!(letter["reason"].as_str().is_some_and(|reason| reason.contains("unreachable")), "{letter}");
    }
    assert!(!letters.is_empty());
}

/// C29.
#[test]
fn timers_at_the_ends_of_time_fire_once_each() {
    let world = World::new();
    let job = world.job("extremes", 1, "settings: { do: timer-extremes }").expect("valid");
    let (outcome, counts, _) = world.run(&[&job]).remove(0);
    assert_eq!((outcome, NodeCounts::get(&counts.sinks[0].rows_in)), (Ok(Outcome::Finished), 2));
}

/// C29: a timer that sets itself anew for a moment that has passed.
#[test]
fn timers_that_never_end_are_ended() {
    let world = World::new();
    // At the end of input every moment has passed: the rest is dropped.
    let job = world.job("again", 1, "settings: { do: timer-again }").expect("valid");
    let (outcome, counts, _) = world.run(&[&job]).remove(0);
    let dropped = |counts: &JobCounts| counts.operators[0].plugin_totals().timers_dropped;
    assert_eq!((outcome, dropped(&counts)), (Ok(Outcome::Finished), 1));
    // Before, it is an error, which names the key.
    let mut job = world.job("again", 2_000, "settings: { do: timer-again }, limits: { cpu-per-call: 1s }").expect("valid");
    job.batch.max_rows = 1;
    let error = world.run(&[&job]).remove(0).0.expect_err("never ends");
    let expected = "set a timer whose moment had passed more than 100000 times in a row";
    assert!(error.code == LIMIT && error.message.contains(expected) && error.message.contains("of key {"), "{error:?}");
    // By the clock it goes on for as long as rows come, which it doesn't hold up, and no longer.
    let job = world.job("clock", 200_000, "settings: { do: clock-again }").expect("valid");
    let neighbour = world.job("neighbour", 20_000, "settings: { do: pass }").expect("valid");
    let mut ended = world.run(&[&job, &neighbour]).into_iter();
    let (outcome, counts, _) = ended.next().expect("the first");
    assert_eq!((outcome, NodeCounts::get(&counts.operators[0].rows_in)), (Ok(Outcome::Finished), 200_000));
    assert!(dropped(&counts) >= 10, "one of each key waits: {}", dropped(&counts));
    assert_eq!(ended.next().expect("the second").0, Ok(Outcome::Finished));
}

#[test]
fn f20_a_loop_in_the_start_function_of_the_core_module_is_ended_within_the_operators_own_limit() {
    let mut world = World::new();
    let sound = std::fs::read(&world.guest).expect("the guest");
    world.folder.write("endless.wasm", wasm_bytes::with_endless_start(&sound));
    world.guest = world.folder.path("endless.wasm").display().to_string();
    let began = Instant::now();
    let refused = world.job("endless", 1, "settings: { do: pass }, limits: { cpu-per-start: 200ms }").expect_err("never starts");
    assert!(refused.contains(START), "{refused}");
    // By default a start may take two seconds.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn an_instance_whose_memory_has_grown_is_replaced_and_nothing_is_lost() {
    let world = World::new();
    // Each call keeps 8 MiB; at three quarters of its 64 MiB an instance is dropped. A call has at most ten rows.
    let mut job = world.job("leaking", 400, "settings: { do: leak, count: 8388608 }").expect("valid");
    job.batch.max_rows = 10;
    let (outcome, counts, _) = world.run(&[&job]).remove(0);
    assert_eq!(outcome, Ok(Outcome::Finished));
    let plugin = counts.operators[0].plugin_totals();
    assert!((4..=40).contains(&plugin.instances), "{plugin:?}");
    assert_eq!((plugin.traps, plugin.retries), (0, 0), "{plugin:?}");
    assert_eq!(NodeCounts::get(&counts.sinks[0].rows_in), 400);
}

#[test]
fn an_instance_that_idles_is_given_back_and_opened_again_with_its_state() {
    let world = World::new();
    let job = world.job("idling", 10, "settings: { do: pass }").expect("valid");
    let factory = world.composition.factory(&job, Instant::now()).expect("parts");
    let mut source = factory.source(0, TaskIndex::ONLY).expect("a source");
    let OperatorParts { mut operator, state } = factory.operator(0, TaskIndex::ONLY).expect("an operator");
    let mut cx = Context { state, ..Context::stateless() };
    let (counts, emitted) = world.runtime.block_on(async {
        for instances in 1..=2 {
            let read = source.read(BatchLimit { rows: 5, bytes: 1 << 20 }).await.expect("reads").expect("five rows");
            operator.process(0, Batch::unkeyed(read.rows), &mut cx).await.expect("passes");
            assert_eq!(operator.plugin_counts().instances, instances);
            operator.idle();
        }
        (operator.plugin_counts(), cx.emitted.iter().map(|emitted| emitted.batch.len()).sum::<usize>())
    });
    assert_eq!((counts.instances, emitted), (2, 10));
}

#[test]
fn what_a_guest_logs_cannot_forge_a_line() {
    let folder = Folder::of_job(&format!(
        "name: loud
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence }}, rows: 1 }} }}
operators: {{ guest: {{ input: rows, plugin: {}, settings: {{ do: log-control }} }} }}
sinks: {{ out: {{ input: guest, connector: blackhole }} }}
",
        Path::new(&plugin("tests/guests/hostile")).display()
    ));
    let ended = folder.run(&["run", "job.yaml"]);
    ended.says(0, &[]);
    assert!(!ended.err.contains('\u{1b}') && !ended.err.contains('\u{202e}'), "{:?}", ended.err);
    assert!(ended.err.contains("\\u{1b}"), "it is shown escaped: {:?}", ended.err);
}
