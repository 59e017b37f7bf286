//! How far event time has come, as it travels on edges.

use std::fmt;

/// No row with an event time at or before this is expected any more: milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub i64);

impl Watermark {
    /// Nothing is known yet.
    pub const NONE: Self = Self(i64::MIN);
    /// There are no more rows.
    pub const END: Self = Self(i64::MAX);
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("none"),
            Self::END => f.write_str("end"),
            Self(time) => time.fmt(f),
        }
    }
}

/// What is known of event time on an edge. The newest says it all: what came before it can be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How far it has come; never less than before.
    pub watermark: Watermark,
    /// No rows have come for a while: whoever waits for several leaves this one out, until it isn't idle any more.
    pub idle: bool,
}

impl Progress {
    /// What is known before anything has come.
    pub const NONE: Self = Self { watermark: Watermark::NONE, idle: false };
    /// What is known when nothing more comes.
    pub const END: Self = Self { watermark: Watermark::END, idle: false };
}
