//! What to go on from: a pure choice from what was asked for and what was found.

use wasmill_flow::Epoch;

use crate::error::CheckpointError;
use crate::manifest::{JobFacts, Manifest};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Nothing was there: start with empty state.
    Empty,
    /// Start with empty state, and leave behind what is there ([`crate::Store::fresh`]).
    LeaveBehind,
    /// Go on from this checkpoint.
    Restore(Epoch),
}

/// Chooses among the checkpoints whose manifests are there, in order of their epochs: the newest, unless a fresh start is wanted.
/// Whether they are intact doesn't matter: a damaged newest one is an error of reading it, never a reason to take an older one or
/// none.
#[must_use]
pub fn choose(fresh: bool, there: &[Epoch]) -> Choice {
    match there.last() {
        None => Choice::Empty,
        Some(_) if fresh => Choice::LeaveBehind,
        Some(newest) => Choice::Restore(*newest),
    }
}

/// How well a job must fit a checkpoint to go on from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fit {
    /// It does the same, but for its parallelism and its plugins' bytes.
    #[default]
    Same,
    /// It may have changed: what it shares with the job that was, by name, goes on; what is new begins.
    Changed {
        /// What it doesn't have any more is left out; otherwise it is an error that names it.
        allow_unmatched: bool,
    },
}

/// What to know of a job that goes on from a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Operators whose plugin is another than at the checkpoint; whether their states fit is checked when they are restored.
    pub plugins: Vec<String>,
    /// What the checkpoint holds and the job doesn't have, as `operator hourly`.
    pub left_out: Vec<String>,
}

/// Checks that a job can go on from a checkpoint.
///
/// # Errors
/// [`CheckpointError::OtherPlan`], which says what differs. (Another job's name is [`crate::Store::read`]'s to refuse.)
pub fn check(manifest: &Manifest, job: &JobFacts, fit: Fit) -> Result<Differences, CheckpointError> {
    let then = &manifest.job;
    let differs = |what: String| CheckpointError::OtherPlan { epoch: manifest.epoch, what };
    if then.key_groups != job.key_groups {
        return Err(differs(format!("it was taken with max-parallelism {}, the job has {}", then.key_groups, job.key_groups)));
    }
    let mut left_out = Vec::new();
    let mut gone = |kind: &str, name: &str, what: &str| {
        let how = match fit {
            Fit::Changed { allow_unmatched: true } => {
                left_out.push(format!("{kind} {name}"));
                return Ok(());
            }
            Fit::Changed { .. } => "; `--allow-unmatched` goes on without it",
            Fit::Same => "",
        };
        Err(differs(format!("it holds {what} `{name}`, which the job doesn't have{how}")))
    };
    for lost in then.stateful.difference(&job.stateful) {
        gone("operator", lost, "state of operator")?;
    }
    for (kind, then, now) in [("source", &then.sources, &job.sources), ("sink", &then.sinks, &job.sinks)] {
        for name in then.keys().filter(|name| !now.contains_key(*name)) {
            gone(kind, name, kind)?;
        }
        if fit == Fit::Same
            && let Some(name) = now.keys().find(|name| !then.contains_key(*name))
        {
            return Err(differs(format!("the job has {kind} `{name}`, which it doesn't hold")));
        }
    }
    if fit == Fit::Same && then.plan != job.plan {
        return Err(differs("the job file says something else than it did then".to_owned()));
    }
    let changed = |(name, digest): &(&String, &String)| then.plugins.get(*name) != Some(*digest);
    let plugins = job.plugins.iter().filter(changed).map(|(name, _)| name.clone()).collect();
    Ok(Differences { plugins, left_out })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::{job, manifest};

    #[test]
    fn the_newest_is_chosen_unless_a_fresh_start_is_wanted() {
        assert_eq!(choose(false, &[]), Choice::Empty);
        assert_eq!(choose(false, &[Epoch(3), Epoch(4)]), Choice::Restore(Epoch(4)));
        assert_eq!(choose(true, &[]), Choice::Empty);
        assert_eq!(choose(true, &[Epoch(3), Epoch(4)]), Choice::LeaveBehind);
    }

    #[test]
    fn a_job_may_go_on_with_another_parallelism_and_other_plugins() {
        let mut now = job();
        assert_eq!(check(&manifest(42), &now, Fit::Same).expect("the same job"), Differences::default());
        now.parallelism = 7;
        now.sources.insert("quakes".to_owned(), 7);
        now.sinks.values_mut().for_each(|tasks| *tasks = 7);
        now.plugins.insert("graded".to_owned(), "sha256:def".to_owned());
        assert_eq!(check(&manifest(42), &now, Fit::Same).expect("the same job").plugins, ["graded"]);
    }

    #[test]
    fn a_job_that_changed_may_not_go_on() {
        let refused = |change: fn(&mut JobFacts)| {
            let mut now = job();
            change(&mut now);
            let error = check(&manifest(42), &now, Fit::Same).expect_err("another job");
            assert_eq!(error.code(), "checkpoint-other-plan");
            error.to_string().strip_prefix("checkpoint 42 doesn't fit the job: ").map(str::to_owned)
        };
        let says = |text: &str| Some(text.to_owned());
        assert_eq!(refused(|job| job.key_groups = 64), says("it was taken with max-parallelism 128, the job has 64"));
        assert_eq!(refused(|job| job.stateful.clear()), says("it holds state of operator `hourly`, which the job doesn't have"));
        assert_eq!(refused(|job| job.sources.clear()), says("it holds source `quakes`, which the job doesn't have"));
        assert_eq!(
            refused(|job| job.sinks.extend([("other".to_owned(), 1)])),
            says("the job has sink `other`, which it doesn't hold")
        );
        assert_eq!(refused(|job| job.plan.clear()), says("the job file says something else than it did then"));
    }

    #[test]
    fn a_changed_job_goes_on_with_what_it_shares() {
        let mut now = job();
        now.plan.clear();
        now.sinks.insert("other".to_owned(), 1);
        let changed = Fit::Changed { allow_unmatched: false };
        assert_eq!(check(&manifest(42), &now, changed).expect("it fits"), Differences::default());
        now.stateful.clear();
        let error = check(&manifest(42), &now, changed).expect_err("state of an operator that is gone");
        assert_eq!(
            error.to_string(),
            "checkpoint 42 doesn't fit the job: it holds state of operator `hourly`, which the job doesn't have; `--allow-unmatched` goes on without it"
        );
        now.sources.clear();
        let found = check(&manifest(42), &now, Fit::Changed { allow_unmatched: true }).expect("it may be left out");
        assert_eq!(found.left_out, ["operator hourly", "source quakes"]);
    }
}
