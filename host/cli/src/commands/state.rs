//! `wasmill state read`: what a checkpoint has of an operator's keys, a line each, without the job.

mod chain;
mod lines;
mod values;

use wasmill_checkpoint::{Location, Manifest, StateFacts, Store};
use wasmill_flow::KeyGroups;
use wasmill_flow::key::hash;
use wasmill_operator::{Space, StateForm, StateReader};
use wasmill_runtime::JobError;
use wasmill_state::{KeyedState, StateKind};

use self::chain::{Keys, restored};
use self::lines::Lines;
use self::values::values;
use crate::arguments::StateReadArgs;
use crate::commands::checkpoints;
use crate::exit::Exit;
use crate::report;

/// What is known of an operator's state beside its bytes.
struct Known {
    /// The columns of its keys; none where the checkpoint doesn't say.
    key: Option<Vec<(String, String)>>,
    /// Whether keys are in spaces, and in what; nothing where that isn't known.
    space: Option<Option<Space>>,
    reader: Option<StateReader>,
}

/// Prints what is asked for.
pub fn read(args: &StateReadArgs) -> Exit {
    match checkpoints::runtime().and_then(|runtime| runtime.block_on(print(args))) {
        Ok(()) => Exit::Done,
        Err(error) => {
            report::error(&error);
            if error.code == "invalid-key" { Exit::Wrong } else { Exit::Failed }
        }
    }
}

async fn print(args: &StateReadArgs) -> Result<(), JobError> {
    let StateReadArgs { operator, state: wanted, .. } = args;
    let store = Store::look(&Location::of(&args.store)).await?;
    let manifest = find(&store, args.at.as_deref()).await?;
    let epoch = manifest.epoch;
    let missing = |what: String| JobError::new("state-not-found", format!("{}: checkpoint {epoch} {what}", args.store));
    let Some(chains) = manifest.operators.get(operator) else {
        let there = listed("it does of", manifest.operators.keys().map(String::as_str));
        return Err(missing(format!("holds no state of operator `{operator}`; {there}")));
    };
    let Known { key, space, mut reader } = known(manifest.job.states.get(operator));
    let lines = Lines::new(key.as_deref(), space.flatten(), args.format, wanted.is_none())?;
    let only = args.key.as_deref().map(|key| lines.encode(key)).transpose()?;
    let groups = KeyGroups::new(manifest.job.key_groups).ok_or_else(|| missing("has no key groups".to_owned()))?;
    let mut broadcast = false;
    for chain in chains {
        if only.as_ref().is_some_and(|key| !chain.groups().contains(&groups.group(hash(key)))) {
            continue;
        }
        let mut files = Vec::new();
        for file in chain.files() {
            files.push(store.read_object(epoch, operator, file).await?);
        }
        let mut state = restored(&files, space.map(|space| space.is_some())).map_err(|error| {
            JobError::new("checkpoint-state", format!("operator `{operator}`, state file {}: {error}", chain.name))
        })?;
        drop(files);
        let states = state.states().to_vec();
        if let Some(wanted) = wanted.as_ref().filter(|wanted| states.iter().all(|state| state.name != **wanted)) {
            let there = listed("it has", states.iter().map(|state| state.name.as_str()));
            return Err(missing(format!("holds no state `{wanted}` of operator `{operator}`; {there}")));
        }
        let mut out = Vec::new();
        let mut keys = Keys::default();
        while keys.next(&mut state, only.as_deref()) {
            for (index, need) in states.iter().enumerate() {
                // A broadcast map is the same in every file.
                let again = need.kind == StateKind::Broadcast && broadcast;
                if again || wanted.as_ref().is_some_and(|wanted| need.name != *wanted) {
                    continue;
                }
                let (having, values) = values(&state, index, &keys.call, reader.as_mut());
                broadcast |= need.kind == StateKind::Broadcast && !having.is_empty();
                lines.put(&keys.only(&having), keys.space, &need.name, values, &mut out)?;
            }
            report::write_result(&out).map_err(|error| report::unwritable(&error))?;
            out.clear();
        }
    }
    Ok(())
}

/// The checkpoint that is read: by its epoch, a savepoint by its label, or the newest.
async fn find(store: &Store, at: Option<&str>) -> Result<Manifest, JobError> {
    let manifest = match at {
        Some(id) => checkpoints::manifest(store, id).await?.1,
        None => match store.epochs().await?.last() {
            Some(newest) => store.show(*newest).await?,
            None => {
                let labels = store.savepoints().await?;
                let message = format!(
                    "{}: no checkpoints; {}",
                    store.path().display(),
                    listed("savepoints are", labels.iter().map(String::as_str))
                );
                return Err(JobError::new("checkpoint-not-found", message).with_hint("name a savepoint with `--at`"));
            }
        },
    };
    Ok(manifest)
}

/// What a checkpoint says of an operator's state, as far as this version understands it.
fn known(facts: Option<&StateFacts>) -> Known {
    let unknown = |what: &str| report::remark("state-unknown", what);
    let Some(StateFacts { key, form }) = facts else {
        unknown("the checkpoint was written before checkpoints said what their keys are: keys and values are given as base64");
        return Known { key: None, space: None, reader: None };
    };
    let key = Some(key.clone());
    let Some(form) = form else { return Known { key, space: Some(None), reader: None } };
    let understood = serde_json::from_value::<StateForm>(form.clone()).map_err(|error| error.to_string());
    match understood.and_then(|form| Ok((form.space, StateReader::new(&form)?))) {
        Ok((space, reader)) => Known { key, space: Some(space), reader: Some(reader) },
        Err(error) => {
            unknown(&format!(
                "the checkpoint was written by another version, and what its values are isn't understood ({error}): they are given as base64"
            ));
            Known { key, space: None, reader: None }
        }
    }
}

fn listed<'a>(before: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { format!("{before} none") } else { format!("{before} {}", names.join(", ")) }
}
