//! What each part of a job has done so far, and between two looks.

use std::time::{Duration, Instant};

use wasmill_job::graph::{Job, NodeId};
use wasmill_job::plan::{Plan, PlanNode, Stage};
use wasmill_runtime::{JobCounts, NodeCounts};

use crate::summary::lag_seconds;

/// Which stage runs each part of a job, by their places.
#[derive(Debug, Clone)]
pub struct Stages {
    pub sources: Vec<usize>,
    pub operators: Vec<usize>,
    pub sinks: Vec<usize>,
}

impl Stages {
    /// The stages of a plan.
    #[must_use]
    pub fn of(job: &Job, plan: &Plan) -> Self {
        let stage_of = |node: PlanNode| {
            let runs = |stage: &Stage| stage.nodes.iter().any(|each| each.node == node);
            plan.stages.iter().position(runs).unwrap_or_default()
        };
        Self {
            sources: (0..job.sources.len()).map(|index| stage_of(PlanNode::Node(NodeId::Source(index)))).collect(),
            operators: (0..job.operators.len()).map(|index| stage_of(PlanNode::Node(NodeId::Operator(index)))).collect(),
            sinks: (0..job.sinks.len()).map(|index| stage_of(PlanNode::Sink(index))).collect(),
        }
    }
}

/// A look at a job.
#[derive(Debug, Clone)]
pub struct Look {
    /// When.
    pub at: Instant,
    /// Sources, operators and sinks, in the order of the job.
    pub parts: Vec<Part>,
    /// Rows read, malformed ones too.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Dead letters.
    pub dead: u64,
}

/// What a part has done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Rows that it took; for a source those that it read.
    pub rows: u64,
    /// Time in its calls, over all tasks; for a source, whose calls aren't timed, the working time of its tasks.
    pub busy: Duration,
    /// Time that its tasks waited for room downstream.
    pub held_up: Duration,
    /// How many tasks run it; none when they aren't made yet.
    pub tasks: usize,
    /// Rows that wait before its stage.
    pub queued: usize,
    /// Keys with state.
    pub state_keys: u64,
    /// Bytes of state.
    pub state_bytes: u64,
    /// Dead letters.
    pub dead: u64,
    /// How far event time is behind the clock, in seconds; none where rows have none.
    pub lag: Option<f64>,
}

impl Look {
    /// Looks at a job.
    #[must_use]
    pub fn take(job: &Job, stages: &Stages, counts: &JobCounts) -> Self {
        let part = |name: &str, node: &NodeCounts, stage: usize| {
            let (state_keys, state_bytes) = node.state_totals();
            Part {
                name: name.to_owned(),
                rows: NodeCounts::get(&node.rows_in),
                busy: Duration::from_nanos(NodeCounts::get(&node.busy_nanos)),
                held_up: counts.spent(stage).held_up,
                tasks: counts.tasks(stage).len(),
                queued: counts.queued(stage).0,
                state_keys,
                state_bytes,
                dead: NodeCounts::get(&node.dead),
                lag: node.watermark().map(lag_seconds),
            }
        };
        let sources = job.sources.iter().zip(&counts.sources).zip(&stages.sources);
        let sources = sources.map(|((source, node), stage)| {
            let busy = counts.spent(*stage).working;
            Part { busy, ..part(&source.name, node, *stage) }
        });
        let operators = job.operators.iter().zip(&counts.operators).zip(&stages.operators);
        let operators = operators.map(|((operator, node), stage)| part(&operator.name, node, *stage));
        let sinks = job.sinks.iter().zip(&counts.sinks).zip(&stages.sinks);
        let sinks = sinks.map(|((sink, node), stage)| part(&sink.name, node, *stage));
        let sum = |nodes: &[NodeCounts], of: fn(&NodeCounts) -> u64| nodes.iter().map(of).sum::<u64>();
        Self {
            at: Instant::now(),
            parts: sources.chain(operators).chain(sinks).collect(),
            rows_in: sum(&counts.sources, |source| NodeCounts::get(&source.rows_in)),
            rows_out: sum(&counts.sinks, |sink| NodeCounts::get(&sink.rows_in)),
            dead: sum(&counts.sources, |source| NodeCounts::get(&source.dead))
                + sum(&counts.operators, |operator| NodeCounts::get(&operator.dead)),
        }
    }
}

/// How much a part did a second between two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pace {
    /// Rows a second.
    pub rows: f64,
    /// The share of its tasks' time that it was busy, from 0 to 1.
    pub busy: f64,
    /// The share that they were held up.
    pub held_up: f64,
}

impl Part {
    /// What this part did since an earlier look.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn since(&self, before: &Self, time: Duration) -> Pace {
        let (seconds, tasks) = (time.as_secs_f64(), self.tasks.max(1) as f64);
        if seconds <= 0.0 {
            return Pace::default();
        }
        let share = |now: Duration, before: Duration| (now.saturating_sub(before).as_secs_f64() / seconds / tasks).min(1.0);
        Pace {
            rows: self.rows.saturating_sub(before.rows) as f64 / seconds,
            busy: share(self.busy, before.busy),
            held_up: share(self.held_up, before.held_up),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_share_of_all_tasks_time() {
        let seconds = Duration::from_secs;
        let before = Part { rows: 100, busy: seconds(1), tasks: 2, ..Part::default() };
        let now = Part { rows: 300, busy: seconds(3), held_up: seconds(2), tasks: 2, ..Part::default() };
        assert_eq!(now.since(&before, seconds(2)), Pace { rows: 100.0, busy: 0.5, held_up: 0.5 });
        assert_eq!(now.since(&before, Duration::ZERO), Pace::default());
        assert_eq!(before.since(&now, seconds(1)).rows, 0.0);
    }
}
