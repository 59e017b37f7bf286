//! How a call of a guest can go wrong, in words that name the author's line where it is known.

use wasmill_operator::OperatorError;
use wasmtime::Trap;

use crate::bindings::wasmill::plugin::errors::Error as GuestError;
use crate::instance::HostState;

/// A call that failed; everything it did is undone and its instance is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure.
    pub kind: FaultKind,
    /// What happened.
    pub message: String,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The guest trapped or broke the contract.
    Trap,
    /// The guest broke a limit.
    Limit,
    /// The guest asks for the call to be made again.
    Retry,
    /// The guest asks for the job to stop.
    Fail,
}

/// What a host function refuses a guest for; ends the call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub kind: FaultKind,
    pub message: String,
}

impl Refusal {
    /// The guest broke the contract.
    pub fn contract(message: impl Into<String>) -> wasmtime::Error {
        Self { kind: FaultKind::Trap, message: message.into() }.into()
    }

    /// The guest broke a limit.
    pub fn limit(message: impl Into<String>) -> wasmtime::Error {
        Self { kind: FaultKind::Limit, message: message.into() }.into()
    }
}

impl Fault {
    /// The guest handed out what the contract doesn't allow.
    pub(crate) fn contract(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Trap, message: message.into() }
    }

    /// The guest handed out more than it may.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Limit, message: message.into() }
    }

    /// Why the job must stop: `of` says whose fault it is, `more` when it came about, `poison` what to do about a row that a plugin
    /// can't take.
    pub(crate) fn stops(&self, of: &str, more: &str, row: Option<String>, poison: String) -> OperatorError {
        let (code, hint) = match self.kind {
            FaultKind::Trap => ("plugin-trap", poison),
            FaultKind::Limit => ("plugin-limit", poison),
            FaultKind::Retry => ("plugin-retry", "the plugin reports a passing fault that doesn't pass".to_owned()),
            FaultKind::Fail => ("plugin-failed", "the plugin asked for the job to stop".to_owned()),
        };
        OperatorError { code, message: format!("{of}: {}{more}", self.message), row, hint: Some(hint) }
    }

    /// What a guest returned on purpose.
    pub(crate) fn returned(error: GuestError) -> Self {
        match error {
            GuestError::Retry(message) => Self { kind: FaultKind::Retry, message },
            GuestError::Fail(message) => Self { kind: FaultKind::Fail, message },
        }
    }

    /// What ended a call from the outside.
    pub(crate) fn thrown(error: &wasmtime::Error, state: &HostState) -> Self {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Self { kind: refusal.kind, message: refusal.message.clone() };
        }
        let limit = |message: String| Self { kind: FaultKind::Limit, message };
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                return limit(format!("took more than {} ms of CPU time", state.cpu_budget().as_millis()));
            }
            Some(Trap::StackOverflow) => return limit("recursed deeper than its stack of 512 KiB".to_owned()),
            _ => {}
        }
        if state.memory.refused {
            return limit(format!("asked for more memory than its limit of {} bytes", state.memory.limit()));
        }
        let message = match (&state.panic, error.downcast_ref::<Trap>()) {
            (Some(panic), _) => panic.clone(),
            (None, Some(trap)) => format!("trapped: {trap}{}", innermost(error)),
            (None, None) => format!("broke the contract: {error:#}"),
        };
        Self { kind: FaultKind::Trap, message }
    }
}

/// The guest function that trapped, where the component still has its names.
fn innermost(error: &wasmtime::Error) -> String {
    let frame = error.downcast_ref::<wasmtime::WasmBacktrace>().and_then(|backtrace| backtrace.frames().first());
    frame.and_then(|frame| frame.func_name()).map_or_else(String::new, |name| format!(" in {name}"))
}
