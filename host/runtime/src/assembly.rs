//! Makes a job's tasks from its plan: nodes by the factory, lanes for its edges.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use tokio::sync::mpsc;
use wasmill_connector::{BatchLimit, Visibility};
use wasmill_flow::{Barrier, Epoch, KeyGroups, TaskIndex};
use wasmill_job::graph::{Input, Job, NodeId};
use wasmill_job::plan::{Edge, Plan, PlanNode, Routing, Stage, StageNode, Target as PlanTarget};
use wasmill_operator::{Combiner, Context};
use wasmill_time::ProcessingClock;

use crate::chain::{Chain, Node, OperatorWork, Target, Work};
use crate::clock::TaskClock;
use crate::control::{Event, TaskId};
use crate::counts::{JobCounts, NodeCounts, Share, SinkBytes, TaskGauges};
use crate::dead_letters::DeadLetters;
use crate::edge::{DrainLimit, LaneLimit, LaneSender, Lanes, lanes};
use crate::error::JobError;
use crate::exchange::Exchange;
use crate::factory::{Factory, OperatorParts, SinkId};
use crate::inbox::Inbox;
use crate::memory::{Charge, MemoryBudget};
use crate::piece_memory::PieceMemory;
use crate::source_drift::DriftLimit;
use crate::source_task::SourceHead;
use crate::source_time::SourceTime;
use crate::stage_task::{Head, StageTask};

/// Full batches that a lane holds before its sender has to wait.
const LANE_BATCHES: usize = 4;

/// The tasks of a job, and how the driver reaches them.
pub(crate) struct Assembly {
    pub tasks: Vec<StageTask>,
    /// Barriers to the tasks of sources.
    pub barriers: Vec<(TaskId, mpsc::UnboundedSender<Barrier>)>,
    /// Commits to the tasks with sinks.
    pub commits: Vec<(TaskId, mpsc::UnboundedSender<Epoch>)>,
    /// What tasks tell.
    pub events: mpsc::UnboundedReceiver<Event>,
    /// Kept so that commits of tasks without sinks are never closed before the task.
    pub idle_commits: Vec<mpsc::UnboundedSender<Epoch>>,
}

/// The counters of a job.
#[must_use]
pub fn counts(job: &Job) -> JobCounts {
    JobCounts {
        sources: job.sources.iter().map(|_| NodeCounts::new(1)).collect(),
        operators: job.operators.iter().map(|operator| NodeCounts::new(operator.ports.len())).collect(),
        sinks: job.sinks.iter().map(|_| NodeCounts::new(0)).collect(),
        dead_letters: NodeCounts::new(0),
        edges: Arc::default(),
        stages: RwLock::default(),
        checkpoints: AtomicU64::new(0),
        failed_checkpoints: AtomicU64::new(0),
        damaged_files: AtomicU64::new(0),
        last_epoch: AtomicU64::new(0),
        checkpoint_micros: AtomicU64::new(0),
        checkpoint_bytes: AtomicU64::new(0),
        longest_pause_micros: AtomicU64::new(0),
        restarts: AtomicU64::new(0),
    }
}

