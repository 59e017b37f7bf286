//! The operator under the harness.

use wasmill_sdk::harness::{self, Harness};

use super::*;

#[test]
fn prices_are_converted_exactly() {
    let mut harness = Harness::<NexmarkQ1>::new(()).expect("an open operator");
    harness.feed([Some(1_000), Some(7), Some(i64::MAX), None].map(|price| Bid { price })).expect("a call that succeeds");
    let prices: Vec<_> = harness.emitted::<Converted>("out").into_iter().map(|emitted| emitted.row.price).collect();
    let units = [Some(908_000), Some(6_356), Some(i128::from(i64::MAX) * 908), None];
    assert_eq!(prices, units.map(|units| units.map(Decimal::from_units)));
}

#[test]
fn every_case_gives_what_it_says() {
    harness::cases::check::<NexmarkQ1>("cases");
}
