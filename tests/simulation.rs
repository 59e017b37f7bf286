//! The engine in a world that a seed makes: time is simulated, every part takes its time by chance, the store fails, and the power goes at
//! chosen places. What others see of the output is what a run gives that nothing disturbs; the same seed gives the same run.
//!
//! `WASMILL_TEST_SEED=N` runs one seed, `WASMILL_TEST_SEEDS=N` so many; `WASMILL_TEST_TRACE=1` prints what happened, and when.

#[path = "simulation/parts.rs"]
mod parts;
mod program;
#[path = "simulation/world.rs"]
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::memory::InMemory;
use parts::Parts;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use wasmill_checkpoint::coordinator::Cadence;
use wasmill_checkpoint::recovery::Fit;
use wasmill_checkpoint::{Manifest, Store};
use wasmill_cli::composition::Composition;
use wasmill_cli::plugin_directory::prepare;
use wasmill_cli::sandbox::compiler;
use wasmill_cli::signals::Stop;
use wasmill_failpoint::{Failpoint, watch as watch_failpoints};
use wasmill_faulty_store::{Fault, FaultyStore, Op, Rule};
use wasmill_job::graph::Job;
use wasmill_plugin::{Compiler, CompilerProcess, Sandbox};
use wasmill_runtime::{Durability, JobError, JobRun, MemoryBudget, Outcome, assembly, facts};
use wasmill_time::ProcessingClock;
use world::World;

/// How often the power goes in one seed, at most.
const CRASHES: u64 = 6;
/// A run of the engine that takes longer, in simulated time, waits for what never comes.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// What the host's clock is about: 2024-01-01. Each run of the engine finds it set forward or back by up to a day.
const START: i64 = 1_704_067_200_000;
const DAY: i64 = 24 * 3_600_000;

/// What the world is like in which a job runs.
struct Conditions {
    /// What comes of requests to the store.
    faults: fn() -> Vec<Rule>,
    /// Sources have nothing for a while, again and again.
    lulls: bool,
    /// Seeds in a run of the tests.
    seeds: u64,
}

/// A store that is slow, and fails now and then in every way.
const MOODY: Conditions = Conditions {
    faults: || {
        vec![
            Rule::always(Fault::Delay { least: Duration::ZERO, most: Duration::from_millis(12) }).chance(0.5),
            Rule::always(Fault::Status(503)).chance(0.08),
            Rule::always(Fault::DropReply).chance(0.04),
            Rule::always(Fault::Conflict).on(Op::Put).chance(0.03),
            Rule::always(Fault::Hang).chance(0.005),
        ]
    },
    lulls: false,
    seeds: 200,
};

/// Rows that must be in this order, by what they are of.
type Rows = BTreeMap<String, Vec<String>>;

/// A job, and what must come of it.
struct Workload {
    name: &'static str,
    text: &'static str,
    /// What must come out of the job, made of what came out of it in some order: the same for every order that is right.
    essence: fn(&[Vec<String>]) -> Rows,
}

