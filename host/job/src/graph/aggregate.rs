//! What an aggregate is of: how its columns are computed, and the windows that rows are counted in.

use std::time::Duration;

use chrono_tz::Tz;

use crate::graph::Plugin;

/// The windows that rows are counted in. All times are whole milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// What they are.
    pub shape: WindowShape,
    /// For so long after its end a window still takes rows.
    pub allowed_lateness: Duration,
    /// Rows are in the windows of the time when they come, by the host's clock, and not of their event time.
    pub by_clock: bool,
    /// Results come out early each time that a window has gone on for so long; not zero.
    pub early: Option<Duration>,
    /// Results come out early each time that a key has so many rows more in a window; not zero.
    pub every_rows: Option<u64>,
    /// What a result is of, and is to those before it.
    pub results: Results,
}

/// What a result of a window is of where another came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Results {
    /// All rows until then.
    Accumulating,
    /// The rows since the last result.
    Discarding,
    /// All rows until then, as changes of what was said before, with what they are in front.
    Retracting,
}

/// What windows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowShape {
    /// All of one length, at equal distances.
    Even {
        /// How long a window is; not zero.
        size: Duration,
        /// The distance from one's start to the next one's, not zero; the same as its length where windows tumble.
        slide: Duration,
        /// Where windows begin, counted from 1970.
        offset: Duration,
        /// The zone whose clocks lengths and distances go by, by its name; UTC where there is none.
        zone: Option<Tz>,
    },
    /// A key's rows that follow one another with pauses shorter than this, which isn't zero.
    Session(Duration),
    /// So many rows of a key; without bounds.
    Rows {
        /// How many; not zero.
        rows: u64,
        /// A window ends with them; otherwise there is one for ever, whose results come out each time that it has so many more.
        ends: bool,
    },
}

impl WindowShape {
    /// Whether windows are of times.
    #[must_use]
    pub fn has_bounds(&self) -> bool {
        !matches!(self, Self::Rows { .. })
    }
}

/// The output of a window that has the rows that came too late.
pub const LATE_PORT: &str = "late";

/// What a column of an aggregate is computed by.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregate {
    /// An SQL aggregate, checked against the input's columns.
    Sql(String),
    /// A component.
    Plugin(AggregatePlugin),
}

/// A component as an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregatePlugin {
    /// The component; it halts the job on poison.
    pub plugin: Plugin,
    /// The input's columns that it is over, by index.
    pub of: Vec<usize>,
    /// Their names.
    pub names: Vec<String>,
}

impl Aggregate {
    /// It as people read it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Sql(text) => text.clone(),
            Self::Plugin(by) => format!("plugin {} of {}", by.plugin.path.display(), by.names.join(", ")),
        }
    }
}
