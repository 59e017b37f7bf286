//! The operator under the harness.

use wasmill_sdk::harness::{self, Harness};

use super::*;

fn counts(harness: &mut Harness<KeyedCount, u64>) -> Vec<i64> {
    harness.output().into_iter().map(|row| row.count).collect()
}

#[test]
fn each_key_is_counted_by_itself() {
    let mut harness = Harness::<KeyedCount, u64>::keyed(()).expect("an open operator");
    harness.feed_keyed([(7, ()), (3, ()), (7, ()), (7, ())]).expect("a call that succeeds");
    assert_eq!(counts(&mut harness), [1, 1, 2, 3]);
    assert_eq!(harness.state::<i64>("count", &7), Some(3));
    assert_eq!(harness.state::<i64>("count", &3), Some(1));
}

#[test]
fn counts_go_on_in_a_new_instance_and_after_a_restore() {
    let mut harness = Harness::<KeyedCount, u64>::keyed(()).expect("an open operator");
    harness.feed_keyed([(7, ()), (8, ())]).expect("a call that succeeds");
    harness.reopen();
    harness.feed_keyed([(7, ())]).expect("a call that succeeds");
    let mut later = Harness::<KeyedCount, u64>::restored((), &harness.snapshot()).expect("an operator with the same state");
    later.feed_keyed([(7, ()), (8, ()), (9, ())]).expect("a call that succeeds");
    assert_eq!(counts(&mut later), [3, 2, 1]);
}

#[test]
fn the_size_of_batches_makes_no_difference() {
    let keys = |i: u64| (i * i % 11, ());
    let mut whole = Harness::<KeyedCount, u64>::keyed(()).expect("an open operator");
    whole.feed_keyed((0..100).map(keys)).expect("a call that succeeds");
    let mut parts = Harness::<KeyedCount, u64>::keyed(()).expect("an open operator");
    parts.batches_of(7);
    parts.feed_keyed((0..100).map(keys)).expect("calls that succeed");
    assert_eq!(counts(&mut whole), counts(&mut parts));
}

#[test]
fn every_case_gives_what_it_says() {
    harness::cases::check::<KeyedCount>("cases");
}
