//! A thousand jobs in one process, which take checkpoints to one store: what they ask of it is spread over time, and little.

use std::collections::BTreeMap;
use std::iter::repeat_with;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, try_join_all};
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use wasmill_checkpoint::coordinator::Cadence;
use wasmill_checkpoint::recovery::Fit;
use wasmill_checkpoint::{StateFacts, Store};
use wasmill_cli::composition::Composition;
use wasmill_cli::plugin_directory::prepare;
use wasmill_cli::sandbox::compiler;
use wasmill_cli::signals::Stop;
use wasmill_connector::{BatchLimit, ConnectorError, Extent, Position, Read, Sink, Source, Visibility};
use wasmill_faulty_store::{Fault, FaultyStore, Op, Rule};
use wasmill_flow::TaskIndex;
use wasmill_job::graph::Job;
use wasmill_job::plan::Plan;
use wasmill_operator::{Combiner, OperatorError};
use wasmill_plugin::{Compiler, CompilerProcess, Sandbox};
use wasmill_runtime::{Durability, Factory, JobError, JobRun, MemoryBudget, OperatorParts, Outcome, SinkId, assembly, facts};
use wasmill_time::ProcessingClock;

const JOBS: u64 = 1_000;
const EVERY: Duration = Duration::from_secs(1);
/// How long they run, in simulated time, and from when on what they ask is looked at.
const LENGTH: Duration = Duration::from_secs(32);
const SETTLED: Duration = Duration::from_secs(4);
const SLICE: Duration = Duration::from_millis(100);

/// A source that has a few rows now and then.
struct Drip(Box<dyn Source>);

impl Source for Drip {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        async move {
            sleep(Duration::from_millis(300)).await;
            self.0.read(BatchLimit { rows: 3, ..limit }).await
        }
        .boxed()
    }

    fn position(&self) -> Position {
        self.0.position()
    }

    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        self.0.seek(position)
    }

    fn replays(&self) -> bool {
        self.0.replays()
    }

    fn extent(&self) -> Extent {
        self.0.extent()
    }

    fn done(&self) -> u64 {
        self.0.done()
    }
}

/// A job's parts, with a source that drips.
struct Dripping<F>(F);

impl<F: Factory> Factory for Dripping<F> {
    fn source(&self, source: usize, task: TaskIndex) -> Result<Box<dyn Source>, ConnectorError> {
        Ok(Box::new(Drip(self.0.source(source, task)?)))
    }

    fn operator(&self, operator: usize, task: TaskIndex) -> Result<OperatorParts, OperatorError> {
        self.0.operator(operator, task)
    }

    fn combiner(&self, operator: usize, task: TaskIndex) -> Result<Option<Combiner>, OperatorError> {
        self.0.combiner(operator, task)
    }

    fn sink(&self, sink: SinkId, task: TaskIndex, visibility: Visibility) -> Result<Box<dyn Sink>, ConnectorError> {
        self.0.sink(sink, task, visibility)
    }
}

fn composition() -> Composition {
    let compiler = CompilerProcess { program: env!("CARGO_BIN_EXE_wasmill").into(), ..compiler() };
    Composition::new(Sandbox::start(None, Compiler::Process(compiler)).expect("an engine"), prepare(false, Stop::never()))
}

fn job(composition: &Composition, number: u64) -> Job {
    let text = format!(
        "name: job-{number}
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 99] }} }}, rows: 1000000 }} }}
operators: {{ counted: {{ input: rows, key-by: [key], aggregate: {{ n: count(*), last: max(id) }} }} }}
sinks: {{ out: {{ input: counted, connector: blackhole }} }}
"
    );
    let loaded = wasmill_job::load(&text, "job.yaml", "/".as_ref(), &[], Some(1), 1, &|_| None, composition);
    loaded.unwrap_or_else(|problems| panic!("{problems:?}")).0
}

/// What all of a process's jobs share.
struct Process {
    objects: FaultyStore,
    memory: Arc<MemoryBudget>,
    stop: watch::Receiver<bool>,
    began: Instant,
}

