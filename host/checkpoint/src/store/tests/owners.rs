//! Several processes on one object store, in every order of their requests: nothing that was made visible is lost, or visible twice.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result as Answer,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::*;
use crate::part::{Prepared, SourcePosition};

/// A store each of whose requests waits until its process is polled again: so one poll is one request.
#[derive(Debug)]
struct OneByOne(Arc<InMemory>);

impl std::fmt::Display for OneByOne {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one by one")
    }
}

async fn turn() {
    let mut waited = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[async_trait]
impl ObjectStore for OneByOne {
    async fn put_opts(&self, name: &Name, payload: PutPayload, options: PutOptions) -> Answer<PutResult> {
        turn().await;
        self.0.put_opts(name, payload, options).await
    }
    async fn put_multipart_opts(&self, name: &Name, options: PutMultipartOptions) -> Answer<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(name, options).await
    }
    async fn get_opts(&self, name: &Name, options: GetOptions) -> Answer<GetResult> {
        turn().await;
        self.0.get_opts(name, options).await
    }
    fn delete_stream(&self, names: BoxStream<'static, Answer<Name>>) -> BoxStream<'static, Answer<Name>> {
        stream::once(turn()).flat_map(|()| stream::empty()).chain(self.0.delete_stream(names)).boxed()
    }
    fn list(&self, below: Option<&Name>) -> BoxStream<'static, Answer<ObjectMeta>> {
        self.0.list(below)
    }
    async fn list_with_delimiter(&self, below: Option<&Name>) -> Answer<ListResult> {
        turn().await;
        self.0.list_with_delimiter(below).await
    }
    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> Answer<()> {
        self.0.copy_opts(from, to, options).await
    }
}

