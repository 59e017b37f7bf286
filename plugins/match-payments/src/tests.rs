//! The operator under the harness.

use wasmill_sdk::harness::{Harness, cases};

use super::*;

#[test]
fn every_case_gives_what_it_says() {
    cases::check::<MatchPayments>("cases");
}

#[test]
fn what_comes_first_waits_for_the_other_and_then_is_forgotten() {
    let order = |item, amount| Entry::Orders(Order { item, amount });
    let payment = |paid, at| Entry::Payments(Payment { paid, at: Timestamp::from_millis(at) });
    let mut harness = Harness::<MatchPayments, &str>::keyed(()).expect("no settings");
    harness.feed_keyed([("a", order("tea", 5)), ("b", payment(7, 1)), ("a", payment(5, 2))]).expect("a call that succeeds");
    let matched: Vec<_> = harness.output().into_iter().map(|row| (row.item, row.at.millis())).collect();
    assert_eq!((matched, harness.keys("waiting")), (vec![("tea", 2)], 1));
    harness.reopen();
    harness.feed_keyed([("b", order("pot", 8)), ("b", order("cup", 1))]).expect("a call that succeeds");
    let unmatched: Vec<_> =
        harness.output_of::<Unmatched<'static>>("unmatched").into_iter().map(|row| (row.item, row.paid)).collect();
    assert_eq!((unmatched, harness.keys("waiting")), (vec![("pot", 7)], 1));
}
