//! From a row that could not be read to its dead letter.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasmill_flow::dead_letter::{DeadLetter, Kind};

use crate::Malformed;

/// The dead letter of a malformed row: its bytes as text where they are UTF-8, otherwise in base64.
#[must_use]
pub fn dead_letter(job: &str, source: &str, malformed: &Malformed) -> DeadLetter {
    let number = |number: u64| i64::try_from(number).ok();
    let raw = std::str::from_utf8(&malformed.raw).ok();
    DeadLetter {
        job: job.to_owned(),
        kind: Some(Kind::Malformed),
        source: Some(source.to_owned()),
        reason: malformed.reason.clone(),
        file: malformed.file.clone(),
        line: number(malformed.line),
        column: malformed.column.and_then(number),
        byte: number(malformed.byte),
        field: malformed.field.clone(),
        raw: raw.map(str::to_owned),
        raw_base64: raw.is_none().then(|| STANDARD.encode(&malformed.raw)),
        ..DeadLetter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::row_object;
    use wasmill_flow::dead_letter::to_rows;

    fn malformed(raw: &[u8]) -> Malformed {
        Malformed {
            reason: "mag: expected float64, found \"strong\"".to_owned(),
            file: Some("quakes.ndjson".to_owned()),
            line: 17,
            column: Some(23),
            byte: 1893,
            field: Some("mag".to_owned()),
            raw: raw.to_vec(),
        }
    }

    #[test]
    fn a_dead_letter_is_the_pinned_object() {
        let letter = dead_letter("earthquakes", "quakes", &malformed(br#"{"mag":"strong"}"#));
        let expected = r#"{"job":"earthquakes","kind":"malformed","source":"quakes","operator":null,"reason":"mag: expected float64, found \"strong\"","file":"quakes.ndjson","line":17,"column":23,"byte":1893,"field":"mag","raw":"{\"mag\":\"strong\"}","raw_base64":null,"row":null,"key":null,"time":null}"#;
        assert_eq!(row_object(&to_rows(&[letter]), 0), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_in_base64() {
        let letter = dead_letter("j", "s", &malformed(b"\xff\x00"));
        assert_eq!((letter.raw, letter.raw_base64.as_deref()), (None, Some("/wA=")));
    }
}
