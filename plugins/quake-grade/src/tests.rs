//! The operator under the harness.

use serde_json::json;
use wasmill_sdk::bindings::{DataType, Field};
use wasmill_sdk::harness::{self, Harness, Rejected};

use super::*;

fn quake(mag: f64, depth: f64) -> Quake {
    Quake { mag: Some(mag), depth: Some(depth) }
}

#[test]
fn earthquakes_are_graded_and_their_felt_radius_estimated() {
    let mut harness = Harness::<QuakeGrade>::new(json!({})).expect("an open operator");
    harness.feed([quake(1.2, 5.0), quake(4.7, 10.0), quake(7.0, 30.0)]).expect("a call that succeeds");
    let graded = |grade, felt_km| Graded { grade, felt_km };
    assert_eq!(harness.output(), [graded("micro", None), graded("light", Some(62.5)), graded("major", Some(755.4))]);
}

#[test]
fn an_earthquake_without_a_magnitude_is_rejected_and_the_others_go_on() {
    let mut harness = Harness::<QuakeGrade>::new(json!({})).expect("an open operator");
    harness.feed([quake(1.0, 5.0), Quake { mag: None, depth: None }, quake(1.0, 5.0)]).expect("a call that succeeds");
    assert_eq!(harness.output().len(), 2);
    let reason = "mag: an earthquake without a magnitude can't be graded".to_owned();
    assert_eq!(harness.rejected(), [Rejected { row: 1, reason }]);
}

#[test]
fn an_unknown_depth_is_taken_as_ten_kilometres() {
    let mut harness = Harness::<QuakeGrade>::new(json!({})).expect("an open operator");
    harness.feed([Quake { mag: Some(5.0), depth: None }, quake(5.0, 10.0)]).expect("a call that succeeds");
    let rows = harness.output();
    assert_eq!(rows[0], rows[1]);
}

#[test]
fn felt_from_says_from_which_magnitude_a_radius_is_given() {
    let mut harness = Harness::<QuakeGrade>::new(json!({"felt-from": 5})).expect("an open operator");
    harness.feed([quake(4.9, 10.0), quake(5.0, 10.0)]).expect("a call that succeeds");
    let felt: Vec<_> = harness.output().into_iter().map(|row| row.felt_km.is_some()).collect();
    assert_eq!(felt, [false, true]);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let refused = |settings| Harness::<QuakeGrade>::new(settings).err().map(|error| error.message().to_owned());
    let found = refused(json!({"felt-from": 25}));
    assert_eq!(found.as_deref(), Some("settings: felt-from: expected a magnitude from -5 to 10"));
    let found = refused(json!({"felt_from": 2.5}));
    assert_eq!(found.as_deref(), Some("settings: unknown setting `felt_from`, expected `felt-from`"));
}

#[test]
fn an_input_without_the_columns_is_refused_with_the_nearest_name() {
    let column = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: true };
    let columns = vec![column("magn", DataType::Float64), column("depth", DataType::Float64)];
    let refused = harness::describe::<QuakeGrade>(json!({}), columns, &[]).expect_err("an input that doesn't fit");
    assert_eq!(refused.message(), "input `input` has no column `mag`: did you mean `magn`?");
}

#[test]
fn every_case_gives_what_it_says() {
    harness::cases::check::<QuakeGrade>("cases");
}
