//! What the program says: results to standard output, everything else to standard error.

use std::io::{self, Write};

use wasmill_job::catalog::PluginProblem;
use wasmill_plugin::PluginError;
use wasmill_runtime::JobError;

use crate::exit::Exit;
use crate::progress::Above;

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
pub fn write_result(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The error of a standard output that can't be written.
#[must_use]
pub fn unwritable(error: &io::Error) -> JobError {
    JobError::new("stdout-unwritable", format!("standard output: can't be written: {error}"))
}

/// Prints a remark.
pub fn note(text: &str) {
    say(&format!("note: {text}"));
}

/// Prints an error: its code, what was found and where, and what to do.
pub fn error(error: &JobError) {
    say(&as_text(error));
}

/// Prints lines to standard error. Where that is closed there is nobody to tell.
pub fn say(text: &str) {
    let _ = Above.write_all(format!("{text}\n").as_bytes());
}

/// What is wrong with a plugin, as an error of the job.
#[must_use]
pub fn of_plugin(problem: PluginProblem) -> JobError {
    let PluginProblem { code, message, hint } = problem;
    JobError { code: code.to_owned(), message, operator: None, row: None, hint }
}

/// Why a plugin can't be used, as an error.
#[must_use]
pub fn of_plugin_error(error: PluginError) -> JobError {
    of_plugin(PluginProblem { code: error.code.name(), message: error.message, hint: error.hint })
}

fn as_text(error: &JobError) -> String {
    let JobError { code, message, operator, row, hint } = error;
    let mut text = format!("error[{code}]: {message}");
    for (name, value) in [("operator", operator), ("row", row), ("hint", hint)] {
        if let Some(value) = value {
            text.push_str(&format!("\n  {name}: {value}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_on_which_row_and_what_to_do() {
        let error = JobError {
            code: "plugin-trap".to_owned(),
            message: "divided by zero".to_owned(),
            operator: Some("graded".to_owned()),
            row: Some("{\"id\":1}".to_owned()),
            hint: Some("set on-poison".to_owned()),
        };
        assert_eq!(
            as_text(&error),
            "error[plugin-trap]: divided by zero\n  operator: graded\n  row: {\"id\":1}\n  hint: set on-poison"
        );
        assert_eq!(as_text(&JobError::new("c", "m")), "error[c]: m");
    }
}
