//! A job and its plan as one object: what `explain --format json` prints, and what diagrams are drawn of.

use arrow_schema::Schema;
use serde::Serialize;
use wasmill_flow::column_type;

use super::guarantee::{self, Guarantee};
use super::{describe, output_name, stages, survives};
use crate::graph::{Input, Job, Operator, SinkConnector, Upstream, Verb};
use crate::plan::{Edge, Plan, PlanNode, Routing, Stage, Target};

/// What the dead letters' sink is called: the job's key.
const DEAD_LETTERS: &str = "dead-letters";

/// A job and its plan. Stages are counted from 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The job's name.
    pub job: String,
    /// Tasks of an operator that may be parallel.
    pub parallelism: u32,
    /// The number of key groups.
    pub max_parallelism: u32,
    /// The most rows that travel together.
    pub batch_rows: usize,
    /// The most bytes that travel together.
    pub batch_bytes: usize,
    /// Where rows come from.
    pub sources: Vec<SourcePart>,
    /// What happens to them.
    pub operators: Vec<OperatorPart>,
    /// Where they go; dead letters last, where the job has them.
    pub sinks: Vec<SinkPart>,
    /// What runs together in the same tasks.
    pub stages: Vec<StagePart>,
    /// Rows from node to node, by direct calls and over edges between tasks.
    pub flows: Vec<Flow>,
    /// What survives a kill of the process, in sentences.
    pub after_a_kill: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnPart {
    /// Its name.
    pub name: String,
    /// Its type, as a job file has it, with `not null`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourcePart {
    /// Its name.
    pub name: String,
    /// How it is read, in words.
    pub does: String,
    /// Its rows' columns.
    pub columns: Vec<ColumnPart>,
    /// The columns of its file that nobody reads, which are not checked.
    pub unread: Vec<String>,
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperatorPart {
    /// Its name.
    pub name: String,
    /// What it does, in words; its verb first.
    pub does: String,
    /// The file or directory of its plugin; none where it is built in.
    pub plugin: Option<String>,
    /// What it takes.
    pub inputs: Vec<InputPart>,
    /// What it gives; the main output first.
    pub outputs: Vec<OutputPart>,
}

/// An input of an operator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputPart {
    /// Its name; `main` where the job gives it none.
    pub name: String,
    /// Whose rows it has, by the names of sources and operators' outputs.
    pub from: Vec<String>,
    /// The columns that it is keyed by.
    pub key_by: Vec<String>,
    /// The columns that the operator is handed.
    pub reads: Vec<ColumnPart>,
}

/// An output of an operator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputPart {
    /// `main`, or the name in `operator.NAME`.
    pub name: String,
    /// Its rows' columns.
    pub columns: Vec<ColumnPart>,
}

/// A sink, or the dead letters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SinkPart {
    /// Its name.
    pub name: String,
    /// Whose rows it takes; none for dead letters, which come from every task.
    pub input: Option<String>,
    /// How it is written, in words.
    pub does: String,
    /// How often what comes of a row is in it, whenever the process is killed and the job started again.
    pub guarantee: Guarantee,
    /// Why, in words.
    pub because: String,
}

/// Nodes that run in the same tasks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StagePart {
    /// How many tasks.
    pub tasks: u32,
    /// The names of its nodes; rows come in at the first.
    pub nodes: Vec<String>,
}

/// How rows get from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// By a direct call within a task.
    Call,
    /// From each task to the task of the same number.
    Forward,
    /// To the only task.
    Gather,
    /// To every task.
    Broadcast,
    /// To the task that owns the key.
    Keyed,
}

/// Rows from one node to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flow {
    /// The node that gives them.
    pub from: String,
    /// The output that they are of.
    pub output: String,
    /// The node that takes them.
    pub to: String,
    /// The input of it that they are of; `main` where the job gives it no name.
    pub input: String,
    /// How they get there.
    pub way: Way,
    /// The columns by which their task is chosen.
    pub key: Vec<String>,
    /// Rows of a key may be combined before they are moved.
    pub combined: bool,
    /// The columns that are moved.
    pub columns: Vec<String>,
}

impl Explanation {
    /// Explains a job.
    #[must_use]
    pub fn of(job: &Job, plan: &Plan) -> Self {
        let mut sinks: Vec<SinkPart> =
            job.sinks.iter().map(|sink| sink_part(job, &sink.name, Some(sink.input), &sink.connector)).collect();
        sinks.extend(job.dead_letters.iter().map(|letters| sink_part(job, DEAD_LETTERS, None, &letters.connector)));
        Self {
            job: job.name.clone(),
            parallelism: job.parallelism,
            max_parallelism: job.key_groups.count(),
            batch_rows: job.batch.max_rows,
            batch_bytes: job.batch.max_bytes,
            sources: job
                .sources
                .iter()
                .map(|source| SourcePart {
                    name: source.name.clone(),
                    does: describe::source(&source.connector),
                    columns: columns(&source.schema),
                    unread: source.unread.clone(),
                })
                .collect(),
            operators: job.operators.iter().map(|operator| operator_part(job, operator)).collect(),
            sinks,
            stages: plan.stages.iter().map(|stage| stage_part(job, stage)).collect(),
            flows: flows(job, plan),
            after_a_kill: survives(job),
        }
    }
}

