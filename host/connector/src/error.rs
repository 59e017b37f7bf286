//! Why a source or a sink can't go on.

/// Codes of faults that may be gone when the same is tried again: what a disk or a database refused.
const PASSING: &[&str] =
    &["bucket-failed", "database-failed", "database-unreachable", "disk-full", "file-unreadable", "file-unwritable"];

/// A fault of a source or a sink that ends the job.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConnectorError {
    /// A stable code, as `file-not-found`.
    pub code: &'static str,
    /// What was found, where, and what was expected.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl ConnectorError {
    /// An error without a hint.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same with what the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Whether a fault of this code may be gone when the same is tried again in a while.
#[must_use]
pub fn is_passing(code: &str) -> bool {
    PASSING.contains(&code)
}
