//! From a job's graph to what runs.

use std::collections::HashMap;

use crate::graph::{Job, NodeId, Operator, SinkConnector, SourceConnector, Upstream};
use crate::plan::{Edge, Plan, PlanNode, Routing, Stage, StageNode, Target};

/// Plans a job.
///
/// Sources of files and of standard input have one task; generators and files in parallel as many as the job's parallelism. A keyed operator starts a stage with
/// the job's parallelism, behind edges that route by key; rows of an input of it without a key go from task to task. Another operator
/// that reads several streams starts a stage with as many tasks as each of them has, or with one where they differ. Every other
/// operator is chained to its input. A sink is chained where its input has one
/// task, it is a folder or a bucket, or it swallows rows, else it is a stage of one. The dead letters' sink is the last stage, without edges: the runtime wires every task to it.
#[must_use]
pub fn plan(job: &Job) -> Plan {
    let mut build = Build { plan: Plan { stages: Vec::new(), edges: Vec::new() }, places: HashMap::new() };
    for (index, source) in job.sources.iter().enumerate() {
        let parallelism = match source.connector {
            SourceConnector::Generator(_) | SourceConnector::File { parallel_files: true, .. } => job.parallelism,
            SourceConnector::File { .. } | SourceConnector::Stdio { .. } => 1,
        };
        build.start(parallelism, PlanNode::Node(NodeId::Source(index)), 1);
    }
    for (index, operator) in job.operators.iter().enumerate() {
        build.operator(job, NodeId::Operator(index), operator);
    }
    for (index, sink) in job.sinks.iter().enumerate() {
        let may_be_parallel = matches!(
            sink.connector,
            SinkConnector::Blackhole | SinkConnector::Bucket { .. } | SinkConnector::File { is_folder: true, .. }
        );
        build.sink(PlanNode::Sink(index), sink.input, may_be_parallel);
    }
    if job.dead_letters.is_some() {
        build.start(1, PlanNode::DeadLetters, 0);
    }
    build.plan
}

/// A node's stage and its index there.
#[derive(Clone, Copy)]
struct At {
    stage: usize,
    node: usize,
}

struct Build {
    plan: Plan,
    places: HashMap<NodeId, At>,
}

impl Build {
    fn operator(&mut self, job: &Job, id: NodeId, operator: &Operator) {
        let node = PlanNode::Node(id);
        let outputs = operator.ports.len();
        let streams: Vec<(usize, Upstream)> = operator
            .inputs
            .iter()
            .enumerate()
            .flat_map(|(index, input)| input.from.iter().map(move |from| (index, *from)))
            .collect();
        let counts = |(index, _): &&(usize, Upstream)| !operator.inputs[*index].broadcast;
        let tasks: Vec<u32> = streams.iter().filter(counts).map(|(_, from)| self.parallelism_of(*from)).collect();
        let equal = tasks.first().copied().filter(|first| tasks.iter().all(|tasks| tasks == first));
        if let ([(_, input)], false) = (streams.as_slice(), operator.is_keyed()) {
            return self.chain(node, outputs, *input, operator.input().reads.clone());
        }
        let parallelism = if operator.is_keyed() { job.parallelism } else { equal.unwrap_or(1) };
        let stage = self.start(parallelism, node, outputs);
        for (index, from) in streams {
            let input = &operator.inputs[index];
            let routing = match &input.key_by {
                key if !key.is_empty() => Routing::Keyed(key.clone()),
                _ if input.broadcast => Routing::Broadcast,
                _ if parallelism == 1 && equal != Some(1) => Routing::Gather,
                _ => Routing::Forward,
            };
            self.connect(from, (stage, index), routing, input.reads.clone(), operator.combines);
        }
    }

    fn sink(&mut self, node: PlanNode, input: Upstream, may_be_parallel: bool) {
        if may_be_parallel || self.parallelism_of(input) == 1 {
            self.chain(node, 0, input, None);
        } else {
            let stage = self.start(1, node, 0);
            self.connect(input, (stage, 0), Routing::Gather, None, false);
        }
    }

    /// A new stage with this node.
    fn start(&mut self, parallelism: u32, node: PlanNode, outputs: usize) -> usize {
        let stage = self.plan.stages.len();
        self.plan.stages.push(Stage { parallelism, nodes: Vec::new() });
        self.put(stage, node, outputs);
        stage
    }

    /// This node at the end of its input's stage.
    fn chain(&mut self, node: PlanNode, outputs: usize, input: Upstream, columns: Option<Vec<usize>>) {
        let stage = self.places[&input.node].stage;
        let index = self.put(stage, node, outputs);
        self.targets(input).push(Target::Chained { node: index, columns });
    }

    /// An edge to an input of the first node of a stage.
    fn connect(
        &mut self,
        sender: Upstream,
        (to, input): (usize, usize),
        routing: Routing,
        columns: Option<Vec<usize>>,
        combined: bool,
    ) {
        let edge = self.plan.edges.len();
        let from = self.places[&sender.node].stage;
        self.plan.edges.push(Edge { from, to, input, routing, columns, combined });
        self.targets(sender).push(Target::Edge(edge));
    }

    fn put(&mut self, stage: usize, node: PlanNode, outputs: usize) -> usize {
        let nodes = &mut self.plan.stages[stage].nodes;
        nodes.push(StageNode { node, outputs: vec![Vec::new(); outputs] });
        let index = nodes.len() - 1;
        if let PlanNode::Node(id) = node {
            self.places.insert(id, At { stage, node: index });
        }
        index
    }

    fn targets(&mut self, input: Upstream) -> &mut Vec<Target> {
        let at = self.places[&input.node];
        &mut self.plan.stages[at.stage].nodes[at.node].outputs[input.port]
    }

    fn parallelism_of(&self, input: Upstream) -> u32 {
        self.plan.stages[self.places[&input.node].stage].parallelism
    }
}
