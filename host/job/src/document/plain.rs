//! What a scalar without quotes means: the core schema of YAML 1.2 (so `no` and `on` are text).

/// What a scalar means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plain<'a> {
    /// Nothing at all, `null` or `~`.
    Nothing,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number; one that is out of range is a [`Plain::Float`].
    Integer(i128),
    /// A number.
    Float(f64),
    /// Anything else.
    Text(&'a str),
}

impl<'a> Plain<'a> {
    /// The meaning of a text that was written without quotes.
    #[must_use]
    pub fn resolve(text: &'a str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Nothing,
            "true" | "True" | "TRUE" => return Self::Boolean(true),
            "false" | "False" | "FALSE" => return Self::Boolean(false),
            ".nan" | ".NaN" | ".NAN" => return Self::Float(f64::NAN),
            _ => {}
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if let ".inf" | ".Inf" | ".INF" = unsigned {
            return Self::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        let based = |digits: &str, base| i128::from_str_radix(digits, base).ok().filter(|_| !digits.starts_with(['+', '-']));
        let integer = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
            (Some(digits), _) => based(digits, 16),
            (_, Some(digits)) => based(digits, 8),
            _ if unsigned.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        if let Some(integer) = integer {
            return Self::Integer(integer);
        }
        // Rust's own reader also takes `inf`, `nan` and the like, which are text here.
        let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+');
        if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && text.bytes().all(numeric)
            && let Ok(float) = text.parse()
        {
            return Self::Float(float);
        }
        Self::Text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Plain::{self, *};

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        for (text, meaning) in [
            ("", Nothing),
            ("~", Nothing),
            ("null", Nothing),
            ("true", Boolean(true)),
            ("FALSE", Boolean(false)),
            ("12", Integer(12)),
            ("-7", Integer(-7)),
            ("+7", Integer(7)),
            ("0x1F", Integer(31)),
            ("0o17", Integer(15)),
            ("1.5", Float(1.5)),
            (".5", Float(0.5)),
            ("-1e3", Float(-1000.0)),
            (".inf", Float(f64::INFINITY)),
            ("-.inf", Float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(Plain::resolve(text), meaning, "{text}");
        }
        for text in ["no", "on", "yes", "inf", "nan", "-", "+", ".", "1s", "0x", "0x-1", "1_000", "2024-01-01T00:00:00Z", "--1"] {
            assert_eq!(Plain::resolve(text), Text(text), "{text}");
        }
    }
}
