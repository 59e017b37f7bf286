//! From a job's graph to what runs.

use std::collections::HashMap;

use crate::graph::{Job, NodeId, Operator, SinkConnector, SourceConnector, Upstream};
use crate::plan::{Edge, Plan, PlanNode, Routing, Stage, StageNode, Target};

/// Plans a job.
///
/// File and standard-input sources have one task, generators as many as the job's parallelism. A keyed operator starts a stage with
/// the job's parallelism, behind edges that route by key. An operator with several inputs starts a stage with as many tasks as each
/// of them has, or with one where they differ. Every other operator is chained to its input. A sink is chained where its input has one
/// task, it is a folder or it swallows rows, else it is a stage of one. The dead letters' sink is the last stage, without edges: the runtime wires every task to it.
#[must_use]
pub fn plan(job: &Job) -> Plan {
    let mut build = Build { plan: Plan { stages: Vec::new(), edges: Vec::new() }, places: HashMap::new() };
    for (index, source) in job.sources.iter().enumerate() {
        let parallelism = match source.connector {
            SourceConnector::Generator(_) => job.parallelism,
            SourceConnector::File { .. } | SourceConnector::Stdio { .. } => 1,
        };
        build.start(parallelism, PlanNode::Node(NodeId::Source(index)), 1);
    }
    for (index, operator) in job.operators.iter().enumerate() {
        build.operator(job, NodeId::Operator(index), operator);
    }
    for (index, sink) in job.sinks.iter().enumerate() {
        let may_be_parallel = matches!(sink.connector, SinkConnector::Blackhole | SinkConnector::File { is_folder: true, .. });
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
        let columns = || operator.reads.clone();
        let parallelisms: Vec<u32> = operator.inputs.iter().map(|input| self.parallelism_of(*input)).collect();
        match (operator.inputs.as_slice(), parallelisms.as_slice()) {
            ([input], _) if operator.key_by.is_empty() => self.chain(node, outputs, *input, columns()),
            (inputs, _) if !operator.key_by.is_empty() => {
                let stage = self.start(job.parallelism, node, outputs);
                for input in inputs {
                    self.connect(*input, stage, Routing::Keyed(operator.key_by.clone()), columns());
                }
            }
            (inputs, parallelisms) => {
                let equal = parallelisms.iter().min().copied().filter(|least| parallelisms.iter().all(|tasks| tasks == least));
                let stage = self.start(equal.unwrap_or(1), node, outputs);
                let routing = if equal.is_some() { Routing::Forward } else { Routing::Gather };
                for input in inputs {
                    self.connect(*input, stage, routing.clone(), columns());
                }
            }
        }
    }

    fn sink(&mut self, node: PlanNode, input: Upstream, may_be_parallel: bool) {
        if may_be_parallel || self.parallelism_of(input) == 1 {
            self.chain(node, 0, input, None);
        } else {
            let stage = self.start(1, node, 0);
            self.connect(input, stage, Routing::Gather, None);
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

    fn connect(&mut self, input: Upstream, to: usize, routing: Routing, columns: Option<Vec<usize>>) {
        let edge = self.plan.edges.len();
        let from = self.places[&input.node].stage;
        self.plan.edges.push(Edge { from, to, routing, columns });
        self.targets(input).push(Target::Edge(edge));
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