/// What is written by an epoch of a process.
type Row = (&'static str, u64);

/// What the sink shows.
#[derive(Debug, Default)]
struct Sink {
    visible: Vec<Row>,
    forked: Option<(Vec<Row>, Vec<Row>)>,
}

impl Sink {
    /// Makes rows visible; once more changes nothing.
    fn commit(&mut self, rows: &[Row]) {
        if rows.starts_with(&self.visible) {
            self.visible = rows.to_vec();
        } else if !self.visible.starts_with(rows) {
            self.forked.get_or_insert((self.visible.clone(), rows.to_vec()));
        }
    }
}

/// The checkpoint of an epoch up to which these rows were written.
fn holding(epoch: Epoch, rows: &[Row]) -> Manifest {
    let mut job = job();
    job.stateful.clear();
    let position =
        SourcePosition { source: "quakes".to_owned(), task: 0, position: json!(rows), largest_time: None, ahead: None };
    let prepared = Prepared { sink: "report".to_owned(), task: 0, prepared: json!(null) };
    let parts = vec![Part::Source(position), Part::Sink(prepared)];
    Manifest::assemble(Barrier { epoch, last: false, since: None }, 0, job, parts, None).expect("a whole checkpoint")
}

fn rows(manifest: &Manifest) -> Vec<Row> {
    let names = ["a", "b", "c"];
    let found: Vec<(String, u64)> = serde_json::from_value(manifest.sources[0].position.clone()).expect("rows");
    found.into_iter().map(|(name, n)| (*names.iter().find(|known| **known == name).expect("a name"), n)).collect()
}

/// A process on its way.
type Process = Pin<Box<dyn Future<Output = Result<(), CheckpointError>>>>;

/// What a process does once it has the store: goes on from what is there, and takes checkpoints.
async fn lives(
    name: &'static str,
    store: Store,
    epochs: u64,
    retains: bool,
    sink: Arc<Mutex<Sink>>,
) -> Result<(), CheckpointError> {
    let base = store.latest("earthquakes").await?;
    let first = store.begin(base.as_ref().map(|base| base.epoch)).await?;
    let mut written = base.as_ref().map(rows).unwrap_or_default();
    sink.lock().expect("one thread").commit(&written);
    goes_on(name, store, first, &mut written, epochs, retains, sink).await
}

async fn goes_on(
    name: &'static str,
    store: Store,
    first: Epoch,
    written: &mut Vec<Row>,
    epochs: u64,
    retains: bool,
    sink: Arc<Mutex<Sink>>,
) -> Result<(), CheckpointError> {
    for n in 0..epochs {
        written.push((name, n));
        store.write(&holding(Epoch(first.0 + n), written)).await?;
        sink.lock().expect("one thread").commit(written);
        if retains {
            store.retain(ONE).await?;
        }
    }
    Ok(())
}

/// Processes that share a store.
struct World {
    memory: Arc<InMemory>,
    sink: Arc<Mutex<Sink>>,
    alive: Vec<Process>,
}

impl World {
    /// `a` has taken a checkpoint and is to take more; others, by these names, are to open the store.
    fn new(epochs: u64, retains: bool, others: &[&'static str]) -> Self {
        let (memory, sink) = (Arc::new(InMemory::new()), Arc::new(Mutex::new(Sink::default())));
        let (store, first) = wait(async {
            let store = Store::over(Arc::clone(&memory) as _, "store", 1).await.expect("the store opens");
            let first = store.begin(None).await.expect("nobody else");
            store.write(&holding(first, &[("a", 100)])).await.expect("written");
            (store, Epoch(first.0 + 1))
        });
        sink.lock().expect("one thread").commit(&[("a", 100)]);
        let one_by_one: Arc<dyn ObjectStore> = Arc::new(OneByOne(Arc::clone(&memory)));
        let store = Store { requests: Requests::new(Arc::clone(&one_by_one), "store".into(), Patience::RUNNING, 0), ..store };
        let shown = Arc::clone(&sink);
        let a = async move { goes_on("a", store, first, &mut vec![("a", 100)], epochs, retains, shown).await };
        let mut alive: Vec<Process> = vec![Box::pin(a)];
        for (name, seed) in others.iter().copied().zip(2..) {
            let (objects, shown) = (Arc::clone(&one_by_one), Arc::clone(&sink));
            alive.push(Box::pin(async move {
                let store = Store::over(objects, "store", seed).await?.with_grace(Duration::ZERO);
                lives(name, store, 1, retains, shown).await
            }));
        }
        Self { memory, sink, alive }
    }

    /// Lets one process make one request.
    fn step(&mut self, which: usize, errors: &mut BTreeSet<&'static str>) {
        let polled = self.alive[which].as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(ended) = polled {
            drop(self.alive.remove(which));
            if let Err(error) = ended {
                assert!(matches!(error.code(), "checkpoint-fenced"), "{error}");
                errors.insert(error.code());
            }
            self.check();
        }
    }

    /// What a next process would find has all that is visible, and nothing was visible that isn't in it.
    fn check(&self) {
        let sink = self.sink.lock().expect("one thread");
        assert_eq!(sink.forked, None, "two processes made different rows visible");
        let requests = Requests::new(Arc::clone(&self.memory) as _, "store".into(), Patience::RUNNING, 0);
        let found = wait(async { Store::look_over(requests).await?.latest("earthquakes").await });
        let found = rows(&found.expect("intact").expect("a checkpoint"));
        assert!(found.starts_with(&sink.visible), "{:?} is visible, and {found:?} would be gone on from", sink.visible);
    }
}

/// Runs processes in an order: `choose` says of how many which is next.
fn run(mut world: World, errors: &mut BTreeSet<&'static str>, mut choose: impl FnMut(usize) -> usize) {
    while !world.alive.is_empty() {
        let which = choose(world.alive.len());
        world.step(which, errors);
    }
}

/// Lets something happen where timers can be made, though none ever fires.
fn with_timers(work: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    work();
}

#[test]
fn f03_two_processes_in_every_order_of_their_requests_show_each_row_once() {
    let (mut script, mut runs, mut errors): (Vec<usize>, _, _) = (Vec::new(), 0, BTreeSet::new());
    with_timers(|| {
        loop {
            let mut taken: Vec<(usize, usize)> = Vec::new();
            run(World::new(2, false, &["b"]), &mut errors, |of| {
                let choice = script.get(taken.len()).copied().unwrap_or(0);
                taken.push((choice, of));
                choice
            });
            runs += 1;
            while let Some((choice, of)) = taken.pop() {
                if choice + 1 < of {
                    taken.push((choice + 1, of));
                    break;
                }
            }
            if taken.is_empty() {
                break;
            }
            script = taken.into_iter().map(|(choice, _)| choice).collect();
        }
    });
    assert!(runs > 5_000, "only {runs} orders");
    assert!(errors.contains("checkpoint-fenced"), "nobody was ever fenced");
}

#[test]
fn f38_three_processes_that_also_remove_old_checkpoints_show_each_row_once() {
    let mut errors = BTreeSet::new();
    with_timers(|| {
        for seed in 0..10_000 {
            let mut random = StdRng::seed_from_u64(seed);
            // One of them is slow: that is where things go wrong.
            let slow = random.random_range(0..3);
            run(World::new(3, true, &["b", "c"]), &mut errors, |of| {
                let choice = random.random_range(0..of);
                if choice == slow && random.random_bool(0.8) { random.random_range(0..of) } else { choice }
            });
        }
    });
    assert!(errors.contains("checkpoint-fenced"), "nobody was ever fenced");
}

#[test]
fn a_process_that_was_replaced_is_told_by_whom() {
    let memory = Arc::new(InMemory::new());
    wait(async {
        let first = Store::over(Arc::clone(&memory) as _, "store", 1).await.expect("opens");
        let epoch = first.begin(None).await.expect("begins");
        first.write(&holding(epoch, &[])).await.expect("written");
        let second = Store::over(Arc::clone(&memory) as _, "store", 2).await.expect("opens");
        let error = first.write(&holding(Epoch(epoch.0 + 1), &[])).await.expect_err("fenced");
        assert_eq!(error.to_string(), "store: another process has taken it over (this one was owner 1, now owner 2 writes)");
        let error = first.write(&holding(Epoch(epoch.0 + 2), &[])).await.expect_err("no more");
        assert!(error.to_string().contains("whether checkpoint 2 was written to store isn't known"), "{error}");
        assert!(matches!(first.retain(ONE).await, Err(CheckpointError::Fenced { .. })));
        let base = second.latest("earthquakes").await.expect("intact").expect("one").epoch;
        let next = second.begin(Some(base)).await.expect("begins");
        second.write(&holding(next, &[])).await.expect("written");
    });
}
