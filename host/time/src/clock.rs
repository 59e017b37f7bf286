//! The clock of processing time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How much time has passed since a start, by whatever measures it.
#[derive(Clone)]
struct Measure(Arc<dyn Fn() -> Duration + Send + Sync>);

impl std::fmt::Debug for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Measure").field(&(self.0)()).finish()
    }
}

/// Processing time, in milliseconds since the Unix epoch. It never goes back: it is what the host's clock said at the start, and goes on as
/// time passes, whatever becomes of the host's clock meanwhile. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct ProcessingClock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Real { started: Instant, at: i64 },
    Measured(Measure, i64),
    ByHand(Arc<AtomicI64>),
}

impl ProcessingClock {
    /// A clock that starts with what the host's says now.
    #[must_use]
    pub fn start() -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, whole_milliseconds);
        Self(Kind::Real { started: Instant::now(), at })
    }

    /// A clock that stands at `at` until it is set: for tests, in which time is what they say.
    #[must_use]
    pub fn by_hand(at: i64) -> Self {
        Self(Kind::ByHand(Arc::new(AtomicI64::new(at))))
    }

    /// A clock that starts at `at` and goes on as `elapsed` says: for runs in which time is simulated.
    #[must_use]
    pub fn measured(at: i64, elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Kind::Measured(Measure(Arc::new(elapsed)), at))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> i64 {
        match &self.0 {
            Kind::Real { started, at } => at.saturating_add(whole_milliseconds(started.elapsed())),
            Kind::Measured(elapsed, at) => at.saturating_add(whole_milliseconds((elapsed.0)())),
            Kind::ByHand(now) => now.load(Relaxed),
        }
    }

    /// Sets a clock by hand forward to `to`; one that is real, or has passed it, stays as it is.
    pub fn advance(&self, to: i64) {
        if let Kind::ByHand(now) = &self.0 {
            now.fetch_max(to, Relaxed);
        }
    }

    /// How long it is until a moment; nothing where it has passed. A clock by hand only gets there by hand: for ever.
    #[must_use]
    pub fn until(&self, moment: i64) -> Duration {
        let left = moment.saturating_sub(self.now());
        match (&self.0, u64::try_from(left)) {
            (_, Err(_) | Ok(0)) => Duration::ZERO,
            (Kind::Real { .. } | Kind::Measured(..), Ok(left)) => Duration::from_millis(left),
            (Kind::ByHand(_), Ok(_)) => Duration::MAX,
        }
    }
}

fn whole_milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_clock_starts_with_the_hosts_and_goes_on() {
        let host = whole_milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970"));
        let clock = ProcessingClock::start();
        let first = clock.now();
        assert!((host..host + 60_000).contains(&first), "{first} is not {host}");
        std::thread::sleep(Duration::from_millis(3));
        assert!(clock.now() > first);
        assert_eq!(clock.until(first), Duration::ZERO);
        assert!(clock.until(i64::MAX) > Duration::from_hours(1));
    }

    #[test]
    fn a_measured_clock_goes_on_as_it_is_told() {
        let passed = Arc::new(AtomicI64::new(0));
        let clock = ProcessingClock::measured(100, {
            let passed = Arc::clone(&passed);
            move || Duration::from_millis(passed.load(Relaxed).unsigned_abs())
        });
        assert_eq!((clock.now(), clock.until(107)), (100, Duration::from_millis(7)));
        passed.store(9, Relaxed);
        assert_eq!((clock.now(), clock.until(107)), (109, Duration::ZERO));
    }

    #[test]
    fn a_clock_by_hand_stands_until_it_is_set_and_never_goes_back() {
        let clock = ProcessingClock::by_hand(5);
        let same = clock.clone();
        same.advance(9);
        assert_eq!(clock.now(), 9);
        same.advance(7);
        assert_eq!((clock.now(), clock.until(9), clock.until(10)), (9, Duration::ZERO, Duration::MAX));
    }
}
