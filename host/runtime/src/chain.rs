//! The nodes of a stage in one task: rows are handed from one to the next by direct calls, and leave by sinks and edges.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmill_connector::{Prepared, Sink};
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::{Barrier, Batch, Message, Progress, TaskIndex, Watermark};
use wasmill_job::graph::Job;
use wasmill_operator::{Context, Due, Operator};
use wasmill_state::SnapshotKind;
use wasmill_time::ProcessingClock;

use crate::clock::TaskClock;
use crate::control::{Part, StateSnapshot};
use crate::counts::{JobCounts, NodeCounts, Share, SinkBytes};
use crate::dead_letters::{DeadLetters, receiver_gone};
use crate::error::JobError;
use crate::exchange::{Exchange, project};
use crate::factory::SinkId;
use crate::memory::Charge;
use crate::piece_memory::PieceMemory;
use crate::snapshot_pieces::{self, PiecesIn};

/// Keys that are added to a snapshot at a time, between two batches.
const SNAPSHOT_KEYS: usize = 4_096;
/// How long the memory of a snapshot is kept for the next: where bases, which take most, are further apart, the fresh pages of one are too little of
/// a task's time to be seen in the slowest hundredth of its rows.
const SPARES_KEPT: Duration = Duration::from_secs(30);
/// How often what operators hold and count is noted while rows flow.
const OBSERVED_EVERY: Duration = Duration::from_secs(1);

/// A stage's nodes in one task.
pub(crate) struct Chain {
    /// In topological order, with the places of the plan's stage.
    pub nodes: Vec<Node>,
    pub dead_letters: DeadLetters,
    pub counts: Arc<JobCounts>,
    /// The job, for what is said of it.
    pub job: Arc<Job>,
    pub task: TaskIndex,
    /// What the task does with its time.
    pub clock: Arc<TaskClock>,
    /// Processing time.
    pub processing_time: ProcessingClock,
    /// When what operators hold and count was last noted.
    pub observed: Instant,
}

/// One of them.
pub(crate) struct Node {
    pub name: Arc<str>,
    pub work: Work,
    /// For each output, where its rows go.
    pub outputs: Vec<Vec<Target>>,
}

/// What a node does.
pub(crate) enum Work {
    /// A source: rows come from the task itself.
    Source,
    /// An operator, by its place in the job.
    Operator(Box<OperatorWork>),
    /// A sink, and what was told of its bytes.
    Sink(SinkId, Box<dyn Sink>, SinkBytes),
}

/// An operator at work.
pub(crate) struct OperatorWork {
    pub index: usize,
    pub operator: Box<dyn Operator>,
    pub context: Context,
    /// For each input, the names of its key's columns.
    pub keys: Vec<Vec<String>>,
    /// Where the pieces of the snapshot under way go.
    pub snapshot: Option<PiecesIn>,
    /// What pieces of its snapshots are in.
    pub pieces: PieceMemory,
    /// Before the checkpoint that the job went on from it was told that there is no more input, and none has come since.
    pub ended: bool,
    /// What its state and its plugin's instance have of the process's memory.
    pub charge: Charge,
    /// Its part of the keys that the operator has state of, and of that state's bytes.
    pub state_keys: Share,
    pub state_bytes: Share,
}

impl OperatorWork {
    /// Charges what it holds now, and what a step with so many rows may take in passing; whether that is too much for the process.
    fn charge(&mut self, rows: usize) -> bool {
        // Half as much again for the former, smaller copies of tables that grew: the allocator keeps their memory for a while.
        let state = self.context.state.as_ref().map_or(0, |state| state.bytes() / 2 * 3 + state.growth(rows));
        let held = state as u64 + self.operator.plugin_counts().memory;
        self.charge.set(held + self.pieces.bytes());
        if self.charge.is_exceeded() {
            self.pieces.free_spares(Duration::ZERO);
            self.charge.set(held + self.pieces.bytes());
        }
        if let Some(state) = &self.context.state {
            self.state_keys.set(state.keys() as u64);
            self.state_bytes.set(state.bytes() as u64);
        }
        self.charge.is_exceeded()
    }
}

/// A moment that has come.
#[derive(Clone, Copy)]
enum Moment {
    EventTime(Watermark),
    ProcessingTime(i64),
}

/// Where rows of an output go.
pub(crate) enum Target {
    /// To the only input of another node of the chain, with these columns.
    Chained(usize, Option<Vec<usize>>),
    /// To other tasks.
    Edge(Exchange),
}

