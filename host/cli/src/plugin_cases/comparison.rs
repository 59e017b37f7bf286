//! What differs between the lines that were expected and those that came: rows aligned, fields that changed named.

use std::ops::Range;

use serde::Serialize;
use serde_json::value::RawValue;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::case::Outcome;

/// How a file of a case differs from what came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Its name.
    pub file: String,
    /// All rows, in order; those that are the same aren't printed.
    #[serde(serialize_with = "those_that_differ")]
    pub rows: Vec<Row>,
    /// Rows that are in both and differ.
    pub changed: usize,
    /// Rows that were expected and didn't come.
    pub missing: usize,
    /// Rows that came and weren't expected.
    pub unexpected: usize,
}

/// A row of either side.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Row {
    /// As expected.
    Same {
        /// Its line in what came, from 1.
        line: usize,
        /// The row.
        text: String,
    },
    /// Another than expected.
    Changed {
        /// Its line in what was expected, and in what came, from 1.
        lines: (usize, usize),
        /// What was expected.
        expected: String,
        /// What came.
        found: String,
        /// The fields that differ.
        fields: Vec<Field>,
    },
    /// Expected, but not there.
    Missing {
        /// Its line in what was expected, from 1.
        line: usize,
        /// The row.
        text: String,
    },
    /// There, but not expected.
    Unexpected {
        /// Its line in what came, from 1.
        line: usize,
        /// The row.
        text: String,
    },
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What was expected, as JSON; nothing where the field wasn't.
    pub expected: Option<String>,
    /// What came; nothing where it didn't.
    pub found: Option<String>,
    /// Where its value stands in the row that came, in bytes.
    #[serde(skip)]
    pub place: Option<Range<usize>>,
}

fn those_that_differ<S: serde::Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().filter(|row| !matches!(row, Row::Same { .. })))
}

/// The files that differ.
#[must_use]
pub fn compare(expected: &Outcome, found: &Outcome) -> Vec<Difference> {
    let pairs = expected.iter().zip(found);
    pairs
        .filter(|(expected, found)| expected.1 != found.1)
        .map(|((file, expected), (_, found))| difference(file, expected, found))
        .collect()
}

fn difference(file: &str, expected: &[String], found: &[String]) -> Difference {
    let mut difference = Difference { file: file.to_owned(), rows: Vec::new(), changed: 0, missing: 0, unexpected: 0 };
    for part in capture_diff_slices(Algorithm::Myers, expected, found) {
        if let DiffOp::Equal { new_index, len, .. } = part {
            let same = (new_index..new_index + len).map(|at| Row::Same { line: at + 1, text: found[at].clone() });
            difference.rows.extend(same);
            continue;
        }
        let (old, new) = (part.old_range(), part.new_range());
        let both = old.len().min(new.len());
        for (was, is) in old.clone().zip(new.clone()) {
            let (expected, found) = (expected[was].clone(), found[is].clone());
            let fields = fields(&expected, &found);
            difference.rows.push(Row::Changed { lines: (was + 1, is + 1), expected, found, fields });
        }
        difference.changed += both;
        difference.missing += old.len() - both;
        difference.unexpected += new.len() - both;
        difference.rows.extend(old.skip(both).map(|at| Row::Missing { line: at + 1, text: expected[at].clone() }));
        difference.rows.extend(new.skip(both).map(|at| Row::Unexpected { line: at + 1, text: found[at].clone() }));
    }
    difference
}

/// The fields in which two rows differ: those that came, in their order, then those that are missing.
fn fields(expected: &str, found: &str) -> Vec<Field> {
    let (Some(wanted), Some(came)) = (fields_of(expected), fields_of(found)) else { return Vec::new() };
    let value = |fields: &[(String, &RawValue)], name: &str| {
        fields.iter().find(|(known, _)| known == name).map(|(_, json)| json.get().to_owned())
    };
    let mut differ = Vec::new();
    for (name, json) in &came {
        let expected = value(&wanted, name);
        if expected.as_deref() != Some(json.get()) {
            let start = json.get().as_ptr() as usize - found.as_ptr() as usize;
            let place = Some(start..start + json.get().len());
            differ.push(Field { name: name.clone(), expected, found: Some(json.get().to_owned()), place });
        }
    }
    let missing = wanted.iter().filter(|(name, _)| value(&came, name).is_none());
    differ.extend(missing.map(|(name, json)| Field {
        name: name.clone(),
        expected: Some(json.get().to_owned()),
        found: None,
        place: None,
    }));
    differ
}

/// The fields of an object, in order, where they stand in its text.
fn fields_of(text: &str) -> Option<Vec<(String, &RawValue)>> {
    struct InOrder<'a>(Vec<(String, &'a RawValue)>);
    impl<'de> serde::Deserialize<'de> for InOrder<'de> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Fields;
            impl<'de> serde::de::Visitor<'de> for Fields {
                type Value = InOrder<'de>;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<InOrder<'de>, A::Error> {
                    let mut fields = Vec::new();
                    while let Some(field) = map.next_entry()? {
                        fields.push(field);
                    }
                    Ok(InOrder(fields))
                }
            }
            deserializer.deserialize_map(Fields)
        }
    }
    serde_json::from_str::<InOrder<'_>>(text).ok().map(|InOrder(fields)| fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn rows_are_aligned_so_that_one_that_is_missing_changes_no_other() {
        let expected = lines(&[r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#, r#"{"n":4}"#]);
        let found = lines(&[r#"{"n":1}"#, r#"{"n":3}"#, r#"{"n":5}"#, r#"{"n":6}"#]);
        let difference = difference("expected.jsonl", &expected, &found);
        assert_eq!((difference.changed, difference.missing, difference.unexpected), (1, 1, 1));
        assert_eq!(difference.rows[1], Row::Missing { line: 2, text: r#"{"n":2}"#.to_owned() });
        assert_eq!(difference.rows[2], Row::Same { line: 2, text: r#"{"n":3}"#.to_owned() });
        assert!(matches!(&difference.rows[3], Row::Changed { lines: (4, 3), .. }), "{difference:?}");
        assert_eq!(difference.rows[4], Row::Unexpected { line: 4, text: r#"{"n":6}"#.to_owned() });
    }

    #[test]
    fn fields_that_differ_are_named_with_their_place() {
        let differ = fields(r#"{"a":1,"b":"x","c":null}"#, r#"{"a":1,"b":"y","d":[1]}"#);
        let field = |name: &str, expected: Option<&str>, found: Option<&str>, place| Field {
            name: name.to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
            place,
        };
        assert_eq!(
            differ,
            [
                field("b", Some("\"x\""), Some("\"y\""), Some(11..14)),
                field("d", None, Some("[1]"), Some(19..22)),
                field("c", Some("null"), None, None),
            ]
        );
        assert_eq!(fields("[]", "{}"), []);
    }
}
