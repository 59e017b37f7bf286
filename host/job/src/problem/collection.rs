//! All problems of a job, collected while it is read and validated.

use crate::place::{Place, Spot};
use crate::problem::{Problem, Severity};

/// The problems found so far.
#[derive(Debug)]
pub struct Problems {
    file: String,
    found: Vec<Problem>,
}

impl Problems {
    /// None yet, in the job file of this name.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    /// Adds an error, to be filled in.
    pub fn error(&mut self, code: &'static str, spot: &Spot) -> &mut Problem {
        self.add(code, Severity::Error, spot)
    }

    /// Adds a warning, to be filled in.
    pub fn warning(&mut self, code: &'static str, spot: &Spot) -> &mut Problem {
        self.add(code, Severity::Warning, spot)
    }

    fn add(&mut self, code: &'static str, severity: Severity, spot: &Spot) -> &mut Problem {
        let (file, line, column) = match spot.place {
            Place::File { line, column } => (self.file.clone(), Some(line), Some(column)),
            Place::Option(option) => (option.to_owned(), None, None),
        };
        let path = spot.path.clone();
        let problem =
            Problem { code, severity, file, line, column, path, found: None, expected: String::new(), suggestion: None };
        self.found.push_mut(problem)
    }

    /// How many there are: more than before means that something since then was wrong.
    #[must_use]
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether one of them keeps the job from running.
    #[must_use]
    pub fn any_error(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them, in the order of the file, those of the command line first.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| (problem.line, problem.column));
        self.found
    }
}
