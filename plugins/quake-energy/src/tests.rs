//! The function under the harness.

use serde_json::json;
use wasmill_sdk::harness::{AggregateHarness, cases};

use super::*;

fn quakes(mags: &[f64]) -> impl Iterator<Item = Quake> {
    mags.iter().map(|&mag| Quake { mag: Some(mag) })
}

#[test]
fn every_case_gives_what_it_says() {
    cases::check_aggregate::<QuakeEnergy>("cases");
}

#[test]
fn two_magnitudes_more_are_a_thousand_times_the_energy() {
    let joules = |mag| {
        let mut harness = AggregateHarness::<QuakeEnergy>::new(json!({})).expect("settings");
        harness.add(quakes(&[mag])).expect("a row that is taken").expect("energy")
    };
    assert!((joules(6.0) / joules(4.0) - 1000.0).abs() < 1e-6);
    assert!((joules(0.0) - 63_095.734).abs() < 0.001);
}

#[test]
fn earthquakes_without_a_magnitude_are_passed_over() {
    let mut harness = AggregateHarness::<QuakeEnergy>::new(json!({})).expect("settings");
    assert_eq!(harness.value(), Ok(None));
    assert_eq!(harness.add([Quake { mag: None }]), Ok(None));
}

#[test]
fn parts_add_up_to_the_whole() {
    let new = || AggregateHarness::<QuakeEnergy>::new(json!({"as": "magnitude"})).expect("settings");
    let (mut whole, mut part, mut rest) = (new(), new(), new());
    let at_once = whole.add(quakes(&[5.0, 5.5, 6.0])).expect("rows that are taken");
    part.add(quakes(&[5.0])).expect("a row that is taken");
    rest.add(quakes(&[5.5, 6.0])).expect("rows that are taken");
    let merged = part.merge(&rest).expect("two parts").expect("a magnitude");
    assert!((merged - at_once.expect("a magnitude")).abs() < 1e-9, "{merged}");
    assert!((6.0..6.2).contains(&merged), "{merged}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let refused = AggregateHarness::<QuakeEnergy>::new(json!({"as": "tons"})).expect_err("refused");
    assert_eq!(refused.message(), "settings: as: unknown choice `tons`, expected one of `joules`, `magnitude`");
}
