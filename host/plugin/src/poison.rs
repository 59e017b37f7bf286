//! What is tried next after a call that failed: a pure decision.

use std::time::{Duration, Instant};

use crate::fault::FaultKind;

/// Failed calls that one batch may cost.
pub const FAILURES_PER_BATCH: u32 = 64;
/// Failed calls that an operator's task may cost in a minute.
pub const FAILURES_PER_MINUTE: u32 = 1_000;
/// How often a call is made again that asks for it.
pub const RETRIES: u32 = 5;
/// The pause before the first of these; each further one doubles it.
pub const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// What is tried next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The same rows once more, after a pause.
    Again(Duration),
    /// The first half of the rows, then the second.
    Halve,
    /// The row stands alone: it is poison.
    Poison,
    /// The job stops, for this reason in addition to the fault's own.
    Halt(Option<String>),
}

/// Some rows of a batch that are still to be handed over.
#[derive(Debug)]
pub(crate) struct Part {
    pub start: usize,
    pub rows: usize,
    /// How often a call with exactly these rows has failed.
    pub failed: u32,
}

impl Part {
    /// All `rows` of a batch.
    pub fn whole(rows: usize) -> Self {
        Self { start: 0, rows, failed: 0 }
    }

    /// The second half, then the first: the one to be popped next comes last.
    pub fn halves(self) -> [Self; 2] {
        let first = self.rows / 2;
        [
            Self { start: self.start + first, rows: self.rows - first, failed: 0 },
            Self { start: self.start, rows: first, failed: 0 },
        ]
    }
}

/// Failures so far.
#[derive(Debug)]
pub struct Failures {
    in_batch: u32,
    minute: Instant,
    in_minute: u32,
}

impl Failures {
    /// None so far.
    #[must_use]
    pub fn none(now: Instant) -> Self {
        Self { in_batch: 0, minute: now, in_minute: 0 }
    }

    /// A new batch begins.
    pub fn new_batch(&mut self) {
        self.in_batch = 0;
    }

    /// Decides what follows a call of `rows` rows that failed for the `times`th time (from 1). Only the whole batch (`whole`) is tried
    /// a second time as it is after a trap: a half of it that fails has had its second chance.
    pub fn next(&mut self, kind: FaultKind, rows: usize, times: u32, whole: bool, now: Instant) -> Next {
        if now.duration_since(self.minute) >= Duration::from_secs(60) {
            (self.minute, self.in_minute) = (now, 0);
        }
        self.in_batch += 1;
        self.in_minute += 1;
        match kind {
            FaultKind::Fail => return Next::Halt(None),
            FaultKind::Retry if times > RETRIES => {
                return Next::Halt(Some(format!("it asked for a retry {times} times in a row")));
            }
            FaultKind::Retry => return Next::Again(FIRST_PAUSE * 2_u32.pow(times - 1)),
            FaultKind::Trap | FaultKind::Limit => {}
        }
        if self.in_batch > FAILURES_PER_BATCH {
            return Next::Halt(Some(format!("more than {FAILURES_PER_BATCH} calls of one batch failed")));
        }
        if self.in_minute > FAILURES_PER_MINUTE {
            return Next::Halt(Some(format!("more than {FAILURES_PER_MINUTE} calls failed within a minute")));
        }
        match (times, whole, rows) {
            (1, true, _) => Next::Again(Duration::ZERO),
            (_, _, 0 | 1) => Next::Poison,
            _ => Next::Halve,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_is_tried_again_then_halved_until_the_row_stands_alone() {
        let now = Instant::now();
        let mut failures = Failures::none(now);
        assert_eq!(failures.next(FaultKind::Trap, 4, 1, true, now), Next::Again(Duration::ZERO));
        assert_eq!(failures.next(FaultKind::Trap, 4, 2, true, now), Next::Halve);
        assert_eq!(failures.next(FaultKind::Limit, 2, 1, false, now), Next::Halve);
        assert_eq!(failures.next(FaultKind::Trap, 1, 1, false, now), Next::Poison);
    }

    #[test]
    fn a_retry_is_made_again_with_growing_pauses_and_not_for_ever() {
        let now = Instant::now();
        let mut failures = Failures::none(now);
        let pauses: Vec<Next> = (1..=RETRIES).map(|times| failures.next(FaultKind::Retry, 9, times, true, now)).collect();
        let expected: Vec<Next> = [10, 20, 40, 80, 160].map(|millis| Next::Again(Duration::from_millis(millis))).into();
        assert_eq!(pauses, expected);
        let last = failures.next(FaultKind::Retry, 9, RETRIES + 1, true, now);
        assert_eq!(last, Next::Halt(Some("it asked for a retry 6 times in a row".to_owned())));
    }

    #[test]
    fn too_many_failures_halt_the_job() {
        let now = Instant::now();
        let mut failures = Failures::none(now);
        for _ in 0..FAILURES_PER_BATCH {
            assert_ne!(failures.next(FaultKind::Trap, 2, 1, false, now), Next::Halt(None));
        }
        let over = failures.next(FaultKind::Trap, 2, 1, false, now);
        assert_eq!(over, Next::Halt(Some("more than 64 calls of one batch failed".to_owned())));
        failures.new_batch();
        assert_eq!(failures.next(FaultKind::Trap, 1, 1, false, now), Next::Poison);
    }

    #[test]
    fn the_minute_passes() {
        let start = Instant::now();
        let mut failures = Failures::none(start);
        for _ in 0..FAILURES_PER_MINUTE {
            failures.new_batch();
            failures.next(FaultKind::Trap, 1, 1, false, start);
        }
        failures.new_batch();
        assert!(matches!(failures.next(FaultKind::Trap, 1, 1, false, start), Next::Halt(Some(_))));
        failures.new_batch();
        let later = start + Duration::from_secs(61);
        assert_eq!(failures.next(FaultKind::Trap, 1, 1, false, later), Next::Poison);
    }
}
