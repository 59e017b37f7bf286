//! Snapshots that follow on each other.

use wasmill_flow::Epoch;

use crate::contract::StateError;

/// Checks of snapshots, each given by its epoch and the one that it goes on from, that the first is a base, and each other a delta that goes on from the
/// one before it.
///
/// # Errors
/// [`StateError::Chain`], which says what was found.
pub fn check_chain(snapshots: impl IntoIterator<Item = (Epoch, Option<Epoch>)>) -> Result<(), StateError> {
    let mut before = None;
    for (epoch, since) in snapshots {
        match (since, before) {
            (since, before) if since == before => {}
            (Some(since), None) => {
                return Err(StateError::Chain(format!(
                    "the first, of epoch {epoch}, goes on from epoch {since}, expected a base"
                )));
            }
            (None, Some(before)) => {
                return Err(StateError::Chain(format!(
                    "that of epoch {epoch} is a base, expected one that goes on from epoch {before}"
                )));
            }
            (since, before) => {
                let [since, before] = [since, before].map(|epoch| epoch.map_or(0, |epoch| epoch.0));
                return Err(StateError::Chain(format!(
                    "that of epoch {epoch} goes on from epoch {since}, expected one that goes on from epoch {before}"
                )));
            }
        }
        before = Some(epoch);
    }
    Ok(())
}
