//! Why a plugin can't be used. Found before any row flows.

/// A plugin that is refused: what was found, what was expected, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PluginError {
    /// A stable code.
    pub code: Code,
    /// What was found, where, and what was expected.
    pub message: String,
    /// What the author or the user can do.
    pub hint: Option<String>,
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The file can't be read.
    Unreadable,
    /// The file isn't WebAssembly, or not of a kind that is taken.
    NotAComponent,
    /// It is larger or more intricate than what is compiled.
    TooBig,
    /// It doesn't compile, or uses a feature that is switched off.
    Invalid,
    /// It doesn't have the imports and exports of the contract.
    WrongWorld,
    /// It refuses its settings or inputs.
    Refused,
    /// What it declares makes no sense.
    BadPlan,
    /// It trapped or broke a limit while it was asked.
    Trapped,
    /// Part of the contract that this version doesn't do.
    NotInThisVersion,
}

impl Code {
    /// The code as it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "plugin-unreadable",
            Self::NotAComponent => "plugin-not-a-component",
            Self::TooBig => "plugin-too-big",
            Self::Invalid => "plugin-invalid",
            Self::WrongWorld => "plugin-wrong-world",
            Self::Refused => "plugin-refused",
            Self::BadPlan => "plugin-bad-plan",
            Self::Trapped => "plugin-trap",
            Self::NotInThisVersion => "not-in-this-version",
        }
    }
}

impl PluginError {
    /// An error without a hint.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same with what can be done.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