/// Makes the tasks of a job.
#[expect(clippy::too_many_arguments, reason = "each is one thing that tasks are made of")]
pub(crate) fn assemble(
    job: &Job,
    plan: &Plan,
    factory: &dyn Factory,
    counts: &Arc<JobCounts>,
    memory: &Arc<MemoryBudget>,
    processing_time: &ProcessingClock,
    durable: bool,
    first: Epoch,
) -> Result<Assembly, JobError> {
    let (events, told) = mpsc::unbounded_channel();
    let mut wiring = Wiring::of(job, plan, memory, &counts.edges);
    let shared_job = Arc::new(job.clone());
    let name: Arc<str> = job.name.as_str().into();
    let drift_limits = DriftLimit::of(job, plan);
    let buried = Arc::new(AtomicU64::new(0));
    let visibility = if durable { Visibility::ByEpoch } else { Visibility::AtOnce };
    let mut assembly =
        Assembly { tasks: Vec::new(), barriers: Vec::new(), commits: Vec::new(), events: told, idle_commits: Vec::new() };
    let mut stages = Vec::new();
    for (stage_index, stage) in plan.stages.iter().enumerate() {
        let mut gauges = Vec::new();
        for index in 0..stage.parallelism {
            let clock = Arc::new(TaskClock::new());
            let id = TaskId(assembly.tasks.len());
            let task = TaskIndex { index, of: stage.parallelism };
            let parts = Parts { job, factory, counts, memory, task, visibility, processing_time, drift_limits: &drift_limits };
            let nodes = stage
                .nodes
                .iter()
                .map(|node| {
                    parts.node(node, |edge| {
                        let combiner = parts.combiner(plan, edge)?;
                        Ok(wiring.exchange(plan, edge, task.index, job.key_groups, combiner))
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            let head = match stage.nodes.first().map(|node| node.node) {
                Some(PlanNode::Node(NodeId::Source(source))) => {
                    let (sender, barriers) = mpsc::unbounded_channel();
                    assembly.barriers.push((id, sender));
                    Head::Source(parts.source(source, barriers)?)
                }
                _ => {
                    let lanes = wiring.lanes_of(stage_index, task.index, Charge::new(memory, &counts.edges));
                    let timed = stage.nodes.first().is_some_and(|node| is_timed(job, node));
                    Head::Inbox(Inbox::new(lanes, drain_limit(job), first, timed))
                }
            };
            let chain = Chain {
                nodes,
                dead_letters: DeadLetters {
                    job: Arc::clone(&name),
                    clock: Arc::clone(&clock),
                    lane: wiring.dead_letter_lanes.remove(&(stage_index, index)),
                    count: Arc::clone(&buried),
                    limit: job.dead_letters.as_ref().and_then(|dead_letters| dead_letters.limit),
                },
                counts: Arc::clone(counts),
                job: Arc::clone(&shared_job),
                task,
                clock: Arc::clone(&clock),
                processing_time: processing_time.clone(),
                observed: Instant::now(),
            };
            let queue = if let Head::Inbox(inbox) = &head { Some(inbox.queue()) } else { None };
            gauges.push(TaskGauges { clock, queue });
            let (sender, commits) = mpsc::unbounded_channel();
            if chain.has_sinks() {
                assembly.commits.push((id, sender));
            } else {
                assembly.idle_commits.push(sender);
            }
            assembly.tasks.push(StageTask { id, head, chain, events: events.clone(), commits, durable });
        }
        stages.push(gauges);
    }
    counts.begin(stages);
    Ok(assembly)
}

/// Whether the rows that come to a node have event times, if theirs have any: not where other inputs of it have none.
fn is_timed(job: &Job, node: &StageNode) -> bool {
    if let PlanNode::Node(NodeId::Operator(operator)) = node.node { job.operators[operator].timed } else { true }
}

fn drain_limit(job: &Job) -> DrainLimit {
    DrainLimit { rows: job.batch.max_rows, bytes: job.batch.max_bytes }
}

/// Makes the nodes of one task.
struct Parts<'a> {
    job: &'a Job,
    factory: &'a dyn Factory,
    counts: &'a JobCounts,
    memory: &'a Arc<MemoryBudget>,
    task: TaskIndex,
    visibility: Visibility,
    processing_time: &'a ProcessingClock,
    /// By source and task.
    drift_limits: &'a BTreeMap<(usize, u32), DriftLimit>,
}

impl Parts<'_> {
    fn node(&self, node: &StageNode, mut exchange: impl FnMut(usize) -> Result<Exchange, JobError>) -> Result<Node, JobError> {
        let (name, work) = match node.node {
            PlanNode::Node(NodeId::Source(index)) => (self.job.sources[index].name.as_str(), Work::Source),
            PlanNode::Node(NodeId::Operator(index)) => {
                let operator = &self.job.operators[index];
                let parts = self.factory.operator(index, self.task);
                let OperatorParts { operator: work, state } = parts.map_err(|error| JobError::operator(&operator.name, error))?;
                let key = |input: &Input| input.key_by.iter().map(|&column| input.schema.field(column).name().clone()).collect();
                let keys = operator.inputs.iter().map(key).collect();
                let context = Context { state, clock: self.processing_time.clone(), ..Context::stateless() };
                let counts = &self.counts.operators[index];
                (
                    operator.name.as_str(),
                    Work::Operator(Box::new(OperatorWork {
                        index,
                        operator: work,
                        context,
                        keys,
                        snapshot: None,
                        pieces: PieceMemory::default(),
                        ended: false,
                        charge: Charge::new(self.memory, &counts.memory),
                        state_keys: Share::of(&counts.state_keys),
                        state_bytes: Share::of(&counts.state_bytes),
                    })),
                )
            }
            PlanNode::Sink(index) => {
                (self.job.sinks[index].name.as_str(), self.sink(SinkId::Sink(index), &self.job.sinks[index].name)?)
            }
            PlanNode::DeadLetters => ("dead-letters", self.sink(SinkId::DeadLetters, "dead-letters")?),
        };
        let mut target = |target: &PlanTarget| match target {
            PlanTarget::Chained { node, columns } => Ok(Target::Chained(*node, columns.clone())),
            PlanTarget::Edge(edge) => exchange(*edge).map(Target::Edge),
        };
        let outputs = node.outputs.iter().map(|targets| targets.iter().map(&mut target).collect());
        let outputs = outputs.collect::<Result<_, JobError>>()?;
        Ok(Node { name: name.into(), work, outputs })
    }

    /// What combines the rows that the task sends on an edge.
    fn combiner(&self, plan: &Plan, edge: usize) -> Result<Option<Combiner>, JobError> {
        let Edge { to, combined: true, .. } = plan.edges[edge] else { return Ok(None) };
        let Some(PlanNode::Node(NodeId::Operator(index))) = plan.stages[to].nodes.first().map(|node| node.node) else {
            return Ok(None);
        };
        let combiner = self.factory.combiner(index, self.task);
        combiner.map_err(|error| JobError::operator(&self.job.operators[index].name, error))
    }

    fn sink(&self, id: SinkId, name: &str) -> Result<Work, JobError> {
        let sink = self.factory.sink(id, self.task, self.visibility).map_err(|error| JobError::connector(name, error))?;
        Ok(Work::Sink(id, sink, SinkBytes::default()))
    }

    fn source(&self, index: usize, barriers: mpsc::UnboundedReceiver<Barrier>) -> Result<SourceHead, JobError> {
        let name: Arc<str> = self.job.sources[index].name.as_str().into();
        let source = self.factory.source(index, self.task).map_err(|error| JobError::connector(&name, error))?;
        NodeCounts::add(&self.counts.sources[index].pruned, source.pruned());
        let limit = BatchLimit { rows: self.job.batch.max_rows, bytes: self.job.batch.max_bytes };
        let seen = Arc::clone(self.counts.sources[index].watermark_of(self.task));
        let drift = self.drift_limits.get(&(index, self.task.index)).cloned();
        let time = SourceTime::of(&self.job.sources[index], seen, drift)?.map(Box::new);
        Ok(SourceHead { index, task: self.task, name, source, limit, barriers, time, resumed: None, ended: false })
    }
}

/// The lanes of all edges, by who has their ends.
struct Wiring {
    /// By edge and sending task: lanes in the order of the receiving tasks.
    senders: BTreeMap<(usize, u32), Vec<LaneSender>>,
    /// By stage and task.
    receivers: BTreeMap<(usize, u32), Lanes>,
    /// By stage and task: its lane to the dead letters.
    dead_letter_lanes: BTreeMap<(usize, u32), LaneSender>,
}

impl Wiring {
    fn of(job: &Job, plan: &Plan, memory: &Arc<MemoryBudget>, account: &Arc<AtomicU64>) -> Self {
        let charge = || Charge::new(memory, account);
        let mut wiring = Self { senders: BTreeMap::new(), receivers: BTreeMap::new(), dead_letter_lanes: BTreeMap::new() };
        let bytes = (job.batch.max_bytes * LANE_BATCHES).min(memory.lane(lane_count(plan)));
        let limit = LaneLimit { rows: job.batch.max_rows * LANE_BATCHES, bytes };
        for (stage_index, stage) in plan.stages.iter().enumerate() {
            if is_dead_letters(stage) {
                wiring.dead_letters(plan, stage_index, limit, charge());
                continue;
            }
            let edges: Vec<(usize, &Edge)> = plan.edges.iter().enumerate().filter(|(_, edge)| edge.to == stage_index).collect();
            if edges.is_empty() {
                continue;
            }
            for task in 0..stage.parallelism {
                let from: Vec<(usize, u32)> =
                    edges.iter().flat_map(|(index, edge)| senders_to(plan, edge, task).map(|from| (*index, from))).collect();
                let inputs: Vec<usize> = from.iter().map(|(edge, _)| plan.edges[*edge].input).collect();
                let (senders, receiver) = lanes(&inputs, limit, charge());
                for (from, sender) in from.into_iter().zip(senders) {
                    wiring.senders.entry(from).or_default().push(sender);
                }
                wiring.receivers.insert((stage_index, task), receiver);
            }
        }
        wiring
    }

    fn dead_letters(&mut self, plan: &Plan, stage_index: usize, limit: LaneLimit, charge: Charge) {
        let others = plan.stages.iter().enumerate().filter(|(index, _)| *index != stage_index);
        let tasks: Vec<(usize, u32)> =
            others.flat_map(|(index, stage)| (0..stage.parallelism).map(move |task| (index, task))).collect();
        let (senders, receiver) = lanes(&vec![0; tasks.len()], limit, charge);
        self.dead_letter_lanes = tasks.into_iter().zip(senders).collect();
        self.receivers.insert((stage_index, 0), receiver);
    }

    fn exchange(&mut self, plan: &Plan, edge: usize, task: u32, groups: KeyGroups, combiner: Option<Combiner>) -> Exchange {
        let Edge { routing, columns, .. } = &plan.edges[edge];
        let lanes = self.senders.remove(&(edge, task)).unwrap_or_default();
        Exchange::new(routing, columns.clone(), lanes, groups, combiner)
    }

    fn lanes_of(&mut self, stage: usize, task: u32, charge: Charge) -> Lanes {
        self.receivers.remove(&(stage, task)).unwrap_or_else(|| lanes(&[], LaneLimit { rows: 1, bytes: 1 }, charge).1)
    }
}

/// How many lanes a job's tasks have between them, those to the dead letters included.
fn lane_count(plan: &Plan) -> usize {
    let tasks = |stage: usize| plan.stages[stage].parallelism as usize;
    let lanes_of = |edge: &Edge| match edge.routing {
        Routing::Forward => tasks(edge.from),
        Routing::Gather | Routing::Broadcast | Routing::Keyed(_) => tasks(edge.from) * tasks(edge.to),
    };
    let dead_letters = if plan.stages.iter().any(is_dead_letters) { (0..plan.stages.len()).map(tasks).sum() } else { 0 };
    plan.edges.iter().map(lanes_of).sum::<usize>() + dead_letters
}

fn is_dead_letters(stage: &Stage) -> bool {
    stage.nodes.first().is_some_and(|node| node.node == PlanNode::DeadLetters)
}

/// The tasks that send to a task over an edge.
fn senders_to(plan: &Plan, edge: &Edge, task: u32) -> impl Iterator<Item = u32> {
    let receivers = plan.stages[edge.to].parallelism;
    let forward = matches!(edge.routing, Routing::Forward);
    (0..plan.stages[edge.from].parallelism).filter(move |sender| !forward || sender % receivers == task)
}
