//! What the program says: results to standard output, everything else to standard error, as text for people or as events.

mod paint;

use std::io::{self, Write};

use wasmill_job::catalog::PluginProblem;
use wasmill_job::place::Place;
use wasmill_job::problem::{Excerpt, Problem, Severity, excerpt};
use wasmill_plugin::PluginError;
use wasmill_runtime::{JobError, RowPlace};

use crate::control::message::Refusal;
use crate::event::{self, Event};
use crate::exit::Exit;
use crate::screen;

/// Prints a result. Where standard output is closed or full that is the failure of the command.
pub fn result(text: &str) -> Exit {
    match write_result(text) {
        Ok(()) => Exit::Done,
        Err(error) => {
            self::error(&unwritable(&error));
            Exit::Failed
        }
    }
}

/// Writes a result to standard output, all of it.
///
/// # Errors
/// Where standard output is closed or full.
pub fn write_result(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush()
}

/// The error of a standard output that can't be written.
#[must_use]
pub fn unwritable(error: &io::Error) -> JobError {
    JobError::new("stdout-unwritable", format!("standard output: can't be written: {error}"))
}

/// Prints a remark.
pub fn note(text: &str) {
    remark("note", text);
}

/// Prints a remark with a code of its own.
pub fn remark(code: &str, text: &str) {
    if event::as_json() {
        Event::new("info", code, text).print();
    } else {
        say(&format!("note: {text}"));
    }
}

/// The same for those who can't wait until it is written: it is printed as what is logged is.
pub fn remark_later(code: &str, text: &str) {
    if event::as_json() {
        screen::log(Event::new("info", code, text).line().as_bytes());
    } else {
        screen::log(painted_line(&format!("note: {text}")).as_bytes());
    }
}

/// Prints an error: its code, what was found and where, and what to do.
pub fn error(error: &JobError) {
    error_of(error, None);
}

/// Prints an error of a job that has begun, with the line of the job file that it comes from, or the row.
pub fn error_in(error: &JobError, file: &str, text: &str) {
    error_of(error, Some((file, text)));
}

/// Prints why a running job refused something.
pub fn refusal(refusal: &Refusal) {
    let Refusal { code, message, hint } = refusal;
    if event::as_json() {
        Event::new("error", code, message.as_str()).with("hint", hint.clone()).print();
    } else {
        let hint = hint.as_ref().map(|hint| format!("\n   = hint: {hint}")).unwrap_or_default();
        say(&format!("error[{code}]: {message}{hint}"));
    }
}

fn error_of(error: &JobError, job: Option<(&str, &str)>) {
    if event::as_json() {
        let JobError { code, message, operator, row, place, hint } = error;
        let mut event = Event::new("error", code, message.as_str());
        event = event.with("operator", operator.clone()).with("row", row.clone()).with("hint", hint.clone());
        if let Some(RowPlace { file, line, column, .. }) = place.as_deref() {
            event = event.with("file", file.clone()).with("line", *line).with("column", *column);
        }
        event.print();
    } else {
        say(&as_text(error, job));
    }
}

/// Prints a problem of a job file whose text this is.
pub fn problem(problem: &Problem, text: &str) {
    if !event::as_json() {
        return say(&wasmill_job::render(problem, text));
    }
    let Problem { code, severity, file, line, column, path, found, expected, suggestion } = problem;
    let level = if *severity == Severity::Error { "error" } else { "warn" };
    let found = found.as_ref().map(ToString::to_string);
    let message = match &found {
        Some(found) => format!("{path}: found {found}, expected {expected}"),
        None => format!("{path}: expected {expected}"),
    };
    let event = Event::new(level, code, message.trim_start_matches(": "));
    let event = event.with("file", file.as_str()).with("line", *line).with("column", *column).with("path", path.as_str());
    let suggestion = suggestion.as_ref().map(ToString::to_string);
    event.with("found", found).with("expected", expected.as_str()).with("suggestion", suggestion).print();
}

/// Prints lines to standard error. Where that is closed there is nobody to tell.
pub fn say(text: &str) {
    screen::print(painted_line(text).as_bytes());
}

/// A text as whole lines, with colours where there may be some.
fn painted_line(text: &str) -> String {
    if screen::has_colours() { format!("{}\n", paint::painted(text)) } else { format!("{text}\n") }
}

