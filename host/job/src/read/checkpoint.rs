//! `checkpoint: { every: 1s, store: path or URL, retain: 3 }`.

use std::time::Duration;

use crate::problem::Problems;
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::written::Checkpoint;

const EVERY: Duration = Duration::from_secs(1);
const RETAIN: usize = 3;

/// Reads when and where checkpoints are taken.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Checkpoint {
    let mut checkpoint = Checkpoint { every: EVERY, store: None, retain: RETAIN };
    let Some(keys) = Mapping::open(field, "a mapping with store", problems) else { return checkpoint };
    keys.check_keys(&["every", "store", "retain"], &["base-every"], problems);
    if let Some(every) = keys.get("every").and_then(|field| field.duration(Duration::from_millis(1), problems)) {
        checkpoint.every = every;
    }
    if let Some(retain) = keys.get("retain").and_then(|field| field.integer(1..=1_000_000, problems)) {
        checkpoint.retain = retain;
    }
    let store = keys.require("store", "the directory or the URL of the bucket that checkpoints are kept in", problems);
    checkpoint.store = store.and_then(|field| field.text("the path of a directory, or the URL of a bucket", problems));
    checkpoint
}
