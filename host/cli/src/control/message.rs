//! What is asked of a running job, and what it answers: each one line of JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmill_runtime::JobError;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How it is: a summary so far.
    Status,
    /// Stop cleanly, as by SIGTERM. The connection stays open until the job has ended.
    Stop,
    /// Take a checkpoint that is kept under this label.
    Savepoint {
        /// The label.
        label: String,
    },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// How it is.
    Status(Value),
    /// It stops.
    Stopping,
    /// A savepoint is complete.
    Savepoint {
        /// Its label.
        label: String,
        /// Its epoch.
        epoch: u64,
    },
    /// It can't do that.
    Refused(Refusal),
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable code.
    pub code: String,
    /// What was found.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl From<JobError> for Refusal {
    fn from(error: JobError) -> Self {
        Self { code: error.code.to_owned(), message: error.message, hint: error.hint }
    }
}

/// A label of a savepoint: what a file may be called everywhere.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.".contains(&c);
    let starts_well = text.bytes().next().is_some_and(|c| c.is_ascii_lowercase());
    starts_well && text.len() <= 64 && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_plain_json() {
        let written = |request: &Request| serde_json::to_string(request).expect("JSON");
        assert_eq!(written(&Request::Status), r#"{"do":"status"}"#);
        assert_eq!(written(&Request::Savepoint { label: "a".to_owned() }), r#"{"do":"savepoint","label":"a"}"#);
        let answer = Answer::Savepoint { label: "a".to_owned(), epoch: 7 };
        assert_eq!(serde_json::to_string(&answer).expect("JSON"), r#"{"savepoint":{"label":"a","epoch":7}}"#);
        serde_json::from_str::<Request>(r#"{"do":"dance"}"#).expect_err("nothing that it does");
    }

    #[test]
    fn a_label_is_a_plain_name_that_starts_with_a_letter() {
        assert!(is_label("before-upgrade_2.1"));
        for other in ["", "42", "Ä", "a b", "../x", "-a", &"a".repeat(65)] {
            assert!(!is_label(other), "{other}");
        }
    }
}