/// A running count of each key: rows of a key in their order, each once; and how many they are at the end.
const COUNTED: Workload = Workload {
    name: "counted",
    text: "name: counted
batch: { max-rows: 16 }
sources: { rows: { connector: generator, fields: { id: sequence, key: { uniform: [0, 9] } }, rows: 600 } }
operators:
  odd: { input: rows, filter: \"id % 7 <> 3\" }
  counted: { input: odd, key-by: [key], aggregate: { n: count(*), sum: sum(id), last: max(id) } }
  totals: { input: odd, key-by: [key], aggregate: { n: count(*), sum: sum(id) }, emit: final }
sinks: { out: { input: counted, connector: blackhole }, ends: { input: totals, connector: blackhole } }
",
    essence: |tasks| {
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in tasks.iter().flatten() {
            let value: Value = serde_json::from_str(row).expect("JSON");
            let of_key = keys.entry(value["key"].to_string()).or_default();
            of_key.push(value["n"].to_string());
        }
        // How far the sum is at each row depends on whose rows came first; at a key's last row it doesn't.
        for row in tasks.iter().flatten() {
            let value: Value = serde_json::from_str(row).expect("JSON");
            let of_key = keys.get_mut(&value["key"].to_string()).expect("seen");
            let count: usize = value["n"].as_u64().expect("a count").try_into().expect("a small number");
            if of_key.last() == Some(&value["n"].to_string()) && of_key.len() == count {
                of_key.push(row.clone());
            }
        }
        keys
    },
};

/// State that grows, of which little changes between two checkpoints: they are chains of what changed.
const GROWING: Workload = Workload {
    name: "growing",
    text: "name: growing
batch: { max-rows: 2 }
sources: { rows: { connector: generator, fields: { key: sequence }, rows: 1500 } }
operators: { once: { input: rows, key-by: [key], aggregate: { n: count(*) }, emit: final } }
sinks: { out: { input: once, connector: blackhole } }
",
    essence: COUNTED.essence,
};

/// Windows of event time, and sessions behind them.
const WINDOWS: Workload = Workload {
    name: "windows",
    text: "name: windows
batch: { max-rows: 16 }
sources:
  rows:
    connector: generator
    fields: { id: sequence, key: { uniform: [0, 5] }, at: { every: 20ms, disorder: 300ms, start: 2024-01-01T00:00:00Z } }
    rows: 600
    event-time: { field: at, max-out-of-orderness: 300ms }
operators:
  each_second: { input: rows, key-by: [key], window: { tumbling: 1s }, aggregate: { n: count(*), sum: sum(id), ids: array_agg(id) } }
  visits: { input: rows, key-by: [key], window: { session: 200ms }, aggregate: { n: count(*), sum: sum(id) } }
  sliding: { input: rows, key-by: [key], window: { sliding: 2s, slide: 500ms }, aggregate: { n: count(*), most: max(id) } }
sinks:
  out: { input: each_second, connector: blackhole }
  visited: { input: visits, connector: blackhole }
  slid: { input: sliding, connector: blackhole }
",
    essence: |tasks| {
        let mut rows: Vec<String> = tasks.iter().flatten().cloned().collect();
        for row in &mut rows {
            let mut value: Value = serde_json::from_str(row).expect("JSON");
            if let Some(ids) = value.get_mut("ids").and_then(Value::as_array_mut) {
                ids.sort_by_key(Value::as_i64);
            }
            *row = value.to_string();
        }
        rows.sort_unstable();
        BTreeMap::from([(String::new(), rows)])
    },
};

/// What a run of the engine came to.
#[derive(Debug)]
enum End {
    Finished,
    /// The power went.
    Crashed,
    Failed(JobError),
}

struct Simulation {
    composition: Composition,
}

impl Simulation {
    fn new() -> Self {
        let compiler = CompilerProcess { program: env!("CARGO_BIN_EXE_wasmill").into(), ..compiler() };
        let sandbox = Sandbox::start(None, Compiler::Process(compiler)).expect("an engine");
        Self { composition: Composition::new(sandbox, prepare(false, Stop::never())) }
    }

    fn job(&self, workload: &Workload, parallelism: u32) -> Job {
        let loaded =
            wasmill_job::load(workload.text, "job.yaml", Path::new("/"), &[], Some(parallelism), 1, &|_| None, &self.composition);
        loaded.unwrap_or_else(|problems| panic!("{}: {problems:?}", workload.name)).0
    }

    /// What comes of a workload where nothing disturbs it.
    fn calm(&self, workload: &Workload) -> BTreeMap<String, Rows> {
        let world = World::new(0);
        let job = self.job(workload, 1);
        let ended = self.run(&world, &job, None, None, &Rc::default());
        assert!(matches!(ended, End::Finished), "{}: {ended:?}", workload.name);
        outputs(&world, &job, workload)
    }

    /// Runs the engine until it ends or the power goes: where `crash` says so, the time after it was there so many times.
    fn run(
        &self,
        world: &World,
        job: &Job,
        objects: Option<&FaultyStore>,
        crash: Option<(Failpoint, u64)>,
        hits: &Rc<RefCell<BTreeMap<Failpoint, u64>>>,
    ) -> End {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let mut passes = crash.map_or(0, |(_, passes)| passes);
        let watching = watch_failpoints({
            let (world, hits) = (world.clone(), Rc::clone(hits));
            move |failpoint| {
                *hits.borrow_mut().entry(failpoint).or_default() += 1;
                if world.is_dead() || crash.is_none_or(|(at, _)| at != failpoint) {
                    return;
                }
                if passes == 0 {
                    world.die(&format!("the power goes at {failpoint}"));
                    resume_unwind(Box::new("the power has gone"));
                }
                passes -= 1;
            }
        });
        let ran = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                world.begin();
                tokio::select! {
                    biased;
                    () = world.died() => End::Crashed,
                    // By the simulated clock, which goes on when nobody has anything to do.
                    () = sleep(LONGEST_LIFE) => panic!("it hangs:\n{}", world.said()),
                    ended = self.engine(world, job, objects) => match ended {
                        _ if world.is_dead() => End::Crashed,
                        Ok(_) => End::Finished,
                        Err(error) => {
                            world.happened(&format!("fails: {}", error.code));
                            End::Failed(error)
                        }
                    },
                }
            })
        }));
        drop(watching);
        match ran {
            Ok(end) => end,
            Err(_) if world.is_dead() => End::Crashed,
            Err(panic) => resume_unwind(panic),
        }
    }

    async fn engine(&self, world: &World, job: &Job, objects: Option<&FaultyStore>) -> Result<Outcome, JobError> {
        let plan = wasmill_job::plan::plan(job);
        let real = self.composition.factory(job, Instant::now()).expect("parts");
        let factory = Parts { job, real: &real, world: world.clone() };
        let stateful: BTreeSet<usize> = (0..job.operators.len()).filter(|&index| real.is_stateful(index)).collect();
        let durability = match objects {
            None => None,
            Some(objects) => {
                let store = Store::over(Arc::new(objects.clone()), "memory", world.below(u64::MAX)).await?;
                let restored: Option<Manifest> = store.latest(&job.name).await?;
                world.happened(&format!("goes on from {:?}", restored.as_ref().map(|manifest| manifest.epoch.0)));
                Some(Durability {
                    first: store.begin(restored.as_ref().map(|manifest| manifest.epoch)).await?,
                    store: Arc::new(store),
                    cadence: Cadence {
                        every: Duration::from_millis(20),
                        first_after: Duration::from_millis(20),
                        base_every: NonZero::new(5).expect("not 0"),
                        first_deltas: 4,
                        timeout: Duration::from_secs(600),
                    },
                    retain: NonZero::new(2).expect("not 0"),
                    facts: facts(job, &plan, &stateful, &BTreeMap::new()),
                    restored,
                    fit: Fit::Same,
                })
            }
        };
        let set = START + i64::try_from(world.below(2 * DAY.unsigned_abs())).expect("small") - DAY;
        let (_stop, stop) = watch::channel(false);
        let began = tokio::time::Instant::now();
        let run = JobRun {
            job,
            plan: &plan,
            factory: &factory,
            counts: Arc::new(assembly::counts(job)),
            durability,
            memory: Arc::new(MemoryBudget::new(1 << 30)),
            clock: ProcessingClock::measured(set, move || began.elapsed()),
            stop,
            savepoints: mpsc::unbounded_channel().1,
        };
        run.run().await
    }
}

