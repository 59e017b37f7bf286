//! The operator under the harness.

use wasmill_sdk::harness::{self, Harness};

use super::*;

#[test]
fn bids_on_every_123rd_auction_pass() {
    let bid = |auction| Bid { auction, price: Some(5) };
    let mut harness = Harness::<NexmarkQ2>::new(()).expect("an open operator");
    harness.feed([Some(1_106), Some(1_107), Some(1_108), None, Some(1_230)].map(bid)).expect("a call that succeeds");
    let rows: Vec<_> = harness.emitted::<Bid>("out").into_iter().map(|emitted| emitted.row).collect();
    assert_eq!(rows, [bid(Some(1_107)), bid(Some(1_230))]);
}

#[test]
fn every_case_gives_what_it_says() {
    harness::cases::check::<NexmarkQ2>("cases");
}
