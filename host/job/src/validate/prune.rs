//! What a file of columns needn't read: columns that nobody reads, and rows that the filter behind it drops.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use crate::catalog::Catalog;
use crate::graph::{FormatIn, Job, NodeId, SourceConnector, Upstream, Verb};

/// Narrows the sources that can leave out columns and rows, and what is behind them, to what somebody reads.
pub fn prune(mut job: Job, catalog: &dyn Catalog) -> Job {
    for index in 0..job.sources.len() {
        let SourceConnector::File { format: FormatIn::Columnar(_), .. } = job.sources[index].connector else { continue };
        let output = Upstream { node: NodeId::Source(index), port: 0 };
        if job.sources[index].limit.is_none() {
            job.sources[index].predicate = only_filter(&job, output);
        }
        let columns = job.sources[index].schema.fields().len();
        let Some(mut needed) = needed(&job, output, catalog) else { continue };
        if needed.is_empty() {
            // Rows without columns have no number.
            needed.insert(0);
        }
        if needed.len() < columns {
            let kept: Vec<usize> = needed.into_iter().collect();
            let source = &mut job.sources[index];
            let unread = source.schema.fields().iter().enumerate().filter(|(column, _)| !kept.contains(column));
            source.unread = unread.map(|(_, field)| field.name().clone()).collect();
            source.schema = project(&source.schema, &kept);
            narrow(&mut job, output, &kept);
        }
    }
    job
}

/// What the filter says that alone reads an output.
fn only_filter(job: &Job, output: Upstream) -> Option<String> {
    let mut readers = readers(job, output);
    let (Some(only), None) = (readers.next(), readers.next()) else { return None };
    match &job.operators[only].verb {
        Verb::Filter(condition) if is_passed_on(job, only) && !feeds_a_sink(job, output) => Some(condition.clone()),
        _ => None,
    }
}

/// The columns of an output that somebody reads; `None` for all.
fn needed(job: &Job, output: Upstream, catalog: &dyn Catalog) -> Option<BTreeSet<usize>> {
    if feeds_a_sink(job, output) {
        return None;
    }
    let mut all = BTreeSet::new();
    for reader in readers(job, output) {
        let operator = &job.operators[reader];
        match &operator.verb {
            Verb::Filter(condition) if is_passed_on(job, reader) => {
                all.extend(catalog.expression(condition, &operator.input_schema).ok()?.reads);
                all.extend(needed(job, main_output(reader), catalog)?);
            }
            _ if operator.inputs.len() == 1 => all.extend(operator.reads.as_ref()?),
            _ => return None,
        }
    }
    Some(all)
}

/// Tells the readers of an output that it has only these of its columns now.
fn narrow(job: &mut Job, output: Upstream, kept: &[usize]) {
    let place = |column: &usize| kept.iter().position(|kept| kept == column);
    for reader in readers(job, output).collect::<Vec<_>>() {
        let passed_on = is_passed_on(job, reader);
        let operator = &mut job.operators[reader];
        operator.input_schema = project(&operator.input_schema, kept);
        operator.key_by = operator.key_by.iter().filter_map(place).collect();
        if passed_on {
            operator.ports[0].schema = Arc::clone(&operator.input_schema);
            narrow(job, main_output(reader), kept);
        } else {
            let reads: Option<Vec<usize>> = operator.reads.as_ref().map(|reads| reads.iter().filter_map(place).collect());
            operator.reads = reads.filter(|reads| reads.len() < kept.len());
        }
    }
}

/// Whether an operator passes on the columns of its only input as they are.
fn is_passed_on(job: &Job, operator: usize) -> bool {
    let operator = &job.operators[operator];
    matches!(operator.verb, Verb::Filter(_)) && operator.inputs.len() == 1 && operator.key_by.is_empty()
}

fn readers(job: &Job, output: Upstream) -> impl Iterator<Item = usize> + '_ {
    job.operators.iter().enumerate().filter(move |(_, operator)| operator.inputs.contains(&output)).map(|(index, _)| index)
}

fn feeds_a_sink(job: &Job, output: Upstream) -> bool {
    job.sinks.iter().any(|sink| sink.input == output)
}

fn main_output(operator: usize) -> Upstream {
    Upstream { node: NodeId::Operator(operator), port: 0 }
}

fn project(schema: &SchemaRef, columns: &[usize]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|&column| schema.field(column).clone()).collect::<Vec<_>>()))
}