/// What others see of a job's sinks.
fn outputs(world: &World, job: &Job, workload: &Workload) -> BTreeMap<String, Rows> {
    job.sinks.iter().map(|sink| (sink.name.clone(), (workload.essence)(&world.visible(&sink.name)))).collect()
}

/// One seed: the job is started, crashes, goes on, and so on until it ends; what happened, as a number.
fn live(
    simulation: &Simulation,
    workload: &Workload,
    conditions: &Conditions,
    seed: u64,
    hits: &Rc<RefCell<BTreeMap<Failpoint, u64>>>,
) -> (World, u64) {
    let world = World::new(seed).with_lulls(conditions.lulls);
    let objects = FaultyStore::new(Arc::new(InMemory::new()), seed);
    for rule in (conditions.faults)() {
        objects.rule(rule);
    }
    let mut crashes = world.below(CRASHES);
    // The number of tasks is the job's for life: it has one for each task of its source.
    let job = simulation.job(workload, 1 + u32::try_from(world.below(3)).expect("small"));
    for lives in 0.. {
        assert!(lives < 50, "{} with seed {seed}: it doesn't come to an end", workload.name);
        let crash = (crashes > 0).then(|| {
            let at = Failpoint::ALL[usize::try_from(world.below(Failpoint::ALL.len() as u64)).expect("small")];
            let often = matches!(at, Failpoint::BeforeProcess | Failpoint::AfterProcess | Failpoint::RowsRead);
            // Early or late.
            let most = if often { 90 } else { 9 } * (1 + 4 * world.below(2));
            (at, world.below(most))
        });
        crashes = crashes.saturating_sub(1);
        match simulation.run(&world, &job, Some(&objects), crash, hits) {
            End::Finished => break,
            End::Crashed => {}
            // As the program does, it goes on from the last checkpoint.
            End::Failed(error) if error.is_passing() => {}
            End::Failed(error) => panic!("{} with seed {seed}: the job failed: {error}\n{}", workload.name, world.said()),
        }
    }
    let trace = world.trace();
    (world, trace)
}

fn seeds(most: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|seed| seed.parse().unwrap_or_else(|_| panic!("{name} is no number")));
    match number("WASMILL_TEST_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("WASMILL_TEST_SEEDS").unwrap_or(most)).collect(),
    }
}

/// The first place where what came out differs from what was to; none where nothing is missing, there twice, or more.
fn difference(expected: &BTreeMap<String, Rows>, found: &BTreeMap<String, Rows>) -> Option<String> {
    let nothing = Vec::new();
    for (sink, rows) in expected {
        let keys: BTreeSet<_> = rows.keys().chain(found[sink].keys()).collect();
        for key in keys {
            let [expected, found] = [rows, &found[sink]].map(|rows| rows.get(key).unwrap_or(&nothing));
            if expected != found {
                return Some(format!("sink {sink}, key {key:?}: expected {expected:?}, found {found:?}"));
            }
        }
    }
    None
}

