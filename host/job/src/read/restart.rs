//! `restart: { attempts: 3, backoff: 1s, max-backoff: 1min, reset-after: 10min }`.

use std::time::Duration;

use crate::graph::Restart;
use crate::place::At;
use crate::problem::Problems;
use crate::read::field::Field;
use crate::read::mapping::Mapping;

const LEAST_TIME: Duration = Duration::from_millis(1);

/// Reads how often a job is started again; what isn't said is as by default.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> At<Restart> {
    let mut restart = Restart::default();
    if let Some(keys) = Mapping::open(field, "a mapping with attempts", problems) {
        keys.check_keys(&["attempts", "backoff", "max-backoff", "reset-after"], &[], problems);
        if let Some(attempts) = keys.get("attempts").and_then(|field| field.integer(0..=i128::from(u32::MAX), problems)) {
            restart.attempts = attempts;
        }
        let mut time = |key, into: &mut Duration| {
            if let Some(time) = keys.get(key).and_then(|field| field.duration(LEAST_TIME, problems)) {
                *into = time;
            }
        };
        time("backoff", &mut restart.backoff);
        time("max-backoff", &mut restart.max_backoff);
        time("reset-after", &mut restart.reset_after);
    }
    At { value: restart, spot: field.spot.clone() }
}
