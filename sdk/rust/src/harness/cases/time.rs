//! Days and instants as text: RFC 3339, with years of four digits.

const DAY: i64 = 86_400_000;

/// The day `YYYY-MM-DD`, in days since the epoch.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?);
    let days = days_of(year, month, day);
    (civil(days) == (year, month, day)).then(|| i32::try_from(days).ok()).flatten()
}

/// The instant `YYYY-MM-DDTHH:MM:SS`, with a fraction and a zone or without, in milliseconds since the epoch.
pub(super) fn parse_timestamp(text: &str) -> Option<i64> {
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let days = i64::from(parse_date(&text[..10])?);
    let bytes = text.as_bytes();
    if !matches!(bytes[10], b'T' | b't' | b' ') || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = &text[19..];
    let mut millis = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        millis = number(&format!("{:0<3}", &fraction[..digits.min(3)])).filter(|_| digits > 0)?;
        rest = &fraction[digits..];
    }
    let offset = match rest.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let minutes = number(&rest[1..3])? * 60 + number(&rest[4..])?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    Some(days * DAY + ((hour * 60 + minute - offset) * 60 + second) * 1_000 + millis)
}

/// A day as text.
pub(super) fn date_text(days: i32) -> String {
    let (year, month, day) = civil(days.into());
    format!("{year:04}-{month:02}-{day:02}")
}

/// An instant as text, to the millisecond.
pub(super) fn timestamp_text(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let (seconds, millis) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Days since the epoch of a day of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since the epoch: the inverse of [`days_of`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_the_same_in_every_zone_and_comes_back_as_text() {
        assert_eq!(parse_timestamp("2018-01-31T02:18:21.235Z"), Some(1_517_365_101_235));
        assert_eq!(parse_timestamp("2018-01-31T04:18:21.235999+02:00"), Some(1_517_365_101_235));
        assert_eq!(parse_timestamp("1970-01-01T00:00:00"), Some(0));
        assert_eq!(timestamp_text(1_517_365_101_235), "2018-01-31T02:18:21.235Z");
        assert_eq!(timestamp_text(-1), "1969-12-31T23:59:59.999Z");
        for wrong in ["2018-02-30T00:00:00Z", "2018-01-31T24:00:00Z", "2018-01-31", "2018-01-31T00:00:00.Z", "soon"] {
            assert_eq!(parse_timestamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_day_of_some_centuries_comes_back() {
        for days in (-200_000..200_000).step_by(37) {
            assert_eq!(parse_date(&date_text(days)), Some(days));
        }
        assert_eq!(parse_date("2000-02-29"), Some(11_016));
        assert_eq!(parse_date("1900-02-29"), None);
    }
}
