//! Runs an aggregate function natively.

use std::fmt;

use serde::Serialize;

use crate::aggregate::Aggregate;
use crate::aggregate::instance::decode;
use crate::error::{Error, Result};
use crate::settings;
use crate::state::StateValue;

/// Runs an aggregate function over the rows of one key. Between rows, what has been seen is bytes, as it may be with the host.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # struct Sum;
/// # impl Aggregate for Sum {
/// #     const NAME: &'static str = "sum";
/// #     type Input<'a> = Row;
/// #     type Accumulator = i64;
/// #     type Output = i64;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings) -> Result<Self> { Ok(Self) }
/// #     fn add(&self, sum: &mut i64, row: Row) -> Result<()> { *sum += row.n; Ok(()) }
/// #     fn merge(&self, sum: &mut i64, other: i64) { *sum += other; }
/// #     fn finish(&self, sum: &i64) -> i64 { *sum }
/// # }
/// use wasmill_sdk::harness::AggregateHarness;
///
/// let (mut part, mut rest) = (AggregateHarness::<Sum>::new(())?, AggregateHarness::<Sum>::new(())?);
/// assert_eq!(part.add([Row { n: 1 }, Row { n: 2 }])?, 3);
/// rest.add([Row { n: 4 }])?;
/// assert_eq!(part.merge(&rest)?, 7);
/// # Result::<()>::Ok(())
/// ```
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
        self.each(rows, A::add)
    }

    /// Takes rows back that were added; the value after the last of them. Fails where the function doesn't retract.
    pub fn retract<'a>(&mut self, rows: impl IntoIterator<Item = A::Input<'a>>) -> Result<A::Output> {
        if !A::RETRACTS {
            return Err(Error::fail("the aggregate doesn't say that it takes rows back: RETRACTS is not set"));
        }
        self.each(rows, A::retract)
    }

    fn each<'a>(
        &mut self,
        rows: impl IntoIterator<Item = A::Input<'a>>,
        change: impl Fn(&A, &mut A::Accumulator, A::Input<'a>) -> Result<()>,
    ) -> Result<A::Output> {
        for row in rows {
            let mut seen = decode(&self.seen)?;
            change(&self.aggregate, &mut seen, row)?;
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
