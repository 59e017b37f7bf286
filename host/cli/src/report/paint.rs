//! The colours of an error: its head by how bad it is, the margin and the place in blue.

const RESET: &str = "\u{1b}[0m";
const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const BLUE: &str = "\u{1b}[1;34m";

/// A text with colours, for a terminal.
#[must_use]
pub fn painted(text: &str) -> String {
    let mut lines = text.split('\n');
    let head = lines.next().map(head).unwrap_or_default();
    lines.fold(head, |text, line| format!("{text}\n{}", below(line)))
}

fn head(line: &str) -> String {
    let colour = match line {
        line if line.starts_with("error") => RED,
        line if line.starts_with("warning") => YELLOW,
        line if line.starts_with("note") => BLUE,
        _ => return line.to_owned(),
    };
    match line.split_once(": ") {
        Some((kind, rest)) => format!("{colour}{kind}:{RESET} {rest}"),
        None => line.to_owned(),
    }
}

/// A line below the head: the place, the margin of an excerpt with its caret, or what to do.
fn below(line: &str) -> String {
    for mark in ["  --> ", "   = "] {
        if let Some(rest) = line.strip_prefix(mark) {
            return format!("{BLUE}{mark}{RESET}{rest}");
        }
    }
    match line.split_once(" |") {
        Some((number, rest)) if number.chars().all(|c| c.is_ascii_digit() || c == ' ') => {
            let rest = if rest.trim_start() == "^" { format!("{RED}{rest}{RESET}") } else { rest.to_owned() };
            format!("{BLUE}{number} |{RESET}{rest}")
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_nothing_but_colours() {
        let text = "error[c]: a: b\n  --> f:1:2\n  |\n1 | a | b\n  |  ^\n   = do";
        let painted = painted(text);
        assert!(painted.starts_with("\u{1b}[1;31merror[c]:\u{1b}[0m a: b\n"), "{painted:?}");
        let plain = [RESET, RED, YELLOW, BLUE].iter().fold(painted, |text, colour| text.replace(colour, ""));
        assert_eq!(plain, text);
    }
}