impl Chain {
    /// Hands rows to an input of a node, and on, until nothing of them is left in the chain.
    pub async fn push(&mut self, node: usize, input: usize, batch: Batch) -> Result<(), JobError> {
        self.work(node, input, batch).await?;
        let mut waiting = Vec::new();
        self.hand_on(node, &mut waiting).await?;
        while let Some((node, batch)) = waiting.pop() {
            self.work(node, 0, batch).await?;
            self.hand_on(node, &mut waiting).await?;
        }
        Ok(())
    }

    /// Hands on rows that a source has read.
    pub async fn push_read(&mut self, source: usize, batch: Batch) -> Result<(), JobError> {
        NodeCounts::add(&self.counts.sources[source].rows_out[0], batch.len() as u64);
        let mut waiting = Vec::new();
        send(&mut self.nodes[0].outputs[0], &batch, &mut waiting, &self.clock).await?;
        while let Some((node, batch)) = waiting.pop() {
            self.push(node, 0, batch).await?;
        }
        Ok(())
    }

    /// Lets every operator begin with what a checkpoint held, or with nothing.
    pub fn restored(&mut self) -> Result<(), JobError> {
        for Node { name, work, .. } in &mut self.nodes {
            if let Work::Operator(work) = work {
                work.operator.restored(&mut work.context).map_err(|error| JobError::operator(name, error))?;
                self.counts.operators[work.index].watermark_of(self.task).note(work.context.watermark);
                // The first step says so where it is too much.
                work.charge(0);
            }
        }
        Ok(())
    }

    /// Tells every operator, and those behind, how far event time has come. What an operator emits at that goes ahead of it.
    pub async fn time(&mut self, progress: Progress) -> Result<(), JobError> {
        for node in 0..self.nodes.len() {
            while self.fire(node, Moment::EventTime(progress.watermark)).await? == Due::More {
                // However much is due, other tasks have their turn.
                tokio::task::coop::consume_budget().await;
            }
        }
        self.mark(&Message::Time(progress)).await
    }

    /// When an operator next wants to be called by the clock.
    pub fn wakes_at(&self) -> Option<i64> {
        let wakes_at = |node: &Node| if let Work::Operator(work) = &node.work { work.operator.wakes_at() } else { None };
        self.nodes.iter().filter_map(wakes_at).min()
    }

    /// Tells every operator that waits for it what time it is.
    pub async fn clock(&mut self, now: i64) -> Result<(), JobError> {
        for node in 0..self.nodes.len() {
            while self.fire(node, Moment::ProcessingTime(now)).await? == Due::More {
                tokio::task::coop::consume_budget().await;
            }
        }
        Ok(())
    }

    /// One step of a node for a moment that has come, and what it emits handed on; whether more is due.
    async fn fire(&mut self, node: usize, moment: Moment) -> Result<Due, JobError> {
        let Node { name, work, .. } = &mut self.nodes[node];
        let Work::Operator(work) = work else { return Ok(Due::Done) };
        let mut spent = Duration::ZERO;
        let step = match moment {
            Moment::EventTime(watermark) if watermark > work.context.watermark => {
                work.operator.watermark(watermark, &mut work.context)
            }
            Moment::ProcessingTime(now) if work.operator.wakes_at().is_some_and(|at| at <= now) => {
                work.operator.clock(now, &mut work.context)
            }
            Moment::EventTime(_) | Moment::ProcessingTime(_) => return Ok(Due::Done),
        };
        let due = timed(step, &mut spent).await.map_err(|error| JobError::operator(name, error))?;
        self.counts.operators[work.index].add_step(spent);
        if let (Due::Done, Moment::EventTime(watermark)) = (due, moment) {
            work.context.watermark = watermark;
            self.counts.operators[work.index].watermark_of(self.task).note(watermark);
        }
        if work.charge(self.job.batch.max_rows) {
            return Err(self.exceeded(node));
        }
        self.push_emitted(node).await?;
        Ok(due)
    }

    /// Hands on what a node has emitted beside rows that came in.
    async fn push_emitted(&mut self, node: usize) -> Result<(), JobError> {
        let mut waiting = Vec::new();
        self.hand_on(node, &mut waiting).await?;
        while let Some((node, batch)) = waiting.pop() {
            self.push(node, 0, batch).await?;
        }
        Ok(())
    }

    /// Tells every operator that there are no more rows.
    pub async fn end(&mut self) -> Result<(), JobError> {
        for node in 0..self.nodes.len() {
            let Node { name, work, .. } = &mut self.nodes[node];
            if let Work::Operator(work) = work
                && !work.ended
            {
                let mut spent = Duration::ZERO;
                let ended = timed(work.operator.end(&mut work.context), &mut spent).await;
                self.counts.operators[work.index].add_step(spent);
                ended.map_err(|error| JobError::operator(name, error))?;
                self.push_emitted(node).await?;
            }
        }
        self.mark(&Message::End).await
    }

