//! Brings a job's tasks to where a checkpoint left them.

use futures_util::future::try_join_all;
use wasmill_checkpoint::{Manifest, SourcePosition, recovery};
use wasmill_connector::{Position, Prepared, Sink};
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::{KeyGroups, TaskIndex, Watermark};
use wasmill_job::graph::Job;
use wasmill_state::KeyedState;
use wasmill_time::Reached;

use crate::chain::{Chain, OperatorWork, Work};
use crate::counts::NodeCounts;
use crate::durability::Durability;
use crate::error::JobError;
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
    for task in tasks {
        if let (Head::Source(head), Some(manifest)) = (&mut task.head, &durability.restored) {
            restore_source(head, &task.chain.counts.sources[head.index], manifest)?;
        }
        restore_chain(job, &mut task.chain, durability).await?;
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

async fn restore_chain(job: &Job, chain: &mut Chain, durability: &Durability) -> Result<(), JobError> {
    let task = chain.task;
    for node in &mut chain.nodes {
        match &mut node.work {
            Work::Operator(work) => {
                let OperatorWork { context, ended, .. } = work.as_mut();
                *ended = durability
                    .restored
                    .as_ref()
                    .is_some_and(|manifest| manifest.ended.get(&*node.name).is_some_and(|ended| ended.has(task)));
                if let (Some(state), Some(manifest)) = (&mut context.state, &durability.restored) {
                    restore_state(&node.name, state.as_mut(), task, job.key_groups, manifest, durability).await?;
                    // Where the input had ended and has more now, its rows say how far event time is.
                    let reached = manifest.watermarks.get(&*node.name).map(|time| Watermark(*time));
                    context.watermark = reached.filter(|reached| *reached < Watermark::END).unwrap_or(Watermark::NONE);
                }
            }
            Work::Sink(_, sink, _) => recover(&node.name, sink.as_mut(), durability).await?,
            Work::Source => {}
        }
    }
    Ok(())
}

async fn restore_state(
    operator: &str,
    state: &mut dyn KeyedState,
    task: TaskIndex,
    groups: KeyGroups,
    manifest: &Manifest,
    durability: &Durability,
) -> Result<(), JobError> {
    let owned = groups.owned_by(task);
    for object in manifest.operators.get(operator).into_iter().flatten() {
        if object.end_group <= owned.start || object.first_group >= owned.end {
            continue;
        }
        let files = object.files().map(|file| durability.store.read_object(manifest.epoch, operator, file));
        let files = try_join_all(files).await?;
        let chain: Vec<&[u8]> = files.iter().map(|bytes| &bytes[..]).collect();
        state.restore(&chain, groups, owned.clone(), object.first_group..object.end_group).map_err(|error| JobError {
            operator: Some(operator.to_owned()),
            ..JobError::new("checkpoint-state", format!("operator `{operator}`, state file {}: {error}", object.name))
        })?;
        hit(Failpoint::StateRestored);
    }
    Ok(())
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
