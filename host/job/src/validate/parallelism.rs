//! How many tasks and how many key groups.

use wasmill_flow::KeyGroups;

use crate::place::{Place, Spot};
use crate::problem::{Problems, code};
use crate::validate::Given;
use crate::written;

/// The tasks of an operator that may be parallel, and the key groups that they share.
pub struct Parallel {
    pub tasks: u32,
    pub key_groups: KeyGroups,
}

/// The option of the command line, or what the job says, or the default, which is cut to the number of key groups.
pub fn resolve(job: &written::Job, given: &Given<'_>, problems: &mut Problems) -> Parallel {
    let key_groups = job.max_parallelism.as_ref().and_then(|written| KeyGroups::new(written.value)).unwrap_or(KeyGroups::DEFAULT);
    let most = key_groups.count();
    let option = Spot { place: Place::Option("--parallelism"), path: "parallelism".to_owned() };
    let (tasks, spot) = match (given.parallelism, &job.parallelism) {
        (Some(tasks), _) => (tasks, &option),
        (None, Some(written)) => (written.value, &written.spot),
        (None, None) => (given.default_parallelism.clamp(1, most), &option),
    };
    if !(1..=most).contains(&tasks) {
        problems
            .error(code::INVALID_VALUE, spot)
            .found(tasks.to_string())
            .expected(format!("1 to {most} tasks, the number of key groups"))
            .advice("`max-parallelism` says how many key groups there are; it is fixed for the life of the state");
    }
    Parallel { tasks, key_groups }
}
