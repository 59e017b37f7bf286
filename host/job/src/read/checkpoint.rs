//! `checkpoint: { every: 1s, store: path or URL, retain: 3, base-every: 10, timeout: 10min, verify: 1d }`.

use std::num::NonZero;
use std::time::Duration;

use crate::problem::Problems;
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::written::Checkpoint;

const EVERY: Duration = Duration::from_secs(1);
const RETAIN: usize = 3;
const BASE_EVERY: NonZero<u32> = NonZero::new(10).expect("not 0");
const TIMEOUT: Duration = Duration::from_mins(10);
const VERIFY: Duration = Duration::from_hours(24);

/// Reads when and where checkpoints are taken.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Checkpoint {
    let mut checkpoint =
        Checkpoint { every: EVERY, store: None, retain: RETAIN, base_every: BASE_EVERY, timeout: TIMEOUT, verify: VERIFY };
    let Some(keys) = Mapping::open(field, "a mapping with store", problems) else { return checkpoint };
    keys.check_keys(&["every", "store", "retain", "base-every", "timeout", "verify"], &[], problems);
    if let Some(every) = keys.get("every").and_then(|field| field.duration(Duration::from_millis(1), problems)) {
        checkpoint.every = every;
    }
    if let Some(retain) = keys.get("retain").and_then(|field| field.integer(1..=1_000_000, problems)) {
        checkpoint.retain = retain;
    }
    if let Some(base_every) =
        keys.get("base-every").and_then(|field| field.integer::<u32>(1..=1_000_000, problems)).and_then(NonZero::new)
    {
        checkpoint.base_every = base_every;
    }
    if let Some(timeout) = keys.get("timeout").and_then(|field| field.duration(Duration::from_secs(1), problems)) {
        checkpoint.timeout = timeout;
    }
    if let Some(verify) = keys.get("verify").and_then(|field| field.duration(Duration::from_millis(100), problems)) {
        checkpoint.verify = verify;
    }
    let store = keys.require("store", "the directory or the URL of the bucket that checkpoints are kept in", problems);
    checkpoint.store = store.and_then(|field| field.text("the path of a directory, or the URL of a bucket", problems));
    checkpoint
}
