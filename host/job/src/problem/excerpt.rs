//! A place in a file as people see it: its name, and the line itself with a caret under the place.

use std::fmt::{self, Display, Formatter};

/// The most characters that are shown of a line.
const WIDTH: usize = 110;

/// A place in a file. It is shown as several lines, without a newline at the end.
#[derive(Debug, Clone, Copy)]
pub struct Excerpt<'a> {
    /// The file as it was named.
    pub file: &'a str,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// The dotted path of what stands there; empty for none.
    pub path: &'a str,
    /// The line's text, where it is known.
    pub text: Option<&'a str>,
}

impl Display for Excerpt<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "  --> {}", clean(self.file))?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        let (Some(line), Some(text)) = (self.line, self.text) else { return Ok(()) };
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let (shown, caret) = window(text, self.column.unwrap_or(1));
        write!(f, "\n{margin} |\n{number} | {shown}")?;
        match self.column {
            Some(_) => write!(f, "\n{margin} | {}^", " ".repeat(caret)),
            None => Ok(()),
        }
    }
}

/// The part of a long line around a column, and how far in the column is.
fn window(line: &str, column: usize) -> (String, usize) {
    let caret = column.saturating_sub(1);
    let start = if caret < WIDTH { 0 } else { caret - WIDTH / 2 };
    let shown: String = line.chars().skip(start).take(WIDTH).collect();
    let caret = (caret - start).min(shown.chars().count());
    (clean(&shown), caret)
}

/// Without characters that would move a terminal's cursor or change its colours.
#[must_use]
pub fn clean(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' | '\n' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_a_line_a_column_and_what_stands_there() {
        let place = Excerpt { file: "rows.ndjson", line: Some(7), column: Some(3), path: "", text: Some("{\"a\":x}") };
        assert_eq!(place.to_string(), "  --> rows.ndjson:7:3\n  |\n7 | {\"a\":x}\n  |   ^");
        let place = Excerpt { column: None, text: None, path: "sources.rows", ..place };
        assert_eq!(place.to_string(), "  --> rows.ndjson:7 (sources.rows)");
    }

    #[test]
    fn the_caret_stays_within_a_line_that_is_shorter_or_longer_than_the_screen() {
        assert_eq!(window("ab", 9), ("ab".to_owned(), 2));
        assert_eq!(window("", 0), (String::new(), 0));
        let (shown, caret) = window(&"x".repeat(1_000), 900);
        assert_eq!((shown.len(), caret), (WIDTH, WIDTH / 2));
    }
}
