//! Runs an aggregate function natively.

use std::fmt;

use serde::Serialize;

use crate::aggregate::Aggregate;
use crate::aggregate::instance::decode;
use crate::error::Result;
use crate::settings;
use crate::state::StateValue;

/// Runs an aggregate function over the rows of one key. Between rows, what has been seen is bytes, as it may be with the host.
/// [`Aggregate`] has an example.
pub struct AggregateHarness<A: Aggregate> {
    aggregate: A,
    seen: Vec<u8>,
}

impl<A: Aggregate> fmt::Debug for AggregateHarness<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregateHarness").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl<A: Aggregate> AggregateHarness<A> {
    /// The function with these settings; `()` for none. Fails where it refuses them.
    pub fn new(settings: impl Serialize) -> Result<Self> {
        let settings = serde_json::to_string(&settings)?;
        Ok(Self { aggregate: A::open(settings::parse(&settings)?)?, seen: Vec::new() })
    }

    /// Takes rows; the value after the last of them. A row that fails leaves nothing behind, and ends it.
    pub fn add<'a>(&mut self, rows: impl IntoIterator<Item = A::Input<'a>>) -> Result<A::Output> {
        for row in rows {
            let mut seen = decode(&self.seen)?;
            self.aggregate.add(&mut seen, row)?;
            self.seen.clear();
            seen.write(&mut self.seen);
        }
        self.value()
    }

    /// Adds what another has seen; the value after it.
    pub fn merge(&mut self, other: &Self) -> Result<A::Output> {
        let mut seen = decode(&self.seen)?;
        self.aggregate.merge(&mut seen, decode(&other.seen)?);
        self.seen.clear();
        seen.write(&mut self.seen);
        self.value()
    }

    /// The value of what has been seen so far.
    pub fn value(&self) -> Result<A::Output> {
        Ok(self.aggregate.finish(&decode(&self.seen)?))
    }
}