fn sink_part(job: &Job, name: &str, input: Option<Upstream>, connector: &SinkConnector) -> SinkPart {
    let guaranteed = guarantee::of_sink(job, input, connector);
    SinkPart {
        name: name.to_owned(),
        input: input.map(|input| output_name(job, input)),
        does: describe::sink(connector),
        guarantee: guaranteed.guarantee,
        because: guaranteed.because,
    }
}

fn operator_part(job: &Job, operator: &Operator) -> OperatorPart {
    OperatorPart {
        name: operator.name.clone(),
        does: describe::verb(&operator.verb),
        plugin: match &operator.verb {
            Verb::Plugin(plugin) | Verb::Window { plugin, .. } => Some(plugin.path.display().to_string()),
            _ => None,
        },
        inputs: operator.inputs.iter().map(|input| input_part(job, input)).collect(),
        outputs: operator
            .ports
            .iter()
            .map(|port| OutputPart { name: port.name.clone(), columns: columns(&port.schema) })
            .collect(),
    }
}

fn input_part(job: &Job, input: &Input) -> InputPart {
    let all = columns(&input.schema);
    InputPart {
        name: input.name.clone(),
        from: input.from.iter().map(|from| output_name(job, *from)).collect(),
        key_by: input.key_by.iter().map(|&column| input.schema.field(column).name().clone()).collect(),
        reads: match &input.reads {
            Some(reads) => reads.iter().map(|&column| all[column].clone()).collect(),
            None => all,
        },
    }
}

fn stage_part(job: &Job, stage: &Stage) -> StagePart {
    let nodes = stage.nodes.iter().map(|node| name(job, node.node).to_owned());
    StagePart { tasks: stage.parallelism, nodes: nodes.collect() }
}

fn flows(job: &Job, plan: &Plan) -> Vec<Flow> {
    let mut flows = Vec::new();
    for stage in &plan.stages {
        for node in &stage.nodes {
            for (port, target) in node.outputs.iter().enumerate().flat_map(|(port, to)| to.iter().map(move |to| (port, to))) {
                let Some((output, schema)) = stages::output(job, node.node, port) else { continue };
                let named = |columns: &[usize]| columns.iter().map(|&column| schema.field(column).name().clone()).collect();
                let moved = |columns: &Option<Vec<usize>>| match columns {
                    Some(columns) => named(columns),
                    None => schema.fields().iter().map(|field| field.name().clone()).collect(),
                };
                let (to, input, way, key, combined, columns) = match target {
                    Target::Chained { node, columns } => {
                        (stage.nodes[*node].node, 0, Way::Call, Vec::new(), false, moved(columns))
                    }
                    Target::Edge(edge) => {
                        let Edge { to, input, routing, columns, combined, .. } = &plan.edges[*edge];
                        let (way, key) = match routing {
                            Routing::Forward => (Way::Forward, Vec::new()),
                            Routing::Gather => (Way::Gather, Vec::new()),
                            Routing::Broadcast => (Way::Broadcast, Vec::new()),
                            Routing::Keyed(key) => (Way::Keyed, named(key)),
                        };
                        (first_of(&plan.stages[*to]), *input, way, key, *combined, moved(columns))
                    }
                };
                flows.push(Flow {
                    from: name(job, node.node).to_owned(),
                    output: output.to_owned(),
                    to: name(job, to).to_owned(),
                    input: stages::input(job, to, input).to_owned(),
                    way,
                    key,
                    combined,
                    columns,
                });
            }
        }
    }
    flows
}

/// A node's name: for dead letters the job's key.
fn name(job: &Job, node: PlanNode) -> &str {
    if node == PlanNode::DeadLetters { DEAD_LETTERS } else { stages::name(job, node) }
}

fn first_of(stage: &Stage) -> PlanNode {
    stage.nodes.first().map_or(PlanNode::DeadLetters, |node| node.node)
}

fn columns(schema: &Schema) -> Vec<ColumnPart> {
    let column = |field: &arrow_schema::FieldRef| ColumnPart { name: field.name().clone(), kind: column_type::describe(field) };
    schema.fields().iter().map(column).collect()
}