    /// Sends a mark on every edge.
    pub async fn mark(&mut self, mark: &Message) -> Result<(), JobError> {
        for target in self.nodes.iter_mut().flat_map(|node| node.outputs.iter_mut().flatten()) {
            if let Target::Edge(exchange) = target {
                self.clock.held_up(exchange.mark(mark)).await.map_err(|_| receiver_gone())?;
            }
        }
        // Dead letters have no event time.
        if matches!(mark, Message::Time(_)) { Ok(()) } else { self.dead_letters.mark(mark).await }
    }

    /// Lets sinks hand on what they hold: no more rows are waiting.
    pub async fn flush(&mut self) -> Result<(), JobError> {
        for Node { name, work, .. } in &mut self.nodes {
            if let Work::Sink(_, sink, _) = work {
                sink.flush().await.map_err(|error| JobError::connector(name, error))?;
            }
        }
        Ok(())
    }

    /// Closes the sinks of a job that takes no checkpoints.
    pub async fn close(&mut self) -> Result<(), JobError> {
        for Node { name, work, .. } in &mut self.nodes {
            if let Work::Sink(id, sink, bytes) = work {
                sink.close().await.map_err(|error| JobError::connector(name, error))?;
                bytes.tell(sink_counts(&self.counts, *id), sink.bytes());
            }
        }
        Ok(())
    }

    /// Lets operators give back what is only a cache.
    pub fn idle(&mut self) {
        for node in &mut self.nodes {
            if let Work::Operator(work) = &mut node.work {
                work.operator.idle();
            }
        }
    }

    /// What people call it: its first node, and which of its tasks it is.
    pub fn name(&self) -> String {
        let first = self.nodes.first().map_or("nothing", |node| &*node.name);
        format!("`{first}` (task {} of {})", self.task.index + 1, self.task.of)
    }

    /// Its operators, by their places in the job, and which of their tasks it is.
    pub fn operators(&self) -> impl Iterator<Item = (usize, TaskIndex)> {
        let place = |node: &Node| if let Work::Operator(work) = &node.work { Some((work.index, self.task)) } else { None };
        self.nodes.iter().filter_map(place)
    }

