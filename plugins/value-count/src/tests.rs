//! What is counted, natively.

use wasmill_sdk::Result;
use wasmill_sdk::harness::{AggregateHarness, cases};

use super::{Value, ValueCount};

#[test]
fn every_case_gives_what_it_says() {
    cases::check_aggregate::<ValueCount>("cases");
}

#[test]
fn values_are_counted_and_nulls_are_not() -> Result<()> {
    let mut harness = AggregateHarness::<ValueCount>::new(())?;
    assert_eq!(harness.add([Some(5), None, Some(5)].map(|value| Value { value }))?, 2);
    assert_eq!(harness.retract([Some(5), None].map(|value| Value { value }))?, 1);
    Ok(())
}
