//! A difference as people read it: rows of both sides below each other, marks under what changed, some rows around.

use std::fmt::Write as _;

use super::comparison::{Difference, Field, Row};

/// Rows shown before and after one that differs.
const AROUND: usize = 2;
/// Rows that differ and are shown, of a file.
const MOST: usize = 20;

/// The difference of one file.
#[must_use]
pub fn shown(difference: &Difference) -> String {
    let Difference { file, rows, changed, missing, unexpected } = difference;
    let counts = [(changed, "changed"), (missing, "missing"), (unexpected, "unexpected")];
    let counts: Vec<_> = counts.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let mut text = format!("  {file}: {}\n", counts.join(", "));
    let (mut differ, mut last) = (0, None);
    for (at, row) in rows.iter().enumerate() {
        let near = rows[at.saturating_sub(AROUND)..rows.len().min(at + AROUND + 1)].iter().any(|row| !is_same(row));
        if !near {
            continue;
        }
        differ += usize::from(!is_same(row));
        if differ > MOST {
            let left = changed + missing + unexpected - MOST;
            let _ = writeln!(text, "          … and {left} more that differ");
            break;
        }
        if last.map_or(at > 0, |last| at > last + 1) {
            text.push_str("          …\n");
        }
        last = Some(at);
        show(&mut text, row);
    }
    text
}

fn is_same(row: &Row) -> bool {
    matches!(row, Row::Same { .. })
}

// Writing to a string can't fail.
fn show(text: &mut String, row: &Row) {
    let mut line = |mark: char, line: usize, row: &str| {
        let _ = writeln!(text, "  {mark} {line:>5} | {row}");
    };
    match row {
        Row::Same { line: at, text } => line(' ', *at, text),
        Row::Missing { line: at, text } => line('-', *at, text),
        Row::Unexpected { line: at, text } => line('+', *at, text),
        Row::Changed { lines, expected, found, fields } => {
            line('-', lines.0, expected);
            line('+', lines.1, found);
            marks(text, found, fields);
        }
    }
}

/// Marks under what changed, then what each field was and is.
fn marks(text: &mut String, found: &str, fields: &[Field]) {
    let mut marks = String::new();
    for place in fields.iter().filter_map(|field| field.place.clone()) {
        let width = |range| found.get(range).map_or(0, |part: &str| part.chars().count());
        let column = width(0..place.start);
        let from = marks.chars().count();
        marks.extend(std::iter::repeat_n(' ', column.saturating_sub(from)));
        marks.extend(std::iter::repeat_n('^', width(place)));
    }
    if !marks.is_empty() {
        let _ = writeln!(text, "          | {marks}");
    }
    for Field { name, expected, found, .. } in fields {
        let or_nothing = |json: &Option<String>| json.clone().unwrap_or_else(|| "no such field".to_owned());
        let _ = writeln!(text, "          | {name}: expected {}, found {}", or_nothing(expected), or_nothing(found));
    }
}

#[cfg(test)]
mod tests {
    use super::super::comparison::compare;
    use super::*;

    fn text(expected: &[String], found: &[String]) -> String {
        let outcome = |lines: &[String]| vec![("expected.jsonl".to_owned(), lines.to_vec())];
        compare(&outcome(expected), &outcome(found)).iter().map(shown).collect()
    }

    #[test]
    fn a_changed_row_has_marks_under_its_fields_and_rows_around_it() {
        let rows = |changed: &str| -> Vec<String> {
            let mut rows: Vec<_> = (1..=9).map(|n| format!(r#"{{"n":{n},"é":1.5}}"#)).collect();
            rows[4] = changed.to_owned();
            rows
        };
        assert_eq!(
            text(&rows(r#"{"n":5,"é":1.5}"#), &rows(r#"{"n":50,"é":2.5}"#)),
            r#"  expected.jsonl: 1 changed
          …
        3 | {"n":3,"é":1.5}
        4 | {"n":4,"é":1.5}
  -     5 | {"n":5,"é":1.5}
  +     5 | {"n":50,"é":2.5}
          |      ^^     ^^^
          | n: expected 5, found 50
          | é: expected 1.5, found 2.5
        6 | {"n":6,"é":1.5}
        7 | {"n":7,"é":1.5}
"#
        );
    }

    #[test]
    fn rows_that_are_missing_or_unexpected_are_counted() {
        let rows = |range: std::ops::Range<usize>| range.map(|n| format!(r#"{{"n":{n}}}"#)).collect::<Vec<_>>();
        assert_eq!(text(&rows(0..1), &[]), "  expected.jsonl: 1 missing\n  -     1 | {\"n\":0}\n");
        let many = text(&[], &rows(0..30));
        assert!(many.starts_with("  expected.jsonl: 30 unexpected\n  +     1 | {\"n\":0}\n"), "{many}");
        assert!(many.ends_with("  +    20 | {\"n\":19}\n          … and 10 more that differ\n"), "{many}");
        assert_eq!(text(&rows(0..3), &rows(0..3)), "");
    }
}
