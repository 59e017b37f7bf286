//! Why a job failed: one error, which names operator, row and cause.

use wasmill_connector::ConnectorError;
use wasmill_operator::OperatorError;

/// The error that ended a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// A stable code.
    pub code: String,
    /// What was found and where.
    pub message: String,
    /// The source, operator or sink it happened in.
    pub operator: Option<String>,
    /// The row it happened on, as a JSON object.
    pub row: Option<String>,
    /// What the user can do.
    pub hint: Option<String>,
}

impl JobError {
    /// An error of the job as a whole.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), operator: None, row: None, hint: None }
    }

    /// The same with what the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn operator(name: &str, error: OperatorError) -> Self {
        let OperatorError { code, message, row, hint } = error;
        Self { code: code.to_owned(), message, operator: Some(name.to_owned()), row, hint }
    }

    pub(crate) fn connector(name: &str, error: ConnectorError) -> Self {
        let ConnectorError { code, message, hint } = error;
        Self { code: code.to_owned(), message, operator: Some(name.to_owned()), row: None, hint }
    }
}
