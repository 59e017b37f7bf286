//! The operator under the harness.

use wasmill_sdk::harness::{self, Harness};

use super::*;

#[test]
fn bids_pass_as_they_are() {
    let bids = [Some(7), None].map(|price| Bid { auction: Some(1_000), bidder: Some(2_001), price });
    let mut harness = Harness::<NexmarkQ0>::new(()).expect("an open operator");
    harness.feed(bids.clone()).expect("a call that succeeds");
    let rows: Vec<_> = harness.emitted::<Bid>("out").into_iter().map(|emitted| emitted.row).collect();
    assert_eq!(rows, bids);
}

#[test]
fn every_case_gives_what_it_says() {
    harness::cases::check::<NexmarkQ0>("cases");
}
