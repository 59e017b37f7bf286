//! A component of a job.

use std::path::PathBuf;

use crate::graph::Limits;

/// A component as an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// The file, or a plugin's directory.
    pub path: PathBuf,
    /// Its settings, as JSON.
    pub settings: serde_json::Value,
    /// What becomes of rows that make it trap.
    pub on_poison: OnPoison,
    /// Its limits.
    pub limits: Limits,
}

/// What becomes of rows that make a plugin trap or break a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPoison {
    /// The job fails.
    #[default]
    Halt,
    /// They become dead letters.
    DeadLetter,
    /// They are dropped and counted.
    Skip,
}
