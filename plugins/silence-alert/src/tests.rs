//! The operator under the harness.

use wasmill_sdk::harness::{Harness, cases};

use super::*;

#[test]
fn every_case_gives_what_it_says() {
    cases::check::<SilenceAlert>("cases");
}

#[test]
fn one_timer_waits_for_each_sensor_and_survives_a_restart() {
    let settings = serde_json::json!({ "seconds": 60 });
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
    let mut harness = Harness::<SilenceAlert, &str>::keyed(&settings).expect("settings that make sense");
    harness.feed_keyed([0, 20, 10].map(|second| ("boiler", Reading { at: at(second) }))).expect("a call that succeeds");
    assert_eq!(harness.timers(&"boiler").iter().map(|timer| timer.at).collect::<Vec<_>>(), [at(80)]);
    let mut restored = Harness::<SilenceAlert, &str>::restored(&settings, &harness.snapshot()).expect("the same operator");
    restored.advance_watermark(at(79)).expect("nothing is due");
    assert_eq!(restored.output(), []);
    restored.advance_watermark(at(80)).expect("a call that succeeds");
    assert_eq!(restored.output(), [Silence { since: at(20), at: at(80) }]);
    restored.end().expect("nothing is left");
    assert_eq!(restored.output(), []);
    assert_eq!((restored.timers(&"boiler").len(), restored.keys("runs")), (0, 0));
}
