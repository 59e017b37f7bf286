//! Durations and sizes as job files have them: `250ms 1s 10min 2h 7d`, `64KiB 1MiB`.

use std::time::Duration;

/// What a duration looks like, for messages.
pub const A_DURATION: &str = "a duration, as 250ms, 1s, 10min, 2h or 7d";
/// What a size looks like, for messages.
pub const A_SIZE: &str = "a size, as 512B, 64KiB, 1MiB or 2GiB";

const DURATIONS: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const SIZES: &[(&str, u64)] = &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a duration: a whole number and its unit, without a space. At most 584 years.
#[must_use]
pub fn parse_duration(written: &str) -> Option<Duration> {
    parse(written, DURATIONS).map(Duration::from_nanos)
}

/// Reads a size in bytes: a whole number and its unit, without a space.
#[must_use]
pub fn parse_size(written: &str) -> Option<u64> {
    parse(written, SIZES)
}

/// A duration as a job file would have it, in the largest unit that is exact.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    u64::try_from(duration.as_nanos()).map_or_else(|_| format!("{duration:?}"), |nanos| show(nanos, DURATIONS, "0s"))
}

/// A size as a job file would have it, in the largest unit that is exact.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    show(bytes, SIZES, "0B")
}

fn parse(written: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = written.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = written.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(value: u64, units: &[(&str, u64)], zero: &str) -> String {
    let unit = units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    unit.map_or_else(|| zero.to_owned(), |(name, factor)| format!("{}{name}", value / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_shown() {
        for written in ["250ms", "1s", "10min", "2h", "7d", "60us", "1ns", "90min"] {
            assert_eq!(show_duration(parse_duration(written).expect("a duration")), written);
        }
        for written in ["64KiB", "1MiB", "1GiB", "16MiB", "512B", "3TiB", "1025B"] {
            assert_eq!(show_size(parse_size(written).expect("a size")), written);
        }
        assert_eq!(parse_duration("60min"), Some(Duration::from_secs(3600)));
        assert_eq!(show_duration(Duration::ZERO), "0s");
        assert_eq!(show_size(0), "0B");
    }

    #[test]
    fn anything_else_is_none() {
        for written in ["", "1", "s", "1 s", "1.5s", "-1s", "1m", "1sec", "99999999999d", "1S"] {
            assert_eq!(parse_duration(written), None, "{written}");
        }
        for written in ["", "1", "KiB", "1KB", "1k", "1 MiB", "1.5GiB", "-1B", "99999999999TiB", "1mib"] {
            assert_eq!(parse_size(written), None, "{written}");
        }
    }
}
