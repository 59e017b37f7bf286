//! Finds the values of columns in a line, the quick way: for lines without faults, which nearly all are.

use serde::de::IgnoredAny;

use super::layout::Layout;
use crate::value::number::skip_number;

/// Where a value stands in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub start: u32,
    pub end: u32,
    /// It is known to be a text without escapes.
    pub plain: bool,
}

impl Place {
    pub(super) fn of(self, line: &str) -> &str {
        &line[self.start as usize..self.end as usize]
    }
}

/// Finds the value of each column. `None` for a line that isn't one JSON object, and for anything else that needs a closer look:
/// a name with escapes, a column twice, a field that is no column where those are rejected. What it takes, `serde_json` takes as the
/// same (a property test compares them), so that errors are left to that.
pub(super) fn scan(line: &str, layout: &mut Layout, places: &mut [Option<Place>], reject_unknown: bool) -> Option<()> {
    let bytes = line.as_bytes();
    let mut at = token(bytes, skip_space(bytes, 0), b'{')?;
    if let Some(end) = token(bytes, at, b'}') {
        return (end == bytes.len()).then_some(());
    }
    for field in 0.. {
        let name_start = at;
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let name_end = skip_plain(bytes, at + 1);
        at = token(bytes, token(bytes, name_end, b'"')?, b':')?;
        let start = at;
        let (end, plain) = skip_value(line, at)?;
        match layout.column(field, &line[name_start + 1..name_end]) {
            Some(column) if places[column].is_some() => return None,
            #[expect(clippy::cast_possible_truncation, reason = "a line is at most 1 GiB long")]
            Some(column) => places[column] = Some(Place { start: start as u32, end: end as u32, plain }),
            None if reject_unknown => return None,
            None => {}
        }
        at = skip_space(bytes, end);
        match token(bytes, at, b',') {
            Some(next) => at = next,
            None => break,
        }
    }
    (token(bytes, at, b'}')? == bytes.len()).then_some(())
}

pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Where the next token starts behind this one, if this one stands here.
#[inline]
fn token(bytes: &[u8], at: usize, token: u8) -> Option<usize> {
    (bytes.get(at) == Some(&token)).then(|| skip_space(bytes, at + 1))
}

/// Arrays and objects this deep within each other are left to `serde_json`, which needs no stack for them.
const DEEP: usize = 32;

/// The end of the value that starts here, and whether it is a text without escapes.
#[inline]
pub(super) fn skip_value(line: &str, at: usize) -> Option<(usize, bool)> {
    skip_within(line, at, 0)
}

/// The same within so many arrays and objects.
#[inline]
fn skip_within(line: &str, at: usize, depth: usize) -> Option<(usize, bool)> {
    let bytes = line.as_bytes();
    match *bytes.get(at)? {
        b'"' => skip_text(bytes, at + 1),
        b'-' => Some((skip_number(bytes, at + 1)?, false)),
        b'0'..=b'9' => Some((skip_number(bytes, at)?, false)),
        b't' => bytes[at..].starts_with(b"true").then_some((at + 4, false)),
        b'f' => bytes[at..].starts_with(b"false").then_some((at + 5, false)),
        b'n' => bytes[at..].starts_with(b"null").then_some((at + 4, false)),
        b'[' | b'{' if depth == DEEP => {
            let mut nested = serde_json::Deserializer::from_str(&line[at..]).into_iter::<IgnoredAny>();
            nested.next()?.ok()?;
            Some((at + nested.byte_offset(), false))
        }
        b'[' => Some((skip_array(line, at, depth + 1)?, false)),
        b'{' => Some((skip_object(line, at, depth + 1)?, false)),
        _ => None,
    }
}

fn skip_array(line: &str, at: usize, depth: usize) -> Option<usize> {
    let bytes = line.as_bytes();
    let mut at = skip_space(bytes, at + 1);
    if bytes.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        at = skip_space(bytes, skip_within(line, at, depth)?.0);
        match token(bytes, at, b',') {
            Some(next) => at = next,
            None => return (bytes.get(at) == Some(&b']')).then_some(at + 1),
        }
    }
}

fn skip_object(line: &str, at: usize, depth: usize) -> Option<usize> {
    let bytes = line.as_bytes();
    let mut at = skip_space(bytes, at + 1);
    if bytes.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        at = token(bytes, skip_space(bytes, skip_text(bytes, at + 1)?.0), b':')?;
        at = skip_space(bytes, skip_within(line, at, depth)?.0);
        match token(bytes, at, b',') {
            Some(next) => at = next,
            None => return (bytes.get(at) == Some(&b'}')).then_some(at + 1),
        }
    }
}

/// The end of a text, behind its closing quote, from behind its opening one; and whether it has no escapes.
#[inline]
fn skip_text(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut plain = true;
    loop {
        at = skip_plain(bytes, at);
        match *bytes.get(at)? {
            b'"' => return Some((at + 1, plain)),
            b'\\' => {
                plain = false;
                at = skip_escape(bytes, at + 1)?;
            }
            _ => return None,
        }
    }
}

