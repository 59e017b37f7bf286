//! Counts values, as `count(x)` does: the least that an aggregate function can do, so that all else that a row costs is seen.

#[cfg(test)]
mod tests;

use wasmill_sdk::{Aggregate, NoSettings, Record, Result};

/// The one column that it is over.
#[derive(Record)]
pub struct Value {
    value: Option<i64>,
}

/// The function.
pub struct ValueCount;

impl Aggregate for ValueCount {
    const NAME: &'static str = "value-count";
    const RETRACTS: bool = true;
    type Input<'a> = Value;
    type Accumulator = i64;
    type Output = i64;
    type Settings = NoSettings;

    fn open(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn add(&self, seen: &mut i64, row: Value) -> Result<()> {
        *seen += i64::from(row.value.is_some());
        Ok(())
    }

    fn retract(&self, seen: &mut i64, row: Value) -> Result<()> {
        *seen -= i64::from(row.value.is_some());
        Ok(())
    }

    fn merge(&self, seen: &mut i64, other: i64) {
        *seen += other;
    }

    fn finish(&self, seen: &i64) -> i64 {
        *seen
    }
}

wasmill_sdk::export_aggregate!(ValueCount);
