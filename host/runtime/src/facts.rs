//! A job as its checkpoints describe it.

use std::collections::BTreeMap;

use wasmill_checkpoint::{JobFacts, StateFacts};
use wasmill_flow::key;
use wasmill_job::graph::{Aggregate, Input, Job, MAIN_PORT, NodeId, Verb};
use wasmill_job::plan::{Plan, PlanNode};

use crate::names::DEAD_LETTERS;

/// Describes a job: `states` are what operators that keep state keep, `plugins` the digests of plugins, both by their operators' places.
#[must_use]
pub fn facts(job: &Job, plan: &Plan, states: &BTreeMap<usize, StateFacts>, plugins: &BTreeMap<usize, String>) -> JobFacts {
    let operator = |index: &usize| job.operators[*index].name.clone();
    let mut facts = JobFacts {
        name: job.name.clone(),
        plan: what_it_does(job),
        key_groups: job.key_groups.count(),
        parallelism: job.parallelism,
        sources: BTreeMap::new(),
        stateful: states.keys().map(operator).collect(),
        sinks: BTreeMap::new(),
        plugins: plugins.iter().map(|(index, digest)| (operator(index), digest.clone())).collect(),
        states: states.iter().map(|(index, state)| (operator(index), state.clone())).collect(),
    };
    for stage in &plan.stages {
        for node in &stage.nodes {
            match node.node {
                PlanNode::Node(NodeId::Source(index)) => {
                    facts.sources.insert(job.sources[index].name.clone(), stage.parallelism);
                }
                PlanNode::Sink(index) => {
                    facts.sinks.insert(job.sinks[index].name.clone(), stage.parallelism);
                }
                PlanNode::DeadLetters => {
                    facts.sinks.insert(DEAD_LETTERS.to_owned(), stage.parallelism);
                }
                PlanNode::Node(NodeId::Operator(_)) => {}
            }
        }
    }
    facts
}

/// A hash of what the job does with its rows: sources and their columns, operators and what they do, what each reads. Not where a plugin
/// lies nor what is in it, not parallelism, not where sinks write.
fn what_it_does(job: &Job) -> String {
    let columns = |schema: &arrow_schema::Schema| {
        schema
            .fields()
            .iter()
            .map(|field| format!("{} {}", field.name(), wasmill_flow::column_type::describe(field)))
            .collect::<Vec<_>>()
    };
    let mut text = String::new();
    for source in &job.sources {
        text += &format!("source {:?} {:?} {:?}\n", source.name, source.connector, columns(&source.schema));
    }
    for operator in &job.operators {
        let verb = match &operator.verb {
            Verb::Plugin(plugin) => format!("plugin {}", plugin.settings),
            Verb::Window { plugin, window } => format!("window function {} {window:?}", plugin.settings),
            Verb::Aggregate { columns, at_end, retract_where, window } => {
                let column = |(name, by): &(String, Aggregate)| match by {
                    Aggregate::Sql(text) => format!("{name:?} {text:?}"),
                    Aggregate::Plugin(by) => format!("{name:?} plugin {} {:?}", by.plugin.settings, by.names),
                };
                let back = retract_where.as_ref().map_or_else(String::new, |text| format!(" retract-where {text:?}"));
                format!("aggregate {:?} {at_end} {window:?}{back}", columns.iter().map(column).collect::<Vec<_>>())
            }
            other => format!("{other:?}"),
        };
        let input = |input: &Input| {
            let name = if input.name == MAIN_PORT { String::new() } else { format!("{:?} ", input.name) };
            format!("{name}{:?} {:?}", input.from, input.key_by)
        };
        let inputs: Vec<String> = operator.inputs.iter().map(input).collect();
        text += &format!("operator {:?} {} {verb}\n", operator.name, inputs.join(" "));
    }
    for sink in &job.sinks {
        text += &format!("sink {:?} {:?}\n", sink.name, sink.input);
    }
    format!("{:016x}", key::hash(text.as_bytes()))
}
