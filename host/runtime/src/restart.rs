//! Whether a job that failed is started again, and when: a pure decision.

use std::time::Duration;

use wasmill_job::graph::Restart;

use crate::error::JobError;

/// The faults of one job, and what it may still do about them.
#[derive(Debug)]
pub struct Restarts {
    policy: Restart,
    /// Faults in a row.
    in_a_row: u32,
}

/// What to do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on from the last checkpoint after this time: the how-manieth time in a row it is.
    After(Duration, u32),
    /// Give up: the fault comes again for certain, or has come too often.
    GiveUp,
}

impl Restarts {
    /// No fault yet.
    #[must_use]
    pub fn new(policy: Restart) -> Self {
        Self { policy, in_a_row: 0 }
    }

    /// What to do about a fault of a job that had run for so long since it was last started.
    pub fn on(&mut self, fault: &JobError, ran: Duration) -> Verdict {
        let Restart { attempts, backoff, max_backoff, reset_after } = self.policy;
        if ran >= reset_after {
            self.in_a_row = 0;
        }
        if !fault.is_passing() || self.in_a_row >= attempts {
            return Verdict::GiveUp;
        }
        let factor = 2u32.saturating_pow(self.in_a_row);
        self.in_a_row += 1;
        Verdict::After(backoff.saturating_mul(factor).min(max_backoff), self.in_a_row)
    }

    /// How often it was started again in a row.
    #[must_use]
    pub fn in_a_row(&self) -> u32 {
        self.in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn restarts() -> Restarts {
        Restarts::new(Restart { attempts: 3, backoff: SECOND, max_backoff: SECOND * 3, reset_after: SECOND * 60 })
    }

    #[test]
    fn faults_that_may_pass_are_waited_for_longer_each_time_and_not_for_ever() {
        let fault = JobError::new("plugin-trap", "it trapped");
        let mut restarts = restarts();
        assert_eq!(restarts.on(&fault, SECOND), Verdict::After(SECOND, 1));
        assert_eq!(restarts.on(&fault, SECOND), Verdict::After(SECOND * 2, 2));
        assert_eq!(restarts.on(&fault, SECOND), Verdict::After(SECOND * 3, 3), "no longer than that");
        assert_eq!(restarts.on(&fault, SECOND), Verdict::GiveUp);
        assert_eq!(restarts.on(&fault, SECOND * 60), Verdict::After(SECOND, 1), "it ran for long enough");
    }

    #[test]
    fn a_fault_that_comes_again_for_certain_ends_the_job_at_once() {
        let fault = JobError::new("checkpoint-corrupt", "a file is damaged");
        assert_eq!(restarts().on(&fault, SECOND * 600), Verdict::GiveUp);
        let fault = JobError::new("disk-full", "no room");
        assert_eq!(Restarts::new(Restart::NONE).on(&fault, SECOND), Verdict::GiveUp);
    }
}
