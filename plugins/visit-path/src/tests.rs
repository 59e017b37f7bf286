//! The function under the harness.

use serde_json::json;
use wasmill_sdk::harness::{WindowHarness, cases};

use super::*;

fn views(pages: &[(i64, &'static str)]) -> impl Iterator<Item = View<'static>> {
    pages.iter().map(|&(at, page)| View { time: Timestamp::from_millis(at), page })
}

#[test]
fn every_case_gives_what_it_says() {
    cases::check_window::<VisitPath>("cases");
}

#[test]
fn pages_are_in_the_order_of_their_times_and_of_arrival_where_those_are_equal() {
    let mut harness = WindowHarness::<VisitPath>::new(json!({})).expect("settings");
    let visits = harness.fire(views(&[(5, "b"), (1, "a"), (9, "d"), (5, "c")])).expect("a visit");
    assert_eq!(visits, [Visit { first_page: "a", last_page: "d", pages: 4, path: "a > b > c > d" }]);
}

#[test]
fn short_visits_are_left_out() {
    let mut harness = WindowHarness::<VisitPath>::new(json!({"least-pages": 2})).expect("settings");
    assert_eq!(harness.fire(views(&[(1, "a")])), Ok(Vec::new()));
    assert_eq!(harness.fire(views(&[(1, "a"), (2, "a")])).expect("a visit").len(), 1);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let refused = WindowHarness::<VisitPath>::new(json!({"between": ""})).expect_err("refused");
    assert_eq!(refused.message(), "settings: between: expected a text that tells pages apart, found nothing");
}
