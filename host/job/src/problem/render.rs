//! A problem as people see it: what and where, the line itself with a caret, and what to do.

use crate::problem::excerpt::{Excerpt, clean};
use crate::problem::{Problem, Severity, Words};

/// The most characters that are shown of what was found.
const MOST: usize = 220;

/// A problem as text of several lines, without a newline at the end. `text` is the job file's.
#[must_use]
pub fn render(problem: &Problem, text: &str) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let found = match &problem.found {
        Some(Words::Verbatim(written)) => format!("found `{}`, ", clipped(written)),
        Some(Words::Phrase(words)) => format!("found {}, ", clipped(words)),
        Some(Words::Sentence(sentence)) => format!("{}; ", clipped(sentence)),
        None => String::new(),
    };
    let place = Excerpt {
        file: &problem.file,
        line: problem.line,
        column: problem.column,
        path: &clipped(&problem.path),
        text: problem.line.and_then(|line| text.lines().nth(line.checked_sub(1)?)),
    };
    let mut out = format!("{severity}[{}]: {found}expected {}\n{place}", problem.code, clean(&problem.expected));
    match &problem.suggestion {
        Some(Words::Verbatim(name)) => out.push_str(&format!("\n   = did you mean `{}`?", clipped(name))),
        Some(Words::Phrase(words) | Words::Sentence(words)) => out.push_str(&format!("\n   = {}", clean(words))),
        None => {}
    }
    out
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", clean(&text[..end])),
        None => clean(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{Place, Spot};
    use crate::problem::{Problems, code};

    fn spot(line: usize, column: usize) -> Spot {
        Spot { place: Place::File { line, column }, path: "operators.strong.filter".to_owned() }
    }

    fn one(report: impl FnOnce(&mut Problems)) -> Problem {
        let mut problems = Problems::new("job.yaml");
        report(&mut problems);
        problems.into_sorted().remove(0)
    }

    #[test]
    fn a_problem_is_the_object_of_the_contract() {
        let problem = one(|problems| {
            problems.error(code::UNKNOWN_COLUMN, &spot(12, 7)).found("magg").expected("a column of quakes").meant("mag");
        });
        assert_eq!(
            serde_json::to_string(&problem).expect("JSON"),
            r#"{"code":"unknown-column","severity":"error","file":"job.yaml","line":12,"column":7,"path":"operators.strong.filter","found":"magg","expected":"a column of quakes","suggestion":"mag"}"#
        );
    }

    #[test]
    fn people_see_the_line_with_a_caret_and_the_nearest_name() {
        let problem = one(|problems| {
            problems.error(code::UNKNOWN_COLUMN, &spot(2, 20)).found("magg").expected("a column of quakes").meant("mag");
        });
        let text = "operators:\n  strong: { filter: \"magg >= 1\" }\n";
        assert_eq!(
            render(&problem, text),
            "error[unknown-column]: found `magg`, expected a column of quakes\n  --> job.yaml:2:20 (operators.strong.filter)\n  |\n2 |   strong: { filter: \"magg >= 1\" }\n  |                    ^\n   = did you mean `mag`?"
        );
    }

    #[test]
    fn a_problem_of_an_option_has_no_line() {
        let problem = one(|problems| {
            let spot = Spot { place: Place::Option("--set"), path: "parallelism".to_owned() };
            problems.warning(code::INVALID_VALUE, &spot).found_to_be("0").expected("at least 1").advice("leave it out");
        });
        assert_eq!(
            render(&problem, "name: x"),
            "warning[invalid-value]: found 0, expected at least 1\n  --> --set (parallelism)\n   = leave it out"
        );
    }

    #[test]
    fn long_lines_are_cut_and_control_characters_are_not_sent_to_the_terminal() {
        let problem = one(|problems| {
            problems.error(code::INVALID_YAML, &spot(1, 500)).found("\u{1b}[31m").expected("text");
        });
        let rendered = render(&problem, &format!("{}\u{1b}x{}", "a".repeat(499), "b".repeat(500)));
        assert!(rendered.lines().all(|line| line.chars().count() < 130), "{rendered}");
        assert!(!rendered.contains('\u{1b}'), "{rendered}");
        assert!(rendered.contains("found `\u{fffd}[31m`"), "{rendered}");
    }
}
