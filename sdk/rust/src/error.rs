//! How a call fails on purpose.

use std::fmt;

use crate::bindings::stream_operator::wasmill::plugin::errors;

/// The result of everything that an operator does.
///
/// ```
/// fn half(n: i64) -> wasmill_sdk::Result<i64> {
///     if n % 2 == 0 { Ok(n / 2) } else { Err(wasmill_sdk::Error::fail("n: expected an even number")) }
/// }
/// assert_eq!(half(4), Ok(2));
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call fails. Everything that the call did is undone; what it logged stays.
///
/// `?` on any standard error makes it one that stops the job ([`Error::fail`]) with the error's text and those of its causes.
///
/// ```
/// use wasmill_sdk::{Error, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     Ok(text.parse()?) // any standard error stops the job
/// }
/// assert_eq!(port("x").unwrap_err().message(), "invalid digit found in string");
/// assert!(Error::retry("the table is being replaced").is_retry());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Retry(String),
    Fail(String),
}

impl Error {
    /// A passing fault: the same call is made again on a new instance, with growing pauses, up to the job's limit.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self(Kind::Retry(reason.into()))
    }

    /// The job must stop; `reason` is shown to the user.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self(Kind::Fail(reason.into()))
    }

    /// The text given to the user.
    pub fn message(&self) -> &str {
        match &self.0 {
            Kind::Retry(reason) | Kind::Fail(reason) => reason,
        }
    }

    /// Whether the call is to be made again.
    pub fn is_retry(&self) -> bool {
        matches!(self.0, Kind::Retry(_))
    }

    /// The error as the contract has it.
    pub(crate) fn into_contract(self) -> errors::Error {
        match self.0 {
            Kind::Retry(reason) => errors::Error::Retry(reason),
            Kind::Fail(reason) => errors::Error::Fail(reason),
        }
    }
}

// `Error` is not `std::error::Error` itself: then this could not be.
impl<E: std::error::Error> From<E> for Error {
    #[cold]
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self::fail(text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, reason) = match &self.0 {
            Kind::Retry(reason) => ("Retry", reason),
            Kind::Fail(reason) => ("Fail", reason),
        };
        f.debug_tuple(kind).field(reason).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}
