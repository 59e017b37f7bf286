//! The limits of plugins.

use std::time::Duration;

use crate::graph::Limits;
use crate::problem::Problems;
use crate::read::field::Field;
use crate::read::mapping::Mapping;

const KEYS: &[&str] = &["memory", "cpu-per-call", "cpu-per-start", "output-rows", "output-bytes", "log-rate"];
/// Every plugin has the same stack.
const LATER: &[&str] = &["stack"];
const LEAST_TIME: Duration = Duration::from_millis(1);

/// Reads limits; those that aren't there are not set.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Limits {
    let Some(limits) = Mapping::open(field, "limits: a mapping", problems) else { return Limits::default() };
    limits.check_keys(KEYS, LATER, problems);
    let size = |key, problems: &mut Problems| limits.get(key).and_then(|field| field.size(u64::MAX, problems));
    let time = |key, problems: &mut Problems| limits.get(key).and_then(|field| field.duration(LEAST_TIME, problems));
    Limits {
        memory: size("memory", problems),
        cpu_per_call: time("cpu-per-call", problems),
        cpu_per_start: time("cpu-per-start", problems),
        output_rows: limits.get("output-rows").and_then(|field| field.integer(1..=i128::from(u64::MAX), problems)),
        output_bytes: size("output-bytes", problems),
        log_rate: size("log-rate", problems),
    }
}

/// An operator's own limits, and the job's where it has none.
#[must_use]
pub fn or(own: Limits, of_job: Limits) -> Limits {
    Limits {
        memory: own.memory.or(of_job.memory),
        cpu_per_call: own.cpu_per_call.or(of_job.cpu_per_call),
        cpu_per_start: own.cpu_per_start.or(of_job.cpu_per_start),
        output_rows: own.output_rows.or(of_job.output_rows),
        output_bytes: own.output_bytes.or(of_job.output_bytes),
        log_rate: own.log_rate.or(of_job.log_rate),
    }
}
