//! The operator under the harness.

use wasmill_sdk::harness::{self, Harness};

use super::*;

fn row(key: i64, value: f64) -> Measured {
    Measured { key, value, ts: Timestamp::from_millis(1_700_000_000_000) }
}

#[test]
fn rows_with_an_even_key_are_mapped_and_the_others_dropped() {
    let mut harness = Harness::<MapFilter>::new(()).expect("an open operator");
    harness.feed([row(0, 10.0), row(1, 20.0), row(-2, 0.0), row(-3, 1.0)]).expect("a call that succeeds");
    let ts = Timestamp::from_millis(1_700_000_000_001);
    let emitted = harness.emitted::<Mapped>("out");
    let from: Vec<_> = emitted.iter().map(|emitted| emitted.from).collect();
    assert_eq!(from, [Some(0), Some(2)]);
    let rows: Vec<_> = emitted.into_iter().map(|emitted| emitted.row).collect();
    assert_eq!(rows, [Mapped { value: 12.0, ts }, Mapped { value: 1.0, ts }]);
}

#[test]
fn every_case_gives_what_it_says() {
    harness::cases::check::<MapFilter>("cases");
}
