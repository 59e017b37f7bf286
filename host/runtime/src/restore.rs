//! Brings a job's tasks to where a checkpoint left them.

use wasmill_checkpoint::{Manifest, SourcePosition, recovery};
use wasmill_connector::{Position, Prepared, Sink};
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::Watermark;
use wasmill_job::graph::Job;
use wasmill_time::Reached;

use crate::chain::{Chain, OperatorWork, Work};
use crate::counts::NodeCounts;
use crate::durability::Durability;
use crate::error::JobError;
use crate::restored_states::restore_states;
use crate::source_task::SourceHead;
use crate::stage_task::{Head, StageTask};

/// Restores sources, state and sinks; without a checkpoint, sinks start anew.
pub(crate) async fn restore(job: &Job, tasks: &mut [StageTask], durability: &Durability) -> Result<(), JobError> {
    if let Some(manifest) = &durability.restored {
        hit(Failpoint::RestoreBegins);
        let differences = recovery::check(manifest, &durability.facts, durability.fit)?;
        for operator in differences.plugins {
            tracing::info!(
                code = "plugin-changed",
                operator,
                epoch = manifest.epoch.0,
                "the plugin is another than at the checkpoint"
            );
        }
        for what in differences.left_out {
            tracing::warn!(
                code = "left-out",
                epoch = manifest.epoch.0,
                "{what} is in the checkpoint and not in the job: it is left out"
            );
        }
    }
    for task in &mut *tasks {
        if let (Head::Source(head), Some(manifest)) = (&mut task.head, &durability.restored) {
            restore_source(head, &task.chain.counts.sources[head.index], manifest)?;
        }
        restore_operators(&mut task.chain, durability);
    }
    if let Some(manifest) = &durability.restored {
        restore_states(tasks, job.key_groups, manifest, &durability.store).await?;
    }
    for task in tasks {
        for node in &mut task.chain.nodes {
            if let Work::Sink(_, sink, _) = &mut node.work {
                recover(&node.name, sink.as_mut(), durability).await?;
            }
        }
    }
    Ok(())
}

fn restore_source(head: &mut SourceHead, counts: &NodeCounts, manifest: &Manifest) -> Result<(), JobError> {
    // They are in the order of tasks. A source that the checkpoint doesn't have is new.
    let then: Vec<&SourcePosition> = manifest.sources.iter().filter(|part| *part.source == *head.name).collect();
    if !head.source.replays() {
        tracing::warn!(
            code = "source-not-replayable",
            source = &*head.name,
            "the source can't go back to where the checkpoint left it: rows that were in flight are lost"
        );
        return Ok(());
    }
    let task = head.task;
    let from = if then.len() == task.of as usize {
        let own = task.index as usize;
        head.source.seek(&Position(then[own].position.clone())).map(|()| vec![own])
    } else if then.is_empty() {
        return Ok(());
    } else {
        let positions: Vec<Position> = then.iter().map(|then| Position(then.position.clone())).collect();
        head.source.take_over(&positions, task)
    };
    let from = from.map_err(|error| JobError::connector(&head.name, error))?;
    // Of several, event time is where the one was that was furthest behind: what wasn't late there isn't late here.
    let reached = from.into_iter().map(|index| Reached { largest: then[index].largest_time, ahead: then[index].ahead });
    if let (Some(time), Some(least)) = (&mut head.time, reached.min_by_key(|reached| reached.largest)) {
        head.resumed = time.resume(least);
        time.hold(head.source.holds_time());
    }
    NodeCounts::add(&counts.restored, head.source.done());
    Ok(())
}

/// What operators know beside their state.
fn restore_operators(chain: &mut Chain, durability: &Durability) {
    let Some(manifest) = &durability.restored else { return };
    for node in &mut chain.nodes {
        let Work::Operator(work) = &mut node.work else { continue };
        let OperatorWork { context, ended, .. } = work.as_mut();
        *ended = manifest.ended.get(&*node.name).is_some_and(|ended| ended.has(chain.task));
        if context.state.is_some() {
            // Where the input had ended and has more now, its rows say how far event time is.
            let reached = manifest.watermarks.get(&*node.name).map(|time| Watermark(*time));
            context.watermark = reached.filter(|reached| *reached < Watermark::END).unwrap_or(Watermark::NONE);
        }
    }
}

async fn recover(name: &str, sink: &mut dyn Sink, durability: &Durability) -> Result<(), JobError> {
    // They are in the order of tasks. A sink that the checkpoint doesn't have is new.
    let parts = durability.restored.iter().flat_map(|manifest| &manifest.sinks).filter(|part| part.sink == name);
    let last: Vec<Prepared> = parts.map(|part| Prepared(part.prepared.clone())).collect();
    hit(Failpoint::SinkRecovers);
    sink.recover((!last.is_empty()).then_some(&*last)).await.map_err(|error| JobError::connector(name, error))?;
    hit(Failpoint::SinkRecovered);
    Ok(())
}