/// What is wrong with a plugin, as an error of the job.
#[must_use]
pub fn of_plugin(problem: PluginProblem) -> JobError {
    let PluginProblem { code, message, hint } = problem;
    JobError { hint, ..JobError::new(code, message) }
}

/// Why a plugin can't be used, as an error.
#[must_use]
pub fn of_plugin_error(error: PluginError) -> JobError {
    of_plugin(PluginProblem { code: error.code.name(), message: error.message, hint: error.hint })
}

/// An error in the form of a problem; `job` is the job file's name and text, where there is one.
fn as_text(error: &JobError, job: Option<(&str, &str)>) -> String {
    let JobError { code, message, operator, row, place, hint } = error;
    let mut text = format!("error[{code}]: {message}");
    if let Some(place) = place {
        text.push_str(&format!("\n{}", of_row(place)));
    }
    match (operator, job) {
        (Some(operator), Some((file, job))) if place.is_none() => match of_part(operator, file, job) {
            Some(part) => text.push_str(&format!("\n{part}")),
            None => text.push_str(&format!("\n   = operator: {operator}")),
        },
        (Some(operator), _) => text.push_str(&format!("\n   = operator: {operator}")),
        (None, _) => {}
    }
    for (name, value) in [("row", row), ("hint", hint)] {
        if let Some(value) = value {
            text.push_str(&format!("\n   = {name}: {value}"));
        }
    }
    text
}

/// A malformed row with a caret under the byte at which reading failed.
fn of_row(place: &RowPlace) -> String {
    let RowPlace { file, line, column, text } = place;
    let text = text.as_deref().map(|text| text.lines().next().unwrap_or_default());
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let column = column.map(|column| {
        let bytes = number(column).saturating_sub(1);
        // From bytes to characters, as far as the text is known.
        text.map_or(bytes, |text| text.char_indices().take_while(|(at, _)| *at < bytes).count()) + 1
    });
    let file = file.as_deref().unwrap_or("standard input");
    Excerpt { file, line: Some(number(*line)), column, path: "", text }.to_string()
}

/// Where in the job file a source, an operator or a sink stands.
fn of_part(name: &str, file: &str, job: &str) -> Option<String> {
    let spot = wasmill_job::locate(job, name)?;
    let Place::File { line, column } = spot.place else { return None };
    let path = excerpt::clean(&spot.path);
    let text = job.lines().nth(line.checked_sub(1)?);
    Some(Excerpt { file, line: Some(line), column: Some(column), path: &path, text }.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trap() -> JobError {
        JobError {
            operator: Some("graded".to_owned()),
            row: Some("{\"id\":1}".to_owned()),
            hint: Some("set on-poison".to_owned()),
            ..JobError::new("plugin-trap", "divided by zero")
        }
    }

    #[test]
    fn an_error_says_where_on_which_row_and_what_to_do() {
        assert_eq!(
            as_text(&trap(), None),
            "error[plugin-trap]: divided by zero\n   = operator: graded\n   = row: {\"id\":1}\n   = hint: set on-poison"
        );
        assert_eq!(as_text(&JobError::new("c", "m"), None), "error[c]: m");
    }

    #[test]
    fn an_operator_s_error_points_to_its_place_in_the_job_file() {
        let job = "name: x\noperators:\n  graded: { plugin: p }\n";
        assert_eq!(
            as_text(&trap(), Some(("job.yaml", job))),
            "error[plugin-trap]: divided by zero\n  --> job.yaml:3:3 (operators.graded)\n  |\n3 |   graded: { plugin: p }\n  |   ^\n   = row: {\"id\":1}\n   = hint: set on-poison"
        );
    }

    #[test]
    fn a_malformed_row_is_shown_with_a_caret_where_reading_failed() {
        let text = Some("{\"ä\":x}".to_owned());
        let place = RowPlace { file: Some("rows.ndjson".to_owned()), line: 2, column: Some(7), text };
        let error = JobError { place: Some(Box::new(place)), ..JobError::new("row-malformed", "no number") };
        let expected = "error[row-malformed]: no number\n  --> rows.ndjson:2:6\n  |\n2 | {\"ä\":x}\n  |      ^";
        assert_eq!(as_text(&error, None), expected);
    }
}
