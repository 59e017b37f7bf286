//! The function under the harness.

use serde_json::json;
use wasmill_sdk::harness::{AggregateHarness, cases};

use super::*;

fn new() -> AggregateHarness<NexmarkQ7> {
    AggregateHarness::new(json!({})).expect("settings")
}

fn bids(prices: &[Option<i64>]) -> impl Iterator<Item = Bid> {
    prices.iter().map(|&price| Bid { price })
}

#[test]
fn every_case_gives_what_it_says() {
    cases::check_aggregate::<NexmarkQ7>("cases");
}

#[test]
fn the_highest_price_counts_and_bids_without_one_do_not() {
    let mut harness = new();
    assert_eq!(harness.add(bids(&[None])), Ok(None));
    assert_eq!(harness.add(bids(&[Some(-7), None, Some(-9)])), Ok(Some(-7)));
    assert_eq!(harness.add(bids(&[Some(3), Some(2)])), Ok(Some(3)));
}

#[test]
fn parts_make_the_whole() {
    let (mut part, mut rest, none) = (new(), new(), new());
    part.add(bids(&[Some(-5)])).expect("a row that is taken");
    rest.add(bids(&[Some(-9)])).expect("a row that is taken");
    assert_eq!(part.merge(&rest), Ok(Some(-5)));
    assert_eq!(part.merge(&none), Ok(Some(-5)));
}