impl Process {
    async fn run(&self, job: &Job, plan: &Plan, factory: &dyn Factory, number: u64) -> Result<Outcome, JobError> {
        let objects = PrefixStore::new(self.objects.clone(), format!("jobs/{}", job.name));
        let store = Store::over(Arc::new(objects), &job.name, number).await?;
        let cadence = Cadence::of_job(&job.name, EVERY, NonZero::new(10).expect("not 0"), Duration::from_secs(600));
        let states = BTreeMap::from([(0, StateFacts::default())]);
        let began = self.began;
        let durability = Durability {
            first: store.begin(None).await?,
            store: Arc::new(store),
            cadence,
            retain: NonZero::new(3).expect("not 0"),
            facts: facts(job, plan, &states, &BTreeMap::new()),
            verify: (Duration::MAX, Duration::MAX),
            restored: None,
            fit: Fit::Same,
        };
        let run = JobRun {
            job,
            plan,
            factory,
            counts: Arc::new(assembly::counts(job)),
            durability: Some(durability),
            memory: Arc::clone(&self.memory),
            clock: ProcessingClock::measured(0, move || began.elapsed()),
            stop: self.stop.clone(),
            savepoints: mpsc::unbounded_channel().1,
        };
        run.run().await
    }
}

/// What the system says of this process, by the name of the figure.
fn figure(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_thousand_jobs_spread_what_they_ask_of_their_store() {
    let composition = composition();
    let jobs: Vec<Job> = (0..JOBS).map(|number| job(&composition, number)).collect();
    let plans: Vec<Plan> = jobs.iter().map(wasmill_job::plan::plan).collect();
    let start = std::time::Instant::now();
    let factories: Vec<_> = jobs.iter().map(|job| Dripping(composition.factory(job, start).expect("parts"))).collect();
    let (before, threads) = (figure("VmRSS"), figure("Threads"));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let objects = runtime.block_on(async {
        let objects = FaultyStore::new(Arc::new(InMemory::new()), 1);
        objects.rule(Rule::always(Fault::Delay { least: Duration::from_millis(10), most: Duration::from_millis(40) }));
        let (stopping, stop) = watch::channel(false);
        let memory = Arc::new(MemoryBudget::new(4 << 30));
        let process = Process { objects: objects.clone(), memory, stop, began: Instant::now() };
        let parts = jobs.iter().zip(&plans).zip(&factories).zip(1..);
        let all = try_join_all(parts.map(|(((job, plan), factory), number)| process.run(job, plan, factory, number)));
        let watched = async {
            sleep(SETTLED).await;
            let (held, asked) = (figure("VmRSS").saturating_sub(before), objects.log().len());
            println!(
                "{} KiB a job, with the store's {asked} entries of a log; {} more threads",
                held / JOBS,
                figure("Threads") - threads
            );
            assert!(held / JOBS < 1_024, "{} KiB a job", held / JOBS);
            assert_eq!(figure("Threads"), threads, "jobs have no threads of their own");
            sleep(LENGTH - SETTLED).await;
            stopping.send(true).expect("they run");
        };
        let (ended, ()) = tokio::join!(all, watched);
        assert!(ended.expect("they run well").iter().all(|outcome| *outcome == Outcome::Stopped));
        objects
    });

    let log = objects.log();
    let counted: Vec<_> = log.iter().filter(|asked| (SETTLED..LENGTH).contains(&asked.at)).collect();
    let slices = ((LENGTH - SETTLED).as_millis() / SLICE.as_millis()) as usize;
    let mut asked: Vec<usize> = repeat_with(|| 0).take(slices).collect();
    for each in &counted {
        asked[((each.at - SETTLED).as_millis() / SLICE.as_millis()) as usize] += 1;
    }
    let mean = counted.len() as f64 / slices as f64;
    let most = asked.iter().max().copied().unwrap_or(0) as f64;
    let of = |op: Op, part: &str| counted.iter().filter(|asked| asked.op == op && asked.name.contains(part)).count() as f64;
    let checkpoints = of(Op::Put, "/manifests/");
    let each = |op: Op| of(op, "") / checkpoints;
    println!(
        "{checkpoints} checkpoints, {mean:.0} requests in {SLICE:?}, {most} at most; for one: {:.2} PUT, {:.2} GET, {:.2} HEAD, {:.2} LIST, {:.2} DELETE",
        each(Op::Put),
        each(Op::Get),
        each(Op::Head),
        each(Op::List),
        each(Op::Delete)
    );
    let seconds = (LENGTH - SETTLED).as_secs_f64();
    assert!(checkpoints > 0.9 * JOBS as f64 * seconds, "only {checkpoints} checkpoints in {seconds} s");
    assert!(most < 2.0 * mean, "{most} requests in one of {slices} times {SLICE:?}, {mean:.0} on average");
    assert!(each(Op::Put) < 2.05 && each(Op::Get) < 1.05 && each(Op::Head) < 2.05 && each(Op::List) < 0.05, "see above");
    assert!(counted.len() as f64 / checkpoints < 7.3, "{} requests for a checkpoint", counted.len() as f64 / checkpoints);
}