fn skip_escape(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => bytes.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
        _ => None,
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES * 0x80;

/// The place of the next quote, backslash or control character, or the end of the bytes. Eight bytes at once.
#[inline]
pub(super) fn skip_plain(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
        let word = u64::from_le_bytes(eight);
        let is = |byte: u8| {
            let difference = word ^ (ONES * u64::from(byte));
            difference.wrapping_sub(ONES) & !difference
        };
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        // Borrows can mark bytes behind the first that is one of these, never before it.
        let found = (is(b'"') | is(b'\\') | control) & HIGHS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(line: &str) -> Option<Vec<Option<&str>>> {
        let mut layout = Layout::new(["a", "b"].into_iter());
        let mut places = [None; 2];
        scan(line, &mut layout, &mut places, false)?;
        Some(places.iter().map(|place| place.map(|place| place.of(line))).collect())
    }

    #[test]
    fn values_are_found_wherever_they_stand() {
        assert_eq!(found(r#"{"a":1,"b":"x"}"#), Some(vec![Some("1"), Some("\"x\"")]));
        assert_eq!(
            found(" {\t\"b\" : [1, {\"a\": \"]\"}] ,\r\"c\":null , \"a\":-0.5e+10 } "),
            Some(vec![Some("-0.5e+10"), Some("[1, {\"a\": \"]\"}]")])
        );
        assert_eq!(found("{}"), Some(vec![None, None]));
        assert_eq!(found("{ } "), Some(vec![None, None]));
    }

    #[test]
    fn the_first_byte_that_ends_plain_text_is_found_at_any_place() {
        for end in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for place in 0..40 {
                for filler in [b'a', b'!', b'#', b'[', b']', b' ', 0x7f, 0xc3, 0xff] {
                    let mut bytes = vec![filler; 40];
                    assert_eq!(skip_plain(&bytes, 0), 40);
                    bytes[place] = end;
                    assert_eq!(skip_plain(&bytes, 0), place, "{end} after {filler}");
                }
            }
        }
    }

    /// JSON, and what is nearly JSON.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            8 => r#"[{}\[\]:,"\\ ]"#,
            4 => r#""(a|b|c|\\u00e9|\\x|\\"|é|long enough for a word){0,2}""#,
            4 => "-?(0|[1-9][0-9]?|01)(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?",
            2 => "true|false|null|nul|True",
            1 => any::<String>(),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// JSON with arrays and objects, and what is nearly that.
    fn nearly_nested() -> impl Strategy<Value = String> {
        let leaf = "(-?[0-9]{1,2}|\"(a|\\\\u00e9|\\\\x|b)?\"|null|tru|true|\\[ ?\\]|\\{ ?\\}|)";
        leaf.prop_recursive(4, 24, 4, |inner| {
            let items = prop::collection::vec((inner.clone(), "[, ]{0,2}|, ?|, ?|, ?"), 0..4);
            let array = items.prop_map(|items| items.into_iter().map(|(item, comma)| item + &comma).collect::<String>());
            let fields = prop::collection::vec((r#""(a|b|c|\\n)" ?: ?"#, inner, ",? ?|, ?"), 0..4);
            let object = fields
                .prop_map(|fields| fields.into_iter().map(|(name, value, comma)| name + &value + &comma).collect::<String>());
            let trimmed = |text: String| text.trim_end_matches([',', ' ']).to_owned();
            prop_oneof![
                4 => array.clone().prop_map(move |array| format!("[{}]", trimmed(array))),
                4 => object.clone().prop_map(move |object| format!("{{{}}}", trimmed(object))),
                1 => array.prop_map(|array| format!("[{array}]")),
                1 => object.prop_map(|object| format!("{{{object}]")),
            ]
        })
        .prop_map(|nested| format!("{{\"a\":{nested}}}"))
    }

    fn nearly_object() -> impl Strategy<Value = String> {
        let value = prop_oneof![4 => "-?[0-9]{1,2}(\\.[0-9]+)?", 4 => "\"[a-z\\\\u00e9]{0,12}\"", 1 => nearly_json()];
        prop::collection::vec((r#""(a|b|c)" ?:"#, value, r",? ?"), 0..4).prop_map(|fields| {
            let inside: String = fields.into_iter().map(|(name, value, comma)| name + &value + &comma).collect();
            format!("{{{inside}}}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn what_is_taken_serde_json_takes_as_the_same(line in prop_oneof![nearly_json(), nearly_object(), nearly_nested()]) {
            use std::collections::BTreeMap;
            use serde_json::value::RawValue;
            let parsed = serde_json::from_str::<BTreeMap<String, &RawValue>>(&line);
            if let Some(found) = found(&line) {
                let parsed = parsed.expect("what was taken is JSON");
                let expected: Vec<_> = ["a", "b"].iter().map(|name| parsed.get(*name).map(|value| value.get())).collect();
                prop_assert_eq!(found, expected);
            } else {
                // What is left to serde_json is no object, or has an escape in a name or a field twice.
                prop_assert!(parsed.is_err() || line.contains('\\') || line.matches("\"a\"").count() > 1 || line.matches("\"b\"").count() > 1);
            }
        }
    }
}
