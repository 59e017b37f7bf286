//! Timestamps and dates as text: RFC 3339 in, RFC 3339 with milliseconds and `Z` out.

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

const MILLIS_PER_DAY: i64 = 86_400_000;
const EPOCH_FROM_COMMON_ERA: i32 = 719_163;

/// Reads `2018-01-31T02:18:21.235Z` as milliseconds since the epoch. No zone is UTC; `t`, `z` and a space for the `T` will do, as
/// RFC 3339 lets them; a fraction has any number of digits, and what is finer than a millisecond is cut off; second 60 is the
/// first of the next minute.
pub(super) fn parse_timestamp(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let days = i64::from(parse_days(bytes.get(..10)?)?);
    let clock = bytes.get(10..19)?;
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = *clock else { return None };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, zone) = parse_fraction(&bytes[19..])?;
    let seconds = i64::from(hour * 3600 + minute * 60 + second) - parse_zone(zone)?;
    Some(days * MILLIS_PER_DAY + seconds * 1000 + millis)
}

/// Reads `2018-01-31` as days since the epoch.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    parse_days(text.as_bytes())
}

fn parse_days(bytes: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *bytes else { return None };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(date.num_days_from_ce() - EPOCH_FROM_COMMON_ERA)
}

fn parse_fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = bytes.split_first() else { return Some((0, bytes)) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let millis = rest[..digits].iter().chain(b"00").take(3).fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'));
    (digits > 0).then_some((millis, &rest[digits..]))
}

fn parse_zone(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            let seconds = i64::from(hours * 3600 + minutes * 60);
            (hours <= 23 && minutes <= 59).then_some(if sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

/// `2018-01-31T02:18:21.235Z`; nothing for a time outside the years 0 to 9999, which RFC 3339 can't name.
pub(crate) fn timestamp(millis: i64) -> Option<[u8; 24]> {
    let time = DateTime::from_timestamp_millis(millis)?.naive_utc();
    (0..=9999).contains(&time.year()).then(|| {
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put_date(time.date(), &mut text[0..10]);
        put(time.hour(), &mut text[11..13]);
        put(time.minute(), &mut text[14..16]);
        put(time.second(), &mut text[17..19]);
        put(time.nanosecond() / 1_000_000, &mut text[20..23]);
        text
    })
}

/// `2018-01-31`; nothing for a date outside the years 0 to 9999.
pub(crate) fn date(days: i32) -> Option<[u8; 10]> {
    let date = days.checked_add(EPOCH_FROM_COMMON_ERA).and_then(NaiveDate::from_num_days_from_ce_opt)?;
    (0..=9999).contains(&date.year()).then(|| {
        let mut text = *b"0000-00-00";
        put_date(date, &mut text);
        text
    })
}

fn put_date(date: NaiveDate, out: &mut [u8]) {
    put(date.year().unsigned_abs(), &mut out[0..4]);
    put(date.month(), &mut out[5..7]);
    put(date.day(), &mut out[8..10]);
}

fn put(mut number: u32, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_rfc_3339_and_utc_where_it_says_no_zone() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2018-01-31T02:18:21.235Z", 1_517_365_101_235),
            ("2018-01-31T02:18:21.235", 1_517_365_101_235),
            ("2018-01-31 02:18:21.2351239999z", 1_517_365_101_235),
            ("2018-01-31t03:18:21.2+01:00", 1_517_365_101_200),
            ("2018-01-30T20:48:21-05:30", 1_517_365_101_000),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(parse_timestamp(text), Some(millis), "{text}");
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_no_timestamp() {
        for text in [
            "",
            "now",
            "2018-01-31",
            "2018-01-31T02:18",
            "2018-02-30T00:00:00Z",
            "2018-1-31T02:18:21Z",
            "2018-01-31T24:00:00Z",
            "2018-01-31T02:18:21.Z",
            "2018-01-31T02:18:21+0100",
            "2018-01-31T02:18:21+24:00",
            "2018-01-31T02:18:21ZZ",
            "2018-01-31T02:18:21 Z",
            "2018-01-31T02:60:21Z",
            "2018-01-31T02:18:61Z",
            "+018-01-31T02:18:21Z",
            "２018-01-31T02:18:21Z",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let written = |millis| timestamp(millis).map(|text| String::from_utf8(text.to_vec()).expect("ASCII"));
        assert_eq!(written(1_517_365_101_235).as_deref(), Some("2018-01-31T02:18:21.235Z"));
        for millis in [0, -1, 1, 951_782_400_000, -62_167_219_200_000, 253_402_300_799_999, 1_709_164_800_007] {
            assert_eq!(written(millis).as_deref().and_then(parse_timestamp), Some(millis));
        }
        assert_eq!((written(253_402_300_800_000), written(i64::MIN)), (None, None));
    }

    #[test]
    fn dates_are_read_and_written() {
        assert_eq!(parse_date("2024-02-29"), Some(19_782));
        assert_eq!(parse_date("2023-02-29"), None);
        assert_eq!(parse_date("2023-02-9"), None);
        assert_eq!(date(19_782).as_ref(), Some(b"2024-02-29"));
        assert_eq!(date(i32::MAX), None);
    }
}
