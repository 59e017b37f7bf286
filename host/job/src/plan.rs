//! What runs: the job's graph as stages of chained nodes, and the edges between them.
//!
//! Nodes without a repartition between them are chained into one stage; each of its tasks runs them by direct calls. A stage starts
//! at a source, at an operator that is keyed or reads several streams, or at a sink whose input is parallel.

mod build;

use crate::graph::NodeId;

pub use build::plan;

/// What runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Stages in topological order.
    pub stages: Vec<Stage>,
    /// Edges between them.
    pub edges: Vec<Edge>,
}

/// A chain of nodes that run in the same tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// How many tasks.
    pub parallelism: u32,
    /// Its nodes in topological order; the first is where rows come in.
    pub nodes: Vec<StageNode>,
}

/// A node of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StageNode {
    /// Which source, operator or sink.
    pub node: PlanNode,
    /// For each output, in order, where its rows go.
    pub outputs: Vec<Vec<Target>>,
}

/// A source or operator, or a sink by its place in [`crate::graph::Job::sinks`], or the job's dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlanNode {
    /// A source or an operator.
    Node(NodeId),
    /// Index of a sink.
    Sink(usize),
    /// The dead letters' sink: a stage of its own, which every task can reach.
    DeadLetters,
}

/// Where rows of an output go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a node of the same stage, by a direct call.
    Chained {
        /// Index in [`Stage::nodes`].
        node: usize,
        /// Indices of the columns that are handed over; `None` for all.
        columns: Option<Vec<usize>>,
    },
    /// To another stage.
    Edge(usize),
}

/// Rows from one stage to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Index of the stage that sends.
    pub from: usize,
    /// Index of the stage that receives; rows go to its first node.
    pub to: usize,
    /// Which input of that node they are of.
    pub input: usize,
    /// Which task gets which row.
    pub routing: Routing,
    /// Indices of the columns that are moved; `None` for all.
    pub columns: Option<Vec<usize>>,
    /// Rows of a key may be combined before they are sent.
    pub combined: bool,
}

/// Which task gets which row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// Task `i` to task `i`, counted round where the receiving stage has fewer.
    Forward,
    /// To the only task.
    Gather,
    /// To every task.
    Broadcast,
    /// By the key group of these columns (indices among the columns of the sender, before [`Edge::columns`]).
    Keyed(Vec<usize>),
}
