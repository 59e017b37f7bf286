//! The operator under the harness.

use wasmill_sdk::harness::{Harness, cases};

use super::*;

fn step(second: i64, item: Option<&str>, quantity: i64) -> Step<'_> {
    Step { at: Timestamp::from_millis(second * 1_000), item, quantity }
}

fn harness() -> Harness<Baskets, &'static str> {
    Harness::keyed(serde_json::json!({ "keep-seconds": 60 })).expect("settings that make sense")
}

#[test]
fn every_case_gives_what_it_says() {
    cases::check::<Baskets>("cases");
}

#[test]
fn a_basket_survives_a_restart_and_forgets_what_nobody_touches() {
    let mut harness = harness();
    let steps = [step(0, Some("tea"), 2), step(30, Some("bread"), 1), step(50, Some("tea"), -1)];
    harness.feed_keyed(steps.map(|step| ("ann", step))).expect("a call that succeeds");
    assert_eq!(harness.map::<String, i64>("basket", &"ann"), [("bread".to_owned(), 1), ("tea".to_owned(), 1)]);
    let settings = serde_json::json!({ "keep-seconds": 60 });
    let mut harness = Harness::<Baskets, _>::restored(settings, &harness.snapshot()).expect("the same operator");
    harness.feed_keyed([("ann", step(95, None, 0))]).expect("a call that succeeds");
    let order = Order { number: 1, items: "tea 1".into(), things: 1, largest: 1, before: String::new() };
    assert_eq!(harness.output(), [order]);
    assert_eq!(harness.list::<i64>("orders", &"ann"), [1]);
    assert_eq!((harness.keys("basket"), harness.state("largest", &"ann")), (0, Some(1_i64)));
    let at = |second: i64| Timestamp::from_millis(second * 1_000);
    harness.advance_watermark(at(95 + 86_400 - 1)).expect("a call that succeeds");
    assert_eq!(harness.keys("orders"), 1);
    harness.advance_watermark(at(95 + 86_400)).expect("a call that succeeds");
    assert_eq!(harness.keys("orders"), 0);
}
