//! A job and its plan explained: as text for people, as one object for programs, as diagrams.

mod describe;
mod diagram;
mod graph;
mod guarantee;
mod stages;

use std::fmt::Write;

use crate::graph::{Checkpoint, Job, MAIN_PORT, NodeId, SourceConnector, StorePlace, Upstream};
use crate::measure::{show_duration, show_size};
use crate::plan::Plan;

pub use graph::{ColumnPart, Explanation, Flow, InputPart, OperatorPart, OutputPart, SinkPart, SourcePart, StagePart, Way};
pub use guarantee::{Guarantee, Guaranteed};

/// Explains a job. The text is for people and may change; it ends with a newline.
#[must_use]
pub fn explain(job: &Job, plan: &Plan) -> String {
    let mut out = String::new();
    let batch = format!("{} rows or {}", job.batch.max_rows, show_size(job.batch.max_bytes as u64));
    let groups = job.key_groups.count();
    line(
        &mut out,
        0,
        &format!("job {}: parallelism {}, {groups} key groups, batches of at most {batch}", job.name, job.parallelism),
    );

    line(&mut out, 0, "\nsources");
    for source in &job.sources {
        let limit = source.limit.map_or_else(String::new, |limit| format!(", at most {limit} rows"));
        line(&mut out, 1, &format!("{}: {}{limit}", source.name, describe::source(&source.connector)));
        line(&mut out, 2, &format!("out: {}", describe::columns(&source.schema)));
        if let Some(time) = &source.event_time {
            line(&mut out, 2, &describe::event_time(time, &source.schema));
        }
        if !source.unread.is_empty() {
            line(&mut out, 2, &format!("not read, and so not checked: {}", source.unread.join(", ")));
        }
        if let Some(condition) = &source.predicate {
            line(&mut out, 2, &format!("left out where statistics say so: rows without {condition}"));
        }
    }
    if !job.operators.is_empty() {
        line(&mut out, 0, "\noperators");
    }
    for operator in &job.operators {
        line(&mut out, 1, &format!("{}: {}", operator.name, describe::verb(&operator.verb)));
        for input in &operator.inputs {
            let name = if input.name == MAIN_PORT { "in".to_owned() } else { format!("in .{}", input.name) };
            let from: Vec<String> = input.from.iter().map(|from| output_name(job, *from)).collect();
            let key: Vec<&str> = input.key_by.iter().map(|&index| input.schema.field(index).name().as_str()).collect();
            let key = if key.is_empty() { String::new() } else { format!(", by key {}", key.join(", ")) };
            line(&mut out, 2, &format!("{name}: {} ({}){key}", from.join(" and "), describe::columns(&input.schema)));
        }
        for port in &operator.ports {
            let name = if port.name == MAIN_PORT { "out".to_owned() } else { format!("out .{}", port.name) };
            line(&mut out, 2, &format!("{name}: {}", describe::columns(&port.schema)));
        }
    }
    line(&mut out, 0, "\nsinks");
    for sink in &job.sinks {
        let input = output_name(job, sink.input);
        line(&mut out, 1, &format!("{}: {input} to {}", sink.name, describe::sink(&sink.connector)));
    }
    match &job.dead_letters {
        Some(letters) => {
            let limit = letters.limit.map_or_else(String::new, |limit| format!("; more than {limit} fail the job"));
            line(&mut out, 1, &format!("dead letters: to {}{limit}", describe::sink(&letters.connector)));
        }
        None => line(&mut out, 1, "dead letters: none; the first row that can't be read or processed fails the job"),
    }
    line(&mut out, 0, "\nstages");
    stages::explain(job, plan, &mut out);
    line(&mut out, 0, "\nafter a kill");
    for sentence in survives(job) {
        line(&mut out, 1, &sentence);
    }
    for sink in &job.sinks {
        let guaranteed = guarantee::of_sink(job, Some(sink.input), &sink.connector);
        line(&mut out, 1, &format!("{}: {}", sink.name, guaranteed.words()));
    }
    if let Some(letters) = &job.dead_letters {
        line(&mut out, 1, &format!("dead letters: {}", guarantee::of_sink(job, None, &letters.connector).words()));
    }
    out
}

/// What survives a kill of the process, in sentences.
#[must_use]
pub fn survives(job: &Job) -> Vec<String> {
    let Some(Checkpoint { every, store, retain, .. }) = &job.checkpoint else {
        return vec!["nothing survives a kill: the job has no `checkpoint`".to_owned()];
    };
    let mut sentences = vec![format!(
        "state, positions and output files go back to the last checkpoint: every {}, in {}, {retain} kept",
        show_duration(*every),
        store
    )];
    if *store == StorePlace::Url("memory:".to_owned()) {
        sentences[0] = "nothing survives a kill: checkpoints are kept in memory".to_owned();
    }
    let inputs = job.sources.iter().filter(|source| matches!(source.connector, SourceConnector::Stdio { .. }));
    sentences
        .extend(inputs.map(|source| format!("{}: standard input can't be read again; what was read since is lost", source.name)));
    sentences
}

/// The name of an output as a job file would have it.
fn output_name(job: &Job, output: Upstream) -> String {
    match output.node {
        NodeId::Source(index) => job.sources[index].name.clone(),
        NodeId::Operator(index) => {
            let operator = &job.operators[index];
            match operator.ports[output.port].name.as_str() {
                MAIN_PORT => operator.name.clone(),
                port => format!("{}.{port}", operator.name),
            }
        }
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let (blank, text) = text.strip_prefix('\n').map_or(("", text), |text| ("\n", text));
    let _ = writeln!(out, "{blank}{}{text}", "  ".repeat(depth));
}
