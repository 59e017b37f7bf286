//! The stages of a plan as text: which nodes run together, in how many tasks, and what comes to them how.

use arrow_schema::Schema;

use super::line;
use crate::graph::{Job, MAIN_PORT, NodeId};
use crate::plan::{Plan, PlanNode, Routing, Stage, StageNode, Target};

/// Writes a paragraph for each stage.
pub fn explain(job: &Job, plan: &Plan, out: &mut String) {
    for (index, stage) in plan.stages.iter().enumerate() {
        let tasks = if stage.parallelism == 1 { "1 task".to_owned() } else { format!("{} tasks", stage.parallelism) };
        line(out, 1, &format!("{}: {tasks}: {}", index + 1, chains(job, stage)));
        for (number, edge) in plan.edges.iter().enumerate().filter(|(_, edge)| edge.to == index) {
            let Some(schema) = sent_by(job, plan, number) else { continue };
            let routing = match &edge.routing {
                Routing::Forward => "task to task".to_owned(),
                Routing::Gather => "gathered".to_owned(),
                Routing::Broadcast => "broadcast".to_owned(),
                Routing::Keyed(columns) => format!("by key {}", names(schema, columns).join(", ")),
            };
            let combined = if edge.combined { ", rows of a key combined beforehand" } else { "" };
            let input = stage.nodes.first().map_or(MAIN_PORT, |head| input(job, head.node, edge.input));
            let into = if input == MAIN_PORT { String::new() } else { format!(" into {input}") };
            let moved = moved(schema, edge.columns.as_deref());
            line(out, 2, &format!("from stage {}{into}, {routing}{combined}: {moved}", edge.from + 1));
        }
        if stage.nodes.iter().any(|node| node.node == PlanNode::DeadLetters) {
            line(out, 2, "from every task: rows that can't be read or processed");
        }
    }
}

/// A stage's nodes: in a row where each hands its rows to the next, else every direct call.
fn chains(job: &Job, stage: &Stage) -> String {
    if stage.nodes.windows(2).enumerate().all(|(index, pair)| called(&pair[0]) == [index + 1]) {
        return stage.nodes.iter().map(|node| name(job, node.node)).collect::<Vec<_>>().join(" -> ");
    }
    let calls = stage.nodes.iter().flat_map(|node| called(node).into_iter().map(move |to| (node.node, to)));
    let calls = calls.map(|(from, to)| format!("{} -> {}", name(job, from), name(job, stage.nodes[to].node)));
    calls.collect::<Vec<_>>().join(", ")
}

/// Indices of the nodes that a node hands rows to by a direct call.
fn called(node: &StageNode) -> Vec<usize> {
    let target = |target: &Target| match target {
        Target::Chained { node, .. } => Some(*node),
        Target::Edge(_) => None,
    };
    node.outputs.iter().flatten().filter_map(target).collect()
}

/// A node's name, in words.
pub fn name(job: &Job, node: PlanNode) -> &str {
    match node {
        PlanNode::Node(NodeId::Source(index)) => &job.sources[index].name,
        PlanNode::Node(NodeId::Operator(index)) => &job.operators[index].name,
        PlanNode::Sink(index) => &job.sinks[index].name,
        PlanNode::DeadLetters => "dead letters",
    }
}

/// The columns of the output that sends on an edge.
fn sent_by<'a>(job: &'a Job, plan: &Plan, edge: usize) -> Option<&'a Schema> {
    let sender = plan.stages.iter().flat_map(|stage| &stage.nodes).find_map(|node| {
        let port = node.outputs.iter().position(|targets| targets.contains(&Target::Edge(edge)))?;
        Some((node.node, port))
    });
    let (node, port) = sender?;
    output(job, node, port).map(|(_, schema)| schema)
}

/// An output's name and columns; `None` for a sink, which has none.
pub fn output(job: &Job, node: PlanNode, port: usize) -> Option<(&str, &Schema)> {
    match node {
        PlanNode::Node(NodeId::Source(index)) => Some((MAIN_PORT, &job.sources[index].schema)),
        PlanNode::Node(NodeId::Operator(index)) => {
            job.operators[index].ports.get(port).map(|port| (port.name.as_str(), &*port.schema))
        }
        PlanNode::Sink(_) | PlanNode::DeadLetters => None,
    }
}

/// An input's name; [`MAIN_PORT`] where it has none.
pub fn input(job: &Job, node: PlanNode, input: usize) -> &str {
    match node {
        PlanNode::Node(NodeId::Operator(index)) => &job.operators[index].inputs[input].name,
        PlanNode::Node(NodeId::Source(_)) | PlanNode::Sink(_) | PlanNode::DeadLetters => MAIN_PORT,
    }
}

fn moved(schema: &Schema, columns: Option<&[usize]>) -> String {
    let all = schema.fields().len();
    match columns {
        None => format!("all columns ({all})"),
        Some(columns) => format!("{} ({} of {all} columns)", names(schema, columns).join(", "), columns.len()),
    }
}

fn names<'a>(schema: &'a Schema, columns: &[usize]) -> Vec<&'a str> {
    columns.iter().map(|&index| schema.field(index).name().as_str()).collect()
}
