//! Which windows a row falls into: arithmetic on milliseconds.

/// Windows of one length that begin at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Their length in milliseconds, at least 1.
    pub size: i64,
    /// The distance from one's start to the next one's, at least 1; the same as `size` where windows tumble.
    pub slide: i64,
    /// Where they begin, counted from 1970 in UTC.
    pub offset: i64,
    /// For so long after its end a window still takes rows.
    pub allowed_lateness: i64,
}

/// How far a window has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its result hasn't come out.
    Open,
    /// Its result has come out, and is mended by rows that still come.
    Closing,
    /// It takes no more rows.
    Past,
}

impl Windows {
    /// The starts of the windows that a row of this time falls into, the latest first.
    pub fn starts(&self, time: i64) -> impl Iterator<Item = i64> + use<> {
        let Self { size, slide, offset, .. } = *self;
        // A time at the edge of what there is has no windows beyond it.
        let last = time.saturating_sub(time.wrapping_sub(offset).rem_euclid(slide));
        (0..)
            .map_while(move |number: i64| last.checked_sub(number.checked_mul(slide)?))
            .take_while(move |start| time.wrapping_sub(*start) < size)
    }

    /// The last moment that is in a window.
    #[must_use]
    pub fn last(&self, start: i64) -> i64 {
        start.saturating_add(self.size - 1)
    }

    /// How far a window has come when event time has come so far.
    #[must_use]
    pub fn phase(&self, start: i64, watermark: i64) -> Phase {
        let last = self.last(start);
        if watermark < last {
            Phase::Open
        } else if watermark < last.saturating_add(self.allowed_lateness) {
            Phase::Closing
        } else {
            Phase::Past
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(size: i64, slide: i64, offset: i64) -> Windows {
        Windows { size, slide, offset, allowed_lateness: 5 }
    }

    #[test]
    fn a_row_falls_into_the_windows_that_its_time_lies_in() {
        let starts = |windows: Windows, time| windows.starts(time).collect::<Vec<_>>();
        assert_eq!(starts(windows(10, 10, 0), 0), [0]);
        assert_eq!(starts(windows(10, 10, 0), 9), [0]);
        assert_eq!(starts(windows(10, 10, 0), 10), [10]);
        assert_eq!(starts(windows(10, 10, 0), -1), [-10], "before 1970 too");
        assert_eq!(starts(windows(10, 10, 3), 2), [-7]);
        assert_eq!(starts(windows(10, 5, 0), 12), [10, 5]);
        assert_eq!(starts(windows(10, 4, 0), 12), [12, 8, 4]);
        assert_eq!(starts(windows(4, 10, 0), 12), [10]);
        assert_eq!(starts(windows(4, 10, 0), 15), Vec::<i64>::new(), "between windows");
        for time in [i64::MIN, i64::MAX] {
            assert_eq!(starts(windows(10, 10, 0), time).len(), 1, "{time}");
        }
    }

    #[test]
    fn a_window_is_open_until_its_last_moment_and_closing_while_lateness_is_allowed() {
        let windows = windows(10, 10, 0);
        let phase = |watermark| windows.phase(20, watermark);
        assert_eq!([phase(i64::MIN), phase(28)], [Phase::Open; 2]);
        assert_eq!([phase(29), phase(33)], [Phase::Closing; 2]);
        assert_eq!([phase(34), phase(i64::MAX)], [Phase::Past; 2]);
        assert_eq!(Windows { allowed_lateness: 0, ..windows }.phase(20, 29), Phase::Past);
    }
}
