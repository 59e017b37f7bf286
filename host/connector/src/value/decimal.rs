//! A decimal from its text, without loss.

/// Reads a decimal written as a JSON number is, as an integer of `10^-scale`. `None` where it isn't written so, has more digits
/// behind the point than `scale` (zeros at the end don't count), or needs more than `precision` digits.
pub(super) fn parse(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?.clamp(-1_000_000_000, 1_000_000_000)),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let digits = || whole.bytes().chain(fraction.bytes());
    let zeros_at_end = digits().rev().take_while(|digit| *digit == b'0').count();
    let significant = whole.len() + fraction.len() - zeros_at_end;
    let mut value = 0_i128;
    for (index, digit) in digits().enumerate() {
        if !digit.is_ascii_digit() {
            return None;
        }
        if index < significant {
            value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
    }
    if value == 0 {
        return Some(0);
    }
    // The decimal is `value * 10^(whole - significant + exponent)`; below zero, `shift` would lose digits.
    let shift = i64::try_from(whole.len()).ok()? - i64::try_from(significant).ok()? + exponent + i64::from(scale);
    let unscaled = value.checked_mul(10_i128.checked_pow(u32::try_from(shift).ok()?)?)?;
    let fits = unscaled < 10_i128.checked_pow(u32::from(precision))?;
    fits.then_some(if negative { -unscaled } else { unscaled })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_decimal_is_read_to_the_last_digit() {
        for (text, unscaled) in [
            ("0", 0),
            ("-0.00", 0),
            ("1", 100),
            ("-1.5", -150),
            ("1.50", 150),
            ("1.5000", 150),
            ("100", 10_000),
            ("12.34", 1234),
            ("1e2", 10_000),
            ("1.5E+1", 1500),
            ("150e-2", 150),
            ("0.01", 1),
            ("0e5000000000", 0),
            ("99999999.99", 9_999_999_999),
        ] {
            assert_eq!(parse(text, 10, 2), Some(unscaled), "{text}");
        }
        assert_eq!(parse("99999999999999999999999999999999999999", 38, 0), Some(10_i128.pow(38) - 1));
    }

    #[test]
    fn what_would_lose_a_digit_is_no_decimal() {
        for text in ["1.005", "1e-3", "100000000", "1e99", "1e5000000000", "1e-5000000000"] {
            assert_eq!(parse(text, 10, 2), None, "{text}");
        }
        assert_eq!(parse("100000000000000000000000000000000000000", 38, 0), None);
    }

    #[test]
    fn what_is_no_json_number_is_no_decimal() {
        for text in ["", "-", ".5", "5.", "01", "+1", " 1", "1 ", "1e", "e1", "1.2.3", "0x1", "NaN", "1_000", "--1", "1e1.5"] {
            assert_eq!(parse(text, 10, 2), None, "{text}");
        }
    }
}
