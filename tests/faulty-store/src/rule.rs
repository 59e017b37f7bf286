//! Which requests fail, and how.

use std::time::Duration;

/// What a store is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// An object whole.
    Put,
    /// The start of an upload in parts.
    Upload,
    /// A part of one.
    Part,
    /// Its end.
    Complete,
    /// Its being given up.
    Abort,
    /// An object's bytes.
    Get,
    /// What is known of an object.
    Head,
    /// What there is.
    List,
    /// That an object goes.
    Delete,
    /// A copy.
    Copy,
}

/// What comes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It takes longer.
    Delay {
        /// At least.
        least: Duration,
        /// At most.
        most: Duration,
    },
    /// Its bytes travel slowly.
    Bandwidth {
        /// How fast.
        bytes_per_second: u64,
    },
    /// It isn't applied, and answered with this status.
    Status(u16),
    /// It is applied, and the answer is lost.
    DropReply,
    /// It isn't applied, and never answered.
    Hang,
    /// It isn't applied, and answered as if others had been faster (409).
    Conflict,
    /// It isn't applied, and answered as if a condition didn't hold (412).
    Precondition,
    /// The body breaks off in the middle.
    Short,
    /// A bit in the middle of the body is wrong.
    Garbled,
}

/// Which requests meet a fault.
#[derive(Debug, Clone)]
pub struct Rule {
    op: Option<Op>,
    below: String,
    pub(crate) chance: f64,
    times: u32,
    after: u32,
    pub(crate) fault: Fault,
}

impl Rule {
    /// Every request meets a fault.
    #[must_use]
    pub fn always(fault: Fault) -> Self {
        Self { op: None, below: String::new(), chance: 1.0, times: u32::MAX, after: 0, fault }
    }

    /// Requests for one thing only.
    #[must_use]
    pub fn on(mut self, op: Op) -> Self {
        self.op = Some(op);
        self
    }

    /// Those only of objects whose names have this in them.
    #[must_use]
    pub fn of(mut self, part_of_name: &str) -> Self {
        part_of_name.clone_into(&mut self.below);
        self
    }

    /// With this chance, from 0 to 1.
    #[must_use]
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }

    /// So often only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Not before so many requests that it fits.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    /// Whether a request meets it; counts those that it passes over.
    pub(crate) fn fits(&mut self, op: Op, name: &str) -> bool {
        let fits = self.times > 0 && self.op.is_none_or(|only| only == op) && name.contains(&self.below);
        if fits && self.after > 0 {
            self.after -= 1;
            return false;
        }
        fits
    }

    /// One time less.
    pub(crate) fn spend(&mut self) {
        self.times = if self.times == u32::MAX { self.times } else { self.times - 1 };
    }
}
