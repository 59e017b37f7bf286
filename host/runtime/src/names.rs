//! The names of a job's parts, by their places: what checkpoints know them by.

use wasmill_job::graph::Job;

use crate::factory::SinkId;

/// The names of a job's parts.
#[derive(Debug)]
pub(crate) struct Names {
    pub sources: Vec<String>,
    pub operators: Vec<String>,
    sinks: Vec<String>,
}

/// What the dead letters' sink is called; no sink of a job can be, since its name space is the same as that of the job's keys.
pub const DEAD_LETTERS: &str = "dead-letters";

impl Names {
    pub fn of(job: &Job) -> Self {
        Self {
            sources: job.sources.iter().map(|source| source.name.clone()).collect(),
            operators: job.operators.iter().map(|operator| operator.name.clone()).collect(),
            sinks: job.sinks.iter().map(|sink| sink.name.clone()).collect(),
        }
    }

    pub fn sink(&self, sink: SinkId) -> String {
        match sink {
            SinkId::Sink(index) => self.sinks[index].clone(),
            SinkId::DeadLetters => DEAD_LETTERS.to_owned(),
        }
    }
}
