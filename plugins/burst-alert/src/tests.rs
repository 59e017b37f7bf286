//! The operator under the harness.

use wasmill_sdk::harness::{Harness, cases};

use super::*;

#[test]
fn every_case_gives_what_it_says() {
    cases::check::<BurstAlert>("cases");
}

#[test]
fn a_burst_is_told_once_and_a_new_one_begins_when_its_time_is_over() {
    let settings = serde_json::json!({ "rows": 2, "seconds": 10 });
    let mut harness = Harness::<BurstAlert, &str>::keyed(settings).expect("settings that make sense");
    let event = |seconds: i64| Event { at: Timestamp::from_millis(seconds * 1_000) };
    harness.feed_keyed([0, 9, 9, 10, 19].map(|at| ("api", event(at)))).expect("a call that succeeds");
    let told: Vec<_> = harness.output().into_iter().map(|burst| burst.at.millis() / 1_000).collect();
    assert_eq!(told, [9, 19]);
}
