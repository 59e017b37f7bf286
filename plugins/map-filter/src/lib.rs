//! `value * 1.1 + 1`, rows with an even key only, `ts` a millisecond later: a measure of what a stateless operator costs.

#[cfg(test)]
mod tests;

use std::time::Duration;

use wasmill_sdk::{Context, NoSettings, Open, Operator, Process, Record, Result, Timestamp};

/// What is read of a row.
#[derive(Record)]
pub struct Measured {
    key: i64,
    value: f64,
    ts: Timestamp,
}

/// What is new in a row; all else of it is kept.
#[derive(Record, Debug, PartialEq)]
pub struct Mapped {
    value: f64,
    ts: Timestamp,
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "input")]
pub struct MapFilter {}

impl Process for MapFilter {
    type Input<'a> = Measured;
    type Output = Mapped;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self {})
    }

    fn process(&mut self, row: Measured, cx: &mut Context<Self>) -> Result<()> {
        let value = row.value * 1.1 + 1.0;
        if row.key % 2 == 0 {
            cx.emit(Mapped { value, ts: row.ts + Duration::from_millis(1) });
        }
        Ok(())
    }
}

wasmill_sdk::export!(MapFilter);
