//! Why a job failed: one error, which names operator, row and cause.

use wasmill_connector::ConnectorError;
use wasmill_operator::OperatorError;

/// Codes of what a plugin or the store of checkpoints does, and may not do again.
const PASSING: &[&str] = &["checkpoint-store", "checkpoint-timeout", "plugin-limit", "plugin-retry", "plugin-trap"];

/// The error that ended a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// A stable code.
    pub code: &'static str,
    /// What was found and where.
    pub message: String,
    /// The source, operator or sink it happened in.
    pub operator: Option<String>,
    /// The row it happened on, as a JSON object.
    pub row: Option<String>,
    /// Where the row stands that it happened on, for one that could not be read.
    pub place: Option<Box<RowPlace>>,
    /// What the user can do.
    pub hint: Option<String>,
}

/// Where a row stands in what a source reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlace {
    /// The file as the job names it; none for standard input.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: u64,
    /// The column at which reading failed, in bytes from 1.
    pub column: Option<u64>,
    /// The row as it was found, where it is text.
    pub text: Option<String>,
}

impl JobError {
    /// An error of the job as a whole.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), operator: None, row: None, place: None, hint: None }
    }

    /// The same with what the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it may not come again where the job goes on from its last checkpoint.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        PASSING.contains(&self.code) || wasmill_connector::error::is_passing(self.code)
    }

    /// An operator's.
    #[must_use]
    pub fn operator(name: &str, error: OperatorError) -> Self {
        let OperatorError { code, message, row, hint } = error;
        Self { code, message, operator: Some(name.to_owned()), row, place: None, hint }
    }

    pub(crate) fn connector(name: &str, error: ConnectorError) -> Self {
        let ConnectorError { code, message, hint } = error;
        Self { code, message, operator: Some(name.to_owned()), row: None, place: None, hint }
    }
}
