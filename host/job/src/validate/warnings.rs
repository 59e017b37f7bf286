//! Warnings: what is probably an oversight in a job that can run.

use std::collections::HashSet;

use crate::graph::{Job, LATE_PORT, MAIN_PORT, NodeId, OnPoison, Upstream, WindowShape};
use crate::measure::show_duration;
use crate::problem::{Problems, code};
use crate::written::{self, Verb};

/// Warns about rows that nobody reads, and about dead letters that have nowhere to go.
pub fn warn(written: &written::Job, job: &Job, problems: &mut Problems) {
    let read: HashSet<Upstream> = job
        .operators
        .iter()
        .flat_map(|operator| operator.inputs.iter().flat_map(|input| input.from.iter().copied()))
        .chain(job.sinks.iter().map(|sink| sink.input))
        .collect();
    for (index, source) in written.sources.iter().enumerate() {
        if !read.contains(&Upstream { node: NodeId::Source(index), port: 0 }) {
            unread(&source.name, source.name.value.clone(), problems);
        }
    }
    for operator in &written.operators {
        let Some(index) = job.operators.iter().position(|resolved| resolved.name == operator.name.value) else { continue };
        let ports = &job.operators[index].ports;
        let is_read = |port: usize| read.contains(&Upstream { node: NodeId::Operator(index), port });
        // Who takes one part of a split may well leave the others.
        let is_split = matches!(operator.verb, Some(Verb::Split(_))) && (0..ports.len()).any(is_read);
        for (port, output) in ports.iter().enumerate() {
            // Late rows are counted; who needs them says so.
            let is_late = output.name == LATE_PORT
                && matches!(operator.verb, Some(Verb::Aggregate { .. } | Verb::Plugin { window: Some(_), .. }));
            if !is_read(port) && !is_split && !is_late {
                let name = &operator.name.value;
                let written = if output.name == MAIN_PORT { name.clone() } else { format!("{name}.{}", output.name) };
                unread(&operator.name, written, problems);
            }
        }
        if let Some(Verb::Aggregate { at_end: Some(spot), .. }) = &operator.verb
            && let Some(source) = endless(job, index)
        {
            problems.warning(code::NEVER_EMITS, spot).found("final").expected("input that ends").advice(format!(
                "`{source}` has no end, so that no row ever comes out; give it `rows` or `limit`, or leave `emit` out"
            ));
        }
        growing(operator, job, index, problems);
        if let Some(Verb::Aggregate { window: Some(window), .. } | Verb::Plugin { window: Some(window), .. }) = &operator.verb
            && let WindowShape::Even { size, slide, .. } = window.value.shape
            && slide > size
        {
            problems
                .warning(code::WINDOWS_LEAVE_GAPS, &window.spot)
                .found_to_be(format!("windows of {} every {}", show_duration(size), show_duration(slide)))
                .expected("a `slide` of at most the window's length")
                .advice("rows between windows are dropped, and counted as `skipped`");
        }
        if let Some(Verb::Plugin { on_poison, .. }) = &operator.verb
            && on_poison.value == OnPoison::DeadLetter
            && job.dead_letters.is_none()
        {
            problems
                .warning(code::NO_DEAD_LETTERS, &on_poison.spot)
                .found("dead-letter")
                .expected("`dead-letters` in the job, to take them")
                .advice("without it the first such row fails the job");
        }
    }
}

/// Warns about state that grows with every new key of rows that never end.
fn growing(operator: &written::Operator, job: &Job, index: usize, problems: &mut Problems) {
    let keyed = operator.inputs.iter().flatten().find_map(|input| input.key_by.as_ref().filter(|key| !key.is_empty()));
    let (Some(key), Some(source)) = (keyed, endless(job, index)) else { return };
    let keeps = &job.operators[index].keeps;
    if keeps.is_empty() {
        return;
    }
    let forgets = match &operator.verb {
        Some(Verb::Plugin { window: Some(_), .. }) => "have windows of some length, whose rows are forgotten",
        Some(Verb::Plugin { .. }) => "have the plugin forget it (`ExpiringState`)",
        _ => "count in a `window`, whose state is forgotten",
    };
    let names: Vec<&str> = key.iter().map(|column| column.value.as_str()).collect();
    let (keeps, names) = (keeps.join(", "), names.join(", "));
    problems
        .warning(code::STATE_GROWS, &key[0].spot)
        .found(names.clone())
        .expected("a key that has only so many values, or state that is forgotten")
        .advice(format!("`{source}` has no end, and {keeps} of each new {names} is kept for ever: {forgets}, or leave it so where they are few"));
}

/// A source without end that an operator reads, be it by others.
fn endless(job: &Job, operator: usize) -> Option<&str> {
    let mut ahead = vec![operator];
    let mut seen = HashSet::new();
    while let Some(operator) = ahead.pop() {
        for stream in job.operators[operator].inputs.iter().flat_map(|input| &input.from) {
            match stream.node {
                NodeId::Source(index) if job.sources[index].is_endless() => return Some(&job.sources[index].name),
                NodeId::Operator(index) if seen.insert(index) => ahead.push(index),
                NodeId::Source(_) | NodeId::Operator(_) => {}
            }
        }
    }
    None
}

fn unread(name: &crate::place::At<String>, output: String, problems: &mut Problems) {
    problems
        .warning(code::UNREAD_OUTPUT, &name.spot)
        .found(output)
        .expected("an operator or a sink that reads it")
        .advice("its rows are dropped");
}
