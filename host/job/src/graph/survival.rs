//! What of a job survives a fault, and how it goes on.

use std::num::NonZero;
use std::time::Duration;

use super::StorePlace;

/// Whether and where checkpoints are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Time between two.
    pub every: Duration,
    /// Where they are kept.
    pub store: StorePlace,
    /// How many are kept.
    pub retain: usize,
    /// Every how many of them state is written whole.
    pub base_every: NonZero<u32>,
    /// How long one may take.
    pub timeout: Duration,
    /// Time between two looks at whether the newest is intact.
    pub verify: Duration,
}

/// How often a job is started again after a fault that may pass, and how long it waits before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// How many times in a row.
    pub attempts: u32,
    /// How long it waits the first time; twice as long each time after.
    pub backoff: Duration,
    /// The longest that it waits.
    pub max_backoff: Duration,
    /// After so long without a fault the next is the first again.
    pub reset_after: Duration,
}

impl Restart {
    /// Never.
    pub const NONE: Self = Self {
        attempts: 0,
        backoff: Duration::from_secs(1),
        max_backoff: Duration::from_mins(1),
        reset_after: Duration::from_mins(10),
    };
}

impl Default for Restart {
    fn default() -> Self {
        Self { attempts: 3, ..Self::NONE }
    }
}
