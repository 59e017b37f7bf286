//! The states that a plan declares.

use wasmill_state::{StateKind, StateNeed};

use super::{InputShape, check_name};
use crate::bindings::wasmill::plugin::plan::{StateKind as WitKind, StateNeed as WitState};
use crate::limits::STATE_VALUE_BYTES;

/// Checks them. The error says what is wrong.
pub(super) fn resolve(states: &[WitState], inputs: &[InputShape]) -> Result<Vec<StateNeed>, String> {
    let mut needs: Vec<StateNeed> = Vec::new();
    for state in states {
        check_name("state", &state.name)?;
        if needs.iter().any(|need| need.name == state.name) {
            return Err(format!("state `{}` is there twice", state.name));
        }
        if let Some(width) = state.width
            && !(1..=1_024).contains(&width)
        {
            return Err(format!("state `{}` has width {width}, expected 1 to 1024", state.name));
        }
        if state.expires.is_some() && state.width.is_some_and(|width| width < 8) {
            return Err(format!("state `{}` is forgotten at a moment, which has 8 bytes, but its width is less", state.name));
        }
        let kind = match state.kind {
            WitKind::BroadcastState => StateKind::Broadcast,
            WitKind::TaskState => StateKind::Task,
            WitKind::ValueState => StateKind::Value,
            WitKind::ListState => StateKind::List,
            WitKind::MapState => StateKind::Map,
        };
        if kind != StateKind::Value && state.width.is_some() {
            return Err(format!("state `{}` is a {kind} with a width; only values have one", state.name));
        }
        if matches!(kind, StateKind::Value | StateKind::List | StateKind::Map) && inputs.iter().all(|input| input.key.is_empty())
        {
            return Err(format!("it keeps state `{}` for each key, but no input is keyed; add key-by", state.name));
        }
        if kind == StateKind::Broadcast && inputs.iter().all(|input| !input.broadcast) {
            return Err(format!(
                "state `{}` changes with rows of broadcast inputs, but no input is broadcast; add `broadcast: [{}]`",
                state.name,
                inputs.last().map_or("rules", |input| &input.name)
            ));
        }
        if matches!(kind, StateKind::Broadcast | StateKind::Task) && state.expires.is_some() {
            return Err(format!("state `{}` is a {kind} that is forgotten, which is not in this version", state.name));
        }
        needs.push(StateNeed { name: state.name.clone(), version: state.version, kind, width: state.width });
    }
    debug_assert!(needs.iter().all(|need| need.width.is_none_or(|width| width as usize <= STATE_VALUE_BYTES)));
    Ok(needs)
}
