//! Which windows a row falls into: arithmetic on milliseconds.
//!
//! In a zone, windows are of what a clock on the wall there shows: a day is from midnight to midnight, however many hours are between. So the
//! arithmetic is done on *wall time*, milliseconds as if the zone were UTC, and only bounds are brought back. All starts of windows and
//! slices are in wall time; without a zone that is UTC.

use chrono_tz::Tz;

use super::wall;

/// Windows of one length that begin at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Their length in milliseconds, at least 1.
    pub size: i64,
    /// The distance from one's start to the next one's, at least 1; the same as `size` where windows tumble.
    pub slide: i64,
    /// Where they begin, counted from 1970 in wall time.
    pub offset: i64,
    /// The zone whose clocks they go by; UTC where there is none.
    pub zone: Option<Tz>,
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
    /// What clocks show at a time.
    fn wall(&self, time: i64) -> i64 {
        self.zone.map_or(time, |zone| wall::at(zone, time))
    }

    /// The first moment of a window, in UTC.
    #[must_use]
    pub fn first(&self, start: i64) -> i64 {
        self.zone.map_or(start, |zone| wall::first(zone, start))
    }

    /// The starts of the windows that a row of this time falls into, the latest first.
    pub fn starts(&self, time: i64) -> impl Iterator<Item = i64> + use<> {
        let Self { size, slide, offset, .. } = *self;
        let time = self.wall(time);
        // A time at the edge of what there is has no windows beyond it.
        let last = time.saturating_sub(time.wrapping_sub(offset).rem_euclid(slide));
        (0..)
            .map_while(move |number: i64| last.checked_sub(number.checked_mul(slide)?))
            .take_while(move |start| time.wrapping_sub(*start) < size)
    }

    /// The slice of each row, where each falls into a window and the last one of each is open when event time has come so far. Where
    /// windows tumble, a slice is a window.
    #[must_use]
    pub fn all_open(&self, times: &[i64], watermark: i64) -> Option<Vec<i64>> {
        let length = self.slice_length();
        // The slice of the row before is most often that of the next.
        let (mut slice, mut last) = (0, -1);
        let mut slices = Vec::with_capacity(times.len());
        for &time in times {
            if time < slice || time > last || self.zone.is_some() {
                slice = self.slice(time);
                last = slice.saturating_add(length - 1);
                if self.last(self.starts(time).next()?) <= watermark {
                    return None;
                }
            }
            slices.push(slice);
        }
        Some(slices)
    }

    /// The start of the slice that a time is in: all times of a slice are in the same windows, where those cover all time.
    #[must_use]
    pub fn slice(&self, time: i64) -> i64 {
        let time = self.wall(time);
        time.saturating_sub(time.wrapping_sub(self.offset).rem_euclid(self.slice_length()))
    }

    /// The start of the last window that has a slice, where windows cover all time.
    #[must_use]
    pub fn latest_with(&self, slice: i64) -> i64 {
        slice.saturating_sub(slice.wrapping_sub(self.offset).rem_euclid(self.slide))
    }

    /// The greatest length that both a window's length and the distance between windows are multiples of.
    fn slice_length(&self) -> i64 {
        let (mut greater, mut less) = (self.size, self.slide);
        while less != 0 {
            (greater, less) = (less, greater % less);
        }
        greater
    }

    /// The start of the first window that begins at a time or after it.
    #[must_use]
    pub fn first_from(&self, time: i64) -> i64 {
        let behind = time.wrapping_sub(self.offset).rem_euclid(self.slide);
        if behind == 0 { time } else { time.saturating_add(self.slide - behind) }
    }

    /// The least start of a window that is open when event time has come so far.
    #[must_use]
    pub fn first_open(&self, watermark: i64) -> i64 {
        let mut start = self.first_from(self.wall(watermark).saturating_sub(self.size - 1).saturating_add(1));
        if self.zone.is_some() {
            // Clocks may be set between here and there.
            start = self.first_from(start.saturating_sub(2 * wall::DAY));
            while self.last(start) <= watermark && start < i64::MAX - self.slide {
                start += self.slide;
            }
        }
        start
    }

    /// The first multiple of a window's length, counted from where windows begin, that is behind a window's start: none is without one.
    #[must_use]
    pub fn boundary(&self, start: i64) -> i64 {
        start.saturating_add(self.size - start.wrapping_sub(self.offset).rem_euclid(self.size))
    }

    /// The start of the first window that has a slice.
    #[must_use]
    pub fn first_with(&self, slice: i64) -> i64 {
        self.first_from(slice.saturating_add(self.slice_length()).saturating_sub(self.size))
    }

    /// The last moment that is in a window, in UTC.
    #[must_use]
    pub fn last(&self, start: i64) -> i64 {
        match self.zone {
            None => start.saturating_add(self.size - 1),
            Some(zone) => wall::last(zone, start.saturating_add(self.size)).saturating_sub(1),
        }
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
        Windows { size, slide, offset, zone: None, allowed_lateness: 5 }
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