    /// Whether it has sinks.
    pub fn has_sinks(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.work, Work::Sink(..)))
    }

    /// Starts the snapshots of an epoch, and makes what the sinks have written durable.
    pub async fn snapshot(&mut self, barrier: Barrier, part: &mut Part) -> Result<(), JobError> {
        for Node { name, work, .. } in &mut self.nodes {
            match work {
                Work::Operator(work) => {
                    if let Some(state) = &mut work.context.state {
                        let kind = match barrier.since {
                            None => SnapshotKind::Base,
                            Some(since) => {
                                state.confirm_snapshot(since);
                                SnapshotKind::Delta
                            }
                        };
                        let since = state.snapshot(barrier.epoch, kind);
                        let (operator, task, watermark) = (work.index, self.task, work.context.watermark);
                        let (inwards, pieces) = snapshot_pieces::way();
                        work.snapshot = Some(inwards);
                        part.states.push(StateSnapshot { operator, task, pieces, since, watermark });
                    }
                }
                Work::Sink(id, sink, _) => {
                    let prepared = sink.prepare(barrier.epoch).await.map_err(|error| JobError::connector(name, error))?;
                    part.prepared.push((*id, self.task, prepared));
                    hit(Failpoint::SinkPrepared);
                }
                Work::Source => {}
            }
        }
        hit(Failpoint::SnapshotMarked);
        Ok(())
    }

    /// Whether a snapshot is under way.
    pub fn is_snapshotting(&self) -> bool {
        self.nodes.iter().any(|node| matches!(&node.work, Work::Operator(work) if work.snapshot.is_some()))
    }

    /// Takes the snapshots under way a step further, and hands over what it comes to.
    pub fn snapshot_step(&mut self) {
        for node in &mut self.nodes {
            if let Work::Operator(work) = &mut node.work
                && let OperatorWork { snapshot: Some(way), context: Context { state: Some(state), .. }, pieces, .. } = &mut **work
            {
                if let Some(spare) = pieces.spare() {
                    state.reuse(spare);
                }
                let piece = state.snapshot_step(SNAPSHOT_KEYS);
                let is_last = piece.is_none();
                way.hand_over(piece.map(|piece| pieces.hold(piece)));
                if is_last {
                    work.snapshot = None;
                }
            }
        }
    }

    /// Makes an epoch visible.
    pub async fn commit(&mut self, prepared: &[(SinkId, TaskIndex, Prepared)]) -> Result<(), JobError> {
        for Node { name, work, .. } in &mut self.nodes {
            if let Work::Sink(id, sink, bytes) = work {
                for (_, _, prepared) in prepared.iter().filter(|(sink, ..)| sink == id) {
                    hit(Failpoint::BeforeCommit);
                    sink.commit(prepared).await.map_err(|error| JobError::connector(name, error))?;
                    hit(Failpoint::AfterCommit);
                }
                bytes.tell(sink_counts(&self.counts, *id), sink.bytes());
            }
        }
        Ok(())
    }

    /// Notes what operators hold and count, where that was done a while ago.
    fn observe_now_and_then(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.observed) >= OBSERVED_EVERY {
            self.observed = now;
            self.observe();
        }
    }

    /// Notes what operators hold and count, and frees what was kept for snapshots that didn't come.
    pub fn observe(&self) {
        for node in &self.nodes {
            if let Work::Operator(work) = &node.work {
                work.pieces.free_spares(if work.charge.is_scarce() { Duration::ZERO } else { SPARES_KEPT });
                let counts = &self.counts.operators[work.index];
                let mut tasks = counts.plugin.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                tasks.insert(self.task.index, (work.operator.plugin_counts(), work.operator.author_metrics()));
            }
        }
    }

    async fn work(&mut self, node: usize, input: usize, batch: Batch) -> Result<(), JobError> {
        let rows = batch.count();
        let Node { name, work, .. } = &mut self.nodes[node];
        let mut spent = Duration::ZERO;
        let counts = match work {
            Work::Source => return Ok(()),
            Work::Operator(work) => {
                hit(Failpoint::BeforeProcess);
                work.ended = false;
                let step = timed(work.operator.process(input, batch, &mut work.context), &mut spent);
                step.await.map_err(|error| JobError::operator(name, error))?;
                hit(Failpoint::AfterProcess);
                if work.charge(self.job.batch.max_rows) {
                    return Err(self.exceeded(node));
                }
                &self.counts.operators[work.index]
            }
            Work::Sink(id, sink, _) => {
                timed(sink.write(&batch.rows), &mut spent).await.map_err(|error| JobError::connector(name, error))?;
                sink_counts(&self.counts, *id)
            }
        };
        counts.add_step(spent);
        NodeCounts::add(&counts.rows_in, rows);
        NodeCounts::add(&counts.batches, 1);
        self.observe_now_and_then();
        Ok(())
    }

    /// The error of a node that finds the process's memory passed.
    fn exceeded(&self, node: usize) -> JobError {
        let Node { name, work: Work::Operator(work), .. } = &self.nodes[node] else { return receiver_gone() };
        JobError { operator: Some(name.to_string()), ..work.charge.exceeded(&self.job, &self.counts) }
    }

    /// Hands on what a node's step has left in its context.
    async fn hand_on(&mut self, node: usize, waiting: &mut Vec<(usize, Batch)>) -> Result<(), JobError> {
        let Node { name, work, outputs } = &mut self.nodes[node];
        let Work::Operator(work) = work else { return Ok(()) };
        let counts = &self.counts.operators[work.index];
        let mut chained = Vec::new();
        for emitted in work.context.emitted.drain(..) {
            NodeCounts::add(&counts.rows_out[emitted.port], emitted.batch.count());
            send(&mut outputs[emitted.port], &emitted.batch, &mut chained, &self.clock).await?;
        }
        // Last in, first out: what was emitted first must be on top.
        waiting.extend(chained.into_iter().rev());
        for dead in work.context.dead.drain(..) {
            NodeCounts::add(&counts.dead, dead.reasons.len() as u64);
            self.dead_letters.dead(name, &work.keys[dead.input], &dead).await?;
        }
        Ok(())
    }
}

/// Awaits a step, adding to `spent` the time in which it ran: not that in which it waited, for a disk or for its next turn.
async fn timed<T>(step: impl Future<Output = T>, spent: &mut Duration) -> T {
    let mut step = pin!(step);
    poll_fn(|cx| {
        let start = Instant::now();
        let polled = step.as_mut().poll(cx);
        *spent += start.elapsed();
        polled
    })
    .await
}

/// The counts of a sink.
pub(crate) fn sink_counts(counts: &JobCounts, sink: SinkId) -> &NodeCounts {
    match sink {
        SinkId::Sink(index) => &counts.sinks[index],
        SinkId::DeadLetters => &counts.dead_letters,
    }
}

/// Sends rows of one output to all of its targets.
async fn send(
    targets: &mut [Target],
    batch: &Batch,
    chained: &mut Vec<(usize, Batch)>,
    clock: &TaskClock,
) -> Result<(), JobError> {
    for target in targets {
        match target {
            Target::Chained(node, columns) => chained.push((*node, project(batch, columns.as_deref()))),
            Target::Edge(exchange) => clock.held_up(exchange.send(batch)).await.map_err(|_| receiver_gone())?,
        }
    }
    Ok(())
}
