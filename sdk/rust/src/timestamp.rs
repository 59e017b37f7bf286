//! An instant.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds since the Unix epoch, UTC: a `timestamp` column's value.
///
/// Adding or taking a [`Duration`] counts whole milliseconds and stops at the ends of the range.
///
/// ```
/// use std::time::Duration;
/// use wasmill_sdk::Timestamp;
///
/// let start = Timestamp::from_millis(1_517_365_101_235);
/// let end = start + Duration::from_secs(90);
/// assert_eq!(end.since(start), Duration::from_secs(90));
/// assert_eq!((end - Duration::from_secs(90)).millis(), 1_517_365_101_235);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last instant that there is: what the watermark is at the end of bounded input.
    pub const MAX: Self = Self(i64::MAX);

    /// The instant `millis` milliseconds after the Unix epoch.
    #[inline]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[inline]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// How long `earlier` is before this instant; zero if it isn't before it.
    pub fn since(self, earlier: Self) -> Duration {
        if self.0 <= earlier.0 { Duration::ZERO } else { Duration::from_millis(self.0.abs_diff(earlier.0)) }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    #[inline]
    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    #[inline]
    fn sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_added_and_taken_in_whole_milliseconds() {
        let noon = Timestamp::from_millis(1_000);
        assert_eq!((noon + Duration::from_micros(1_999)).millis(), 1_001);
        assert_eq!((noon - Duration::from_secs(2)).millis(), -1_000);
        assert_eq!(noon.since(Timestamp::from_millis(250)), Duration::from_millis(750));
        assert_eq!(Timestamp::from_millis(250).since(noon), Duration::ZERO);
    }

    #[test]
    fn the_ends_of_the_range_hold() {
        let last = Timestamp::from_millis(i64::MAX);
        assert_eq!(last + Duration::from_secs(1), last);
        assert_eq!(Timestamp::from_millis(i64::MIN) - Duration::MAX, Timestamp::from_millis(i64::MIN));
    }
}
