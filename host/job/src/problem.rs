//! One thing that is wrong with a job, and how it is said: to programs as JSON, to people with the line it stands in.

pub mod code;
mod collection;
pub mod excerpt;
mod render;

use serde::Serialize;

pub use collection::Problems;
pub use excerpt::Excerpt;
pub use render::render;

/// One thing that is wrong with a job. As JSON it is an item of `problems` in what `validate --format json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of problem; stable ([`code`], or a plugin's own).
    pub code: &'static str,
    /// Whether the job can run all the same.
    pub severity: Severity,
    /// The job file as it was named, or the option of the command line.
    pub file: String,
    /// The line in the job file, from 1.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// The dotted path of what is wrong; empty for the whole file.
    pub path: String,
    /// What was found; nothing where something is missing.
    pub found: Option<Words>,
    /// What was expected.
    pub expected: String,
    /// What was probably meant, or what to do.
    pub suggestion: Option<Words>,
}

/// Whether a job with this problem can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It can't.
    Error,
    /// It can, but probably something else was meant.
    Warning,
}

/// Something as it was written, or words about it. JSON has the text alone; people see quotes around what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Words {
    /// As written, or to be written.
    Verbatim(String),
    /// Words about it.
    Phrase(String),
    /// A whole message.
    Sentence(String),
}

impl Problem {
    /// Sets what was found, as it was written.
    pub fn found(&mut self, written: impl Into<String>) -> &mut Self {
        self.found = Some(Words::Verbatim(written.into()));
        self
    }

    /// Sets what was found, in words.
    pub fn found_to_be(&mut self, words: impl Into<String>) -> &mut Self {
        self.found = Some(Words::Phrase(words.into()));
        self
    }

    /// Sets what is wrong, as a whole message.
    pub fn message(&mut self, sentence: impl Into<String>) -> &mut Self {
        self.found = Some(Words::Sentence(sentence.into()));
        self
    }

    /// Sets what was expected.
    pub fn expected(&mut self, words: impl Into<String>) -> &mut Self {
        self.expected = words.into();
        self
    }

    /// Sets what was probably meant, if that is known.
    pub fn meant<'a>(&mut self, name: impl Into<Option<&'a str>>) -> &mut Self {
        if let Some(name) = name.into() {
            self.suggestion = Some(Words::Verbatim(name.to_owned()));
        }
        self
    }

    /// Sets what to do.
    pub fn advice(&mut self, words: impl Into<String>) -> &mut Self {
        self.suggestion = Some(Words::Phrase(words.into()));
        self
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Verbatim(text) | Self::Phrase(text) | Self::Sentence(text) => f.write_str(text),
        }
    }
}

/// Names as a list in a sentence: `a, b, c`.
#[must_use]
pub fn one_of(names: &[&str]) -> String {
    match names {
        [only] => (*only).to_owned(),
        _ => format!("one of {}", names.join(", ")),
    }
}
