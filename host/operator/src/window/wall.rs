//! What a clock on the wall shows in a zone, as milliseconds since 1970 of that clock, and when it shows that.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;

/// A day: further than any zone's clock is set.
pub(super) const DAY: i64 = 86_400_000;

/// What the clock shows at a time. Beyond the years that zones are known for it is that time itself.
pub(super) fn at(zone: Tz, time: i64) -> i64 {
    let Some(utc) = DateTime::from_timestamp_millis(time) else { return time };
    let offset = zone.offset_from_utc_datetime(&utc.naive_utc()).fix();
    time.saturating_add(i64::from(offset.local_minus_utc()) * 1_000)
}

/// The first time when the clock shows this or more: where it is set forward over it, the moment when it is.
pub(super) fn first(zone: Tz, wall: i64) -> i64 {
    match shown(zone, wall) {
        Some((earliest, _)) => earliest,
        None => set_forward(zone, wall),
    }
}

/// The last time before which the clock may show less than this: the second time where it shows it twice.
pub(super) fn last(zone: Tz, wall: i64) -> i64 {
    match shown(zone, wall) {
        // Where it is set back to this very moment, it shows more right before, and all that it showed before the first time is less.
        Some((earliest, latest)) => {
            if at(zone, latest.saturating_sub(1)) < wall {
                latest
            } else {
                earliest
            }
        }
        None => set_forward(zone, wall),
    }
}

/// When it shows this, for the first and for the last time; nothing where it is never shown.
fn shown(zone: Tz, wall: i64) -> Option<(i64, i64)> {
    let Some(naive) = DateTime::from_timestamp_millis(wall).map(|shown| shown.naive_utc()) else { return Some((wall, wall)) };
    let at = |offset: chrono::FixedOffset| wall.saturating_sub(i64::from(offset.local_minus_utc()) * 1_000);
    match offsets(zone, &naive) {
        MappedLocalTime::Single(offset) => Some((at(offset), at(offset))),
        MappedLocalTime::Ambiguous(one, other) => Some((at(one).min(at(other)), at(one).max(at(other)))),
        MappedLocalTime::None => None,
    }
}

fn offsets(zone: Tz, naive: &NaiveDateTime) -> MappedLocalTime<chrono::FixedOffset> {
    zone.offset_from_local_datetime(naive).map(|offset| offset.fix())
}

/// The moment when the clock is set forward over this.
fn set_forward(zone: Tz, wall: i64) -> i64 {
    let (mut before, mut after) = (wall.saturating_sub(2 * DAY), wall.saturating_add(2 * DAY));
    while before + 1 < after {
        let middle = before + (after - before) / 2;
        if at(zone, middle) < wall { before = middle } else { after = middle }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> i64 {
        text.parse::<DateTime<chrono::Utc>>().expect("a time").timestamp_millis()
    }

    #[test]
    fn days_in_berlin_have_23_24_or_25_hours() {
        let zone: Tz = "Europe/Berlin".parse().expect("a zone");
        let hours = |day: &str, next: &str| {
            let [day, next] = [day, next].map(|day| first(zone, time(&format!("{day}T00:00:00Z"))));
            (next - day) / 3_600_000
        };
        assert_eq!(hours("2024-03-30", "2024-03-31"), 24);
        assert_eq!(hours("2024-03-31", "2024-04-01"), 23);
        assert_eq!(hours("2024-10-27", "2024-10-28"), 25);
        assert_eq!(first(zone, time("2024-03-31T00:00:00Z")), time("2024-03-30T23:00:00Z"));
    }

    #[test]
    fn an_hour_that_comes_twice_has_two_ends_and_one_that_is_left_out_none() {
        let zone: Tz = "Europe/Berlin".parse().expect("a zone");
        let twice = time("2024-10-27T02:30:00Z");
        assert_eq!(first(zone, twice), time("2024-10-27T00:30:00Z"));
        assert_eq!(last(zone, twice), time("2024-10-27T01:30:00Z"));
        // The moment at which the clock is set back to it: what is before is less, what comes in between is more.
        assert_eq!(last(zone, time("2024-10-27T02:00:00Z")), time("2024-10-27T00:00:00Z"));
        let never = time("2024-03-31T02:30:00Z");
        assert_eq!((first(zone, never), last(zone, never)), (time("2024-03-31T01:00:00Z"), time("2024-03-31T01:00:00Z")));
        assert_eq!(at(zone, time("2024-03-31T01:00:00Z")), time("2024-03-31T03:00:00Z"));
        for edge in [i64::MIN, i64::MAX] {
            assert_eq!((at(zone, edge), first(zone, edge), last(zone, edge)), (edge, edge, edge));
        }
    }
}
