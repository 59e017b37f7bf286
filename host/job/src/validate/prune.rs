//! What a file of columns needn't read: columns that nobody reads, and rows that the filter behind it drops.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use crate::catalog::Catalog;
use crate::graph::{FormatIn, Job, NodeId, Source, SourceConnector, Upstream, Verb, WatermarkRule};

/// Narrows the sources that can leave out columns and rows, and what is behind them, to what somebody reads.
pub fn prune(mut job: Job, catalog: &dyn Catalog) -> Job {
    for index in 0..job.sources.len() {
        let SourceConnector::File { format: FormatIn::Columnar(_), .. } = job.sources[index].connector else { continue };
        let output = Upstream { node: NodeId::Source(index), port: 0 };
        // Rows that are left out would raise no watermark.
        if job.sources[index].limit.is_none() && job.sources[index].event_time.is_none() {
            job.sources[index].predicate = only_filter(&job, output);
        }
        let columns = job.sources[index].schema.fields().len();
        let Some(mut needed) = needed(&job, output, catalog) else { continue };
        needed.extend(time_columns(&job.sources[index], catalog));
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
            if let Some(time) = &mut source.event_time {
                time.column = kept.iter().position(|&kept| kept == time.column).unwrap_or(time.column);
            }
            narrow(&mut job, output, &kept);
        }
    }
    job
}

/// The columns that a source's event time needs.
fn time_columns(source: &Source, catalog: &dyn Catalog) -> Vec<usize> {
    let Some(time) = &source.event_time else { return Vec::new() };
    let read = match &time.watermarks {
        WatermarkRule::Expression(text) => catalog.expression(text, &source.schema).map(|checked| checked.reads),
        WatermarkRule::Behind(_) => return vec![time.column],
    };
    // It was checked before: what it reads is known.
    read.unwrap_or_default().into_iter().chain([time.column]).collect()
}

/// What the filter says that alone reads an output.
fn only_filter(job: &Job, output: Upstream) -> Option<String> {
    let mut readers = readers(job, output);
    let (Some((only, _)), None) = (readers.next(), readers.next()) else { return None };
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
    for (reader, input) in readers(job, output) {
        let operator = &job.operators[reader];
        let input = &operator.inputs[input];
        match &operator.verb {
            Verb::Filter(condition) if is_passed_on(job, reader) => {
                all.extend(catalog.expression(condition, &input.schema).ok()?.reads);
                all.extend(needed(job, main_output(reader), catalog)?);
            }
            _ if input.from.len() == 1 => all.extend(input.reads.as_ref()?),
            _ => return None,
        }
    }
    Some(all)
}

/// Tells the readers of an output that it has only these of its columns now.
fn narrow(job: &mut Job, output: Upstream, kept: &[usize]) {
    let place = |column: &usize| kept.iter().position(|kept| kept == column);
    for (reader, input) in readers(job, output).collect::<Vec<_>>() {
        let passed_on = is_passed_on(job, reader);
        let operator = &mut job.operators[reader];
        let input = &mut operator.inputs[input];
        input.schema = project(&input.schema, kept);
        input.key_by = input.key_by.iter().filter_map(place).collect();
        if passed_on {
            operator.ports[0].schema = Arc::clone(&input.schema);
            narrow(job, main_output(reader), kept);
        } else {
            let reads: Option<Vec<usize>> = input.reads.as_ref().map(|reads| reads.iter().filter_map(place).collect());
            input.reads = reads.filter(|reads| reads.len() < kept.len());
        }
    }
}

/// Whether an operator passes on the columns of its only input as they are.
fn is_passed_on(job: &Job, operator: usize) -> bool {
    let operator = &job.operators[operator];
    matches!(operator.verb, Verb::Filter(_)) && operator.input().from.len() == 1 && !operator.is_keyed()
}

/// The operators that read an output, and the input by which they do.
fn readers(job: &Job, output: Upstream) -> impl Iterator<Item = (usize, usize)> + '_ {
    let inputs =
        job.operators.iter().enumerate().flat_map(|(operator, of)| of.inputs.iter().enumerate().map(move |of| (operator, of)));
    inputs.filter(move |(_, (_, input))| input.from.contains(&output)).map(|(operator, (input, _))| (operator, input))
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
