//! What is in a sink after a kill, from its sources to it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::graph::{Job, NodeId, SinkConnector, SourceConnector, Upstream};

/// How often what comes of a row is in the output, whenever the process is killed and the job started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Once.
    ExactlyOnce,
    /// Once or more often.
    AtLeastOnce,
    /// Once or not at all.
    AtMostOnce,
    /// Nothing is said.
    None,
}

/// A guarantee and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guaranteed {
    /// How often.
    pub guarantee: Guarantee,
    /// Why, in words.
    pub because: String,
}

impl Guaranteed {
    /// In words, with the reason.
    #[must_use]
    pub fn words(&self) -> String {
        let how = match self.guarantee {
            Guarantee::ExactlyOnce => "exactly once",
            Guarantee::AtLeastOnce => "at least once",
            Guarantee::AtMostOnce => "at most once",
            Guarantee::None => "no guarantee",
        };
        format!("{how}: {}", self.because)
    }
}

/// What is guaranteed of a sink; its input is none for dead letters, which come from everywhere.
#[must_use]
pub fn of_sink(job: &Job, input: Option<Upstream>, connector: &SinkConnector) -> Guaranteed {
    let said = |guarantee, because: String| Guaranteed { guarantee, because };
    if matches!(connector, SinkConnector::Blackhole) {
        return said(Guarantee::None, "nothing is kept of its rows".to_owned());
    }
    if job.checkpoint.is_none() {
        return said(Guarantee::None, without_checkpoints(connector).to_owned());
    }
    let lost: Vec<&str> = (sources(job, input).into_iter().map(|index| &job.sources[index]))
        .filter(|source| matches!(source.connector, SourceConnector::Stdio { .. }))
        .map(|source| source.name.as_str())
        .collect();
    let lost = (!lost.is_empty()).then(|| format!("what {} had since the last checkpoint can't be read again", lost.join(", ")));
    let again = "what was printed can't be taken back, so that rows may come again";
    match (connector, lost) {
        (SinkConnector::Stdio { .. }, None) => said(Guarantee::AtLeastOnce, again.to_owned()),
        (SinkConnector::Stdio { .. }, Some(lost)) => said(Guarantee::None, format!("{lost}, and {again}")),
        (_, Some(lost)) => said(Guarantee::AtMostOnce, lost),
        (SinkConnector::Table(_), None) => {
            said(Guarantee::ExactlyOnce, "rows and their epoch are committed in one transaction".to_owned())
        }
        (_, None) => said(Guarantee::ExactlyOnce, "rows are seen once their checkpoint is complete".to_owned()),
    }
}

fn without_checkpoints(connector: &SinkConnector) -> &'static str {
    match connector {
        SinkConnector::Table(_) => "without a `checkpoint` a job begins anew, and adds to the table again",
        _ => "without a `checkpoint` a job begins anew",
    }
}

/// The sources that rows of an output come from; without one all.
fn sources(job: &Job, output: Option<Upstream>) -> BTreeSet<usize> {
    let Some(output) = output else { return (0..job.sources.len()).collect() };
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut open = vec![output.node];
    while let Some(node) = open.pop() {
        match node {
            NodeId::Source(index) => drop(found.insert(index)),
            NodeId::Operator(index) if seen.insert(index) => {
                open.extend(job.operators[index].inputs.iter().flat_map(|input| input.from.iter().map(|from| from.node)));
            }
            NodeId::Operator(_) => {}
        }
    }
    found
}
