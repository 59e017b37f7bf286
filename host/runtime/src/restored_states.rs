//! Brings operators' state to where a checkpoint left it: that of several tasks at once, for it is what takes long.

use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio::task::JoinSet;
use wasmill_checkpoint::{Manifest, Store};
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::{KeyGroups, TaskIndex};
use wasmill_state::KeyedState;

use crate::chain::Work;
use crate::error::JobError;
use crate::job_run::panicked;
use crate::stage_task::StageTask;

/// States that are restored at once. The files of each are in memory meanwhile, beside what is made of them.
const AT_ONCE: usize = 4;

/// The state of an operator's task, out of its place while it is restored.
struct Taken {
    /// The places of the task and of the operator in its chain.
    place: (usize, usize),
    operator: String,
    task: TaskIndex,
    state: Box<dyn KeyedState>,
}

/// Restores the state of all tasks' operators. When it returns nothing of it goes on.
pub(crate) async fn restore_states(
    tasks: &mut [StageTask],
    groups: KeyGroups,
    manifest: &Manifest,
    store: &Arc<Store>,
) -> Result<(), JobError> {
    let manifest = Arc::new(manifest.clone());
    let begin = |taken| restored(taken, groups, Arc::clone(&manifest), Arc::clone(store));
    let mut waiting = take(tasks).into_iter();
    let mut under_way: JoinSet<_> = waiting.by_ref().take(AT_ONCE).map(begin).collect();
    let mut failed = None;
    while let Some(done) = under_way.join_next().await {
        match done.map_err(panicked).flatten() {
            Ok(Taken { place: (task, node), state, .. }) => {
                if let Work::Operator(work) = &mut tasks[task].chain.nodes[node].work {
                    work.context.state = Some(state);
                }
                if failed.is_none()
                    && let Some(next) = waiting.next()
                {
                    under_way.spawn(begin(next));
                }
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Takes all states out of their places.
fn take(tasks: &mut [StageTask]) -> Vec<Taken> {
    let mut all = Vec::new();
    for (index, task) in tasks.iter_mut().enumerate() {
        for (node, work) in task.chain.nodes.iter_mut().enumerate() {
            if let Work::Operator(operator) = &mut work.work
                && let Some(state) = operator.context.state.take()
            {
                all.push(Taken { place: (index, node), operator: work.name.to_string(), task: task.chain.task, state });
            }
        }
    }
    all
}

async fn restored(mut taken: Taken, groups: KeyGroups, manifest: Arc<Manifest>, store: Arc<Store>) -> Result<Taken, JobError> {
    let Taken { operator, task, state, .. } = &mut taken;
    let owned = groups.owned_by(*task);
    for object in manifest.operators.get(operator).into_iter().flatten() {
        if object.end_group <= owned.start || object.first_group >= owned.end {
            continue;
        }
        let files = object.files().map(|file| store.read_object(manifest.epoch, operator, file));
        let files = try_join_all(files).await?;
        let chain: Vec<&[u8]> = files.iter().map(|bytes| &bytes[..]).collect();
        state.restore(&chain, groups, owned.clone(), object.first_group..object.end_group).map_err(|error| JobError {
            operator: Some(operator.clone()),
            ..JobError::new("checkpoint-state", format!("operator `{operator}`, state file {}: {error}", object.name))
        })?;
        hit(Failpoint::StateRestored);
    }
    Ok(taken)
}
