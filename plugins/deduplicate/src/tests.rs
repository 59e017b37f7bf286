//! The operator under the harness.

use wasmill_sdk::harness::{Harness, cases};

use super::*;

#[test]
fn every_case_gives_what_it_says() {
    cases::check::<Deduplicate>("cases");
}

#[test]
fn a_key_is_forgotten_when_event_time_has_come_as_far() {
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
    let mut harness =
        Harness::<Deduplicate, &str>::keyed(serde_json::json!({ "seconds": 60 })).expect("settings that make sense");
    harness
        .feed_keyed([("a", Row { at: at(0) }), ("b", Row { at: at(10) }), ("a", Row { at: at(30) })])
        .expect("a call that succeeds");
    harness.advance_watermark(at(89)).expect("no timers");
    assert_eq!(harness.keys("seen"), 1);
    assert_eq!(harness.state::<()>("seen", &"a"), Some(()));
    harness.advance_watermark(at(90)).expect("no timers");
    assert_eq!(harness.keys("seen"), 0);
}
