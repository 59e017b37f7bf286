//! Which readers of sources go on: those whose event time isn't too far ahead of the slowest.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use wasmill_flow::{Progress, Watermark};

/// How far event time has come for each of the readers that wait for one another. Shared by their tasks.
///
/// One that idles or has ended holds up nobody; one that hasn't given a row yet holds up all others, until it does or idles. The slowest is
/// never ahead of itself, so that one of them always goes on.
#[derive(Debug)]
pub struct Drift {
    /// The watermark of each; that of the end where nobody waits for it.
    readers: Vec<AtomicI64>,
}

impl Drift {
    /// So many readers, of which nothing is known.
    #[must_use]
    pub fn new(readers: usize) -> Self {
        Self { readers: (0..readers).map(|_| AtomicI64::new(Watermark::NONE.0)).collect() }
    }

    /// Takes what is known of a reader now; whether that is something new, and others may go on for it.
    pub fn update(&self, reader: usize, progress: Progress) -> bool {
        let watermark = if progress.idle { Watermark::END } else { progress.watermark };
        self.readers[reader].swap(watermark.0, SeqCst) != watermark.0
    }

    /// Whether a reader is more than so many milliseconds ahead of the slowest. One look at each.
    #[must_use]
    pub fn is_ahead(&self, reader: usize, most: u64) -> bool {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let watermark = |reader: &AtomicI64| reader.load(SeqCst);
        let slowest = self.readers.iter().map(watermark).min().unwrap_or(Watermark::NONE.0);
        let own = watermark(&self.readers[reader]);
        own != Watermark::END.0 && own > slowest.saturating_add(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64) -> Progress {
        Progress { watermark: Watermark(time), idle: false }
    }

    fn ahead(drift: &Drift, most: u64) -> Vec<bool> {
        (0..drift.readers.len()).map(|reader| drift.is_ahead(reader, most)).collect()
    }

    #[test]
    fn a_reader_waits_for_the_slowest_as_far_as_the_limit_says() {
        let drift = Drift::new(3);
        for (reader, time) in [(0, 100), (1, 90), (2, 70)] {
            assert!(drift.update(reader, at(time)));
        }
        assert_eq!(ahead(&drift, 20), [true, false, false]);
        assert_eq!(ahead(&drift, 30), [false; 3]);
        assert!(!drift.update(2, at(70)), "nothing new");
        assert!(drift.update(2, at(81)));
        assert_eq!(ahead(&drift, 20), [false; 3]);
    }

    #[test]
    fn one_that_idles_or_has_ended_holds_up_nobody() {
        let drift = Drift::new(3);
        for (reader, time) in [(0, 100), (1, 1), (2, 2)] {
            drift.update(reader, at(time));
        }
        assert_eq!(ahead(&drift, 20), [true, false, false]);
        assert!(drift.update(1, Progress { idle: true, ..at(1) }));
        assert_eq!(ahead(&drift, 20), [true, false, false]);
        assert!(drift.update(2, Progress::END));
        assert_eq!(ahead(&drift, 20), [false; 3]);
        // It comes back, behind.
        assert!(drift.update(1, at(5)));
        assert_eq!(ahead(&drift, 20), [true, false, false]);
    }

    #[test]
    fn one_that_has_given_nothing_yet_holds_up_the_others() {
        let drift = Drift::new(2);
        assert_eq!(ahead(&drift, u64::MAX), [false; 2]);
        drift.update(0, at(i64::MAX - 1));
        assert_eq!(ahead(&drift, 1_000), [true, false]);
        assert!(drift.update(1, Progress { watermark: Watermark::NONE, idle: true }));
        assert_eq!(ahead(&drift, 1_000), [false; 2]);
    }
}
