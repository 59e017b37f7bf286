//! Where a number ends, as JSON writes numbers.

/// The end of the unsigned number that starts here, if one does.
pub(crate) fn skip_number(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = match *bytes.get(at)? {
        b'0' => at + 1,
        b'1'..=b'9' => skip_digits(bytes, at + 1),
        _ => return None,
    };
    if bytes.get(end) == Some(&b'.') {
        end = skip_some_digits(bytes, end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        end += 1;
        if let Some(b'+' | b'-') = bytes.get(end) {
            end += 1;
        }
        end = skip_some_digits(bytes, end)?;
    }
    Some(end)
}

fn skip_digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

fn skip_some_digits(bytes: &[u8], at: usize) -> Option<usize> {
    let end = skip_digits(bytes, at);
    (end > at).then_some(end)
}

/// Whether a text is a number, as JSON writes it, and nothing else.
pub(super) fn is_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let start = usize::from(bytes.first() == Some(&b'-'));
    skip_number(bytes, start) == Some(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::is_number;

    #[test]
    fn a_number_is_what_json_says() {
        for number in ["0", "-0", "7", "-12.50", "1e9", "1E-9", "0.1e+2"] {
            assert!(is_number(number), "{number}");
        }
        for text in ["", "-", "+1", "01", ".5", "5.", "1e", "NaN", "inf", "1 ", " 1", "1_000", "0x1", "1,5"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