fn many_lives(workload: &Workload, conditions: &Conditions) -> BTreeMap<Failpoint, u64> {
    let simulation = Simulation::new();
    let calm = simulation.calm(workload);
    let hits = Rc::default();
    let (seeds, mut lulls) = (seeds(conditions.seeds), 0);
    for &seed in &seeds {
        let (world, trace) = live(&simulation, workload, conditions, seed, &hits);
        let replay =
            format!("run it again with WASMILL_TEST_SEED={seed} WASMILL_TEST_TRACE=1 cargo test --release --test simulation");
        let found = outputs(&world, &simulation.job(workload, 1), workload);
        if let Some(difference) = difference(&calm, &found) {
            panic!("{} with seed {seed}: {difference}; {replay}\n{}", workload.name, world.said());
        }
        let (again, same) = live(&simulation, workload, conditions, seed, &Rc::default());
        lulls += world.lulls();
        assert_eq!(
            trace,
            same,
            "{} with seed {seed}: another run of it was another\n{}\n{}",
            workload.name,
            world.said(),
            again.said()
        );
    }
    assert!(!conditions.lulls || lulls > seeds.len() as u64, "only {lulls} epochs had no row for a sink");
    Rc::try_unwrap(hits).expect("the runs are over").into_inner()
}

/// What looks for lost rows must find them, too.
#[test]
fn rows_that_are_lost_doubled_swapped_or_nobodys_are_differences() {
    let rows = |rows: &[(&str, &[&str])]| {
        let owned = rows.iter().map(|(key, rows)| ((*key).to_owned(), rows.iter().map(|row| (*row).to_owned()).collect()));
        BTreeMap::from([("out".to_owned(), owned.collect::<Rows>())])
    };
    let expected = rows(&[("a", &["1", "2", "3"]), ("b", &["1"])]);
    assert_eq!(difference(&expected, &expected.clone()), None);
    let a_lost_tail = rows(&[("a", &["1", "2"]), ("b", &["1"])]);
    let text = "sink out, key \"a\": expected [\"1\", \"2\", \"3\"], found [\"1\", \"2\"]";
    assert_eq!(difference(&expected, &a_lost_tail).as_deref(), Some(text));
    for wrong in [
        rows(&[]),
        rows(&[("a", &["1", "2", "3"])]),
        rows(&[("a", &["1", "2", "2", "3"]), ("b", &["1"])]),
        rows(&[("a", &["1", "3", "2"]), ("b", &["1"])]),
        rows(&[("a", &["1", "2", "3"]), ("b", &["1"]), ("c", &["1"])]),
    ] {
        assert!(difference(&expected, &wrong).is_some(), "{wrong:?}");
    }
}

#[test]
fn a_running_count_is_right_whatever_happens() {
    let hits = many_lives(&COUNTED, &MOODY);
    if seeds(MOODY.seeds).len() > 1 {
        let missed: Vec<_> = Failpoint::ALL.iter().filter(|failpoint| !hits.contains_key(failpoint)).collect();
        assert!(missed.is_empty(), "no seed comes to {missed:?}");
    }
}

#[test]
fn state_that_grows_is_right_whatever_happens() {
    many_lives(&GROWING, &Conditions { seeds: 100, ..MOODY });
}

#[test]
fn windows_and_sessions_are_right_whatever_happens() {
    many_lives(&WINDOWS, &MOODY);
}

#[test]
fn f07_a_store_that_fails_every_other_time_and_is_gone_for_a_while_loses_nothing() {
    let faults = || {
        let gone = Rule::always(Fault::Status(500)).after(40).times(80);
        vec![gone, Rule::always(Fault::Status(503)).chance(0.5), Rule::always(Fault::DropReply).chance(0.02)]
    };
    many_lives(&COUNTED, &Conditions { faults, lulls: false, seeds: 40 });
}

#[test]
fn f08_a_store_that_takes_seconds_for_each_request_loses_nothing() {
    let faults = || {
        let slow = Fault::Delay { least: Duration::from_secs(2), most: Duration::from_secs(4) };
        vec![Rule::always(slow).on(Op::Put), Rule::always(Fault::Bandwidth { bytes_per_second: 1_024 })]
    };
    many_lives(&WINDOWS, &Conditions { faults, lulls: false, seeds: 40 });
}

#[test]
fn f18_epochs_without_any_row_are_as_any_other() {
    let conditions = Conditions { lulls: true, seeds: 40, ..MOODY };
    many_lives(&COUNTED, &conditions);
    many_lives(&WINDOWS, &conditions);
}
