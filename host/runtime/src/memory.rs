//! How much memory a process may hold in rows on edges, in state, in staged output and in plugins' instances, all together.
//!
//! Rows on edges can't pass their share: lanes are made so small that all of them together hold at most a quarter of the budget, and a
//! full one slows the source down. State and instances are what grows; a step that finds the budget passed fails its job.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasmill_job::graph::Job;
use wasmill_job::measure::show_size;

use crate::counts::{JobCounts, NodeCounts, Share};
use crate::error::JobError;

/// The part of the budget that lanes may fill: one of so many.
const EDGES: u64 = 4;

/// What the jobs of a process may hold together, and what they hold now.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: u64,
    held: AtomicU64,
}

impl MemoryBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { limit, held: AtomicU64::new(0) }
    }

    /// The budget, in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What is held, in bytes.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// The bytes that each of so many lanes may hold.
    pub(crate) fn lane(&self, lanes: usize) -> usize {
        usize::try_from(self.limit / EDGES / (lanes.max(1) as u64)).unwrap_or(usize::MAX)
    }
}

/// What one holder has of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<MemoryBudget>,
    /// Its part of what all holders of the same kind have.
    account: Share,
    bytes: u64,
}

impl Charge {
    /// Nothing yet, of this budget and on this account.
    pub fn new(budget: &Arc<MemoryBudget>, account: &Arc<AtomicU64>) -> Self {
        Self { budget: Arc::clone(budget), account: Share::of(account), bytes: 0 }
    }

    /// Says that the holder has so many bytes now. Costs nothing where it had as many.
    pub fn set(&mut self, bytes: u64) {
        if bytes >= self.bytes {
            let more = bytes - self.bytes;
            if more > 0 {
                self.budget.held.fetch_add(more, Relaxed);
            }
        } else {
            self.budget.held.fetch_sub(self.bytes - bytes, Relaxed);
        }
        self.account.set(bytes);
        self.bytes = bytes;
    }

    /// Whether all holders together have more than the budget.
    pub fn is_exceeded(&self) -> bool {
        self.budget.held() > self.budget.limit
    }

    /// Whether all holders together have more than half of the budget: no time to keep what might be needed.
    pub fn is_scarce(&self) -> bool {
        self.budget.held() > self.budget.limit / 2
    }

    /// The error of a job that finds the budget passed: what its parts hold, the largest first.
    pub fn exceeded(&self, job: &Job, counts: &JobCounts) -> JobError {
        let of_operators = job.operators.iter().zip(&counts.operators);
        let mut parts: Vec<(u64, String)> = of_operators
            .map(|(operator, counts)| (NodeCounts::get(&counts.memory), format!("operator `{}`", operator.name)))
            .collect();
        parts.push((NodeCounts::get(&counts.edges), "rows on edges".to_owned()));
        parts.retain(|(bytes, _)| *bytes > 0);
        parts.sort_by_key(|(bytes, _)| Reverse(*bytes));
        let (limit, held) = (show_size(self.budget.limit), about(self.budget.held()));
        let parts: Vec<String> = parts.into_iter().map(|(bytes, name)| format!("{name} {}", about(bytes))).collect();
        let message = format!(
            "the process's memory budget of {limit} is passed: {held} are held or about to be; in this job by {}",
            parts.join(", ")
        );
        JobError::new("memory-budget", message).with_hint(
            "give the process more with `run --memory SIZE`, or hold less: fewer keys, a smaller `limits: { memory: … }`, a smaller `parallelism`",
        )
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A size for people: to a tenth of the largest unit that it has one of.
fn about(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let in_unit = |unit: u64| bytes as f64 / unit as f64;
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit);
    unit.map_or_else(|| format!("{bytes} B"), |(name, unit)| format!("{:.1} {name}", in_unit(*unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_is_held_until_it_is_given_back() {
        let budget = Arc::new(MemoryBudget::new(100));
        let account = Arc::new(AtomicU64::new(0));
        let (mut state, mut other) = (Charge::new(&budget, &account), Charge::new(&budget, &Arc::default()));
        state.set(60);
        other.set(40);
        assert_eq!((budget.held(), state.is_exceeded(), state.is_scarce()), (100, false, true));
        state.set(61);
        assert!(state.is_exceeded() && other.is_exceeded());
        state.set(10);
        assert_eq!((budget.held(), account.load(Relaxed), state.is_scarce()), (50, 10, false));
        drop((state, other));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn lanes_share_a_quarter() {
        let budget = MemoryBudget::new(1 << 30);
        assert_eq!(budget.lane(64), 4 << 20);
        assert_eq!(budget.lane(0), 1 << 28);
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!([7, 1_536, 3 << 20, 5 << 30].map(about), ["7 B", "1.5 KiB", "3.0 MiB", "5.0 GiB"]);
    }
}
