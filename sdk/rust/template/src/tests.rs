//! The operator, run natively: a debugger stops in it, and a test takes no time.

use wasmill_sdk::harness::{Harness, cases};

use super::*;

#[test]
fn every_case_gives_what_it_says() {
    cases::check::<MyOperator>("cases");
}

#[test]
fn each_sensor_is_judged_by_itself() {
    let settings = serde_json::json!({ "factor": 2, "after": 1 });
    let mut harness = Harness::<MyOperator, &str>::keyed(settings).expect("settings that make sense");
    let reading = |value| Reading { value: Some(value) };
    harness.feed_keyed([("a", reading(1.0)), ("b", reading(50.0)), ("a", reading(9.0))]).expect("a call that succeeds");
    let spikes = harness.emitted::<Spike>("out");
    assert_eq!(spikes.len(), 1);
    assert_eq!((spikes[0].key, spikes[0].row.usual), (Some("a"), 1.0));
}
