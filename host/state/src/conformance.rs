//! The suite that every backend passes: one function for each clause of [`KeyedState`]'s contract, and random calls against a model.

mod appended;
mod model;
mod snapshots;
mod spaces;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::test_runner::{Config, TestRunner};
use wasmill_flow::{Epoch, KeyGroups, TaskIndex};

use self::model::{Operation, Run};
use crate::contract::{KeyedState, SnapshotKind, StateError, StateKind, StateNeed};

/// Makes an empty backend with these states.
pub type Make<'a> = &'a dyn Fn(Vec<StateNeed>) -> Box<dyn KeyedState>;

/// All clauses, and `cases` random runs.
///
/// # Panics
/// Where the backend breaks the contract; the message says how.
pub fn all(make: Make<'_>, cases: u32) {
    a_call_happens_entirely_or_not_at_all(make);
    a_key_without_a_value_takes_no_memory(make);
    a_snapshot_holds_what_was_applied_before_it(make);
    a_second_snapshot_under_way_is_a_panic(make);
    a_delta_goes_on_from_what_was_confirmed(make);
    a_chain_that_does_not_go_on_is_refused(make);
    a_snapshot_of_other_states_is_refused(make);
    a_damaged_snapshot_is_refused(make);
    any_run_does_as_the_model_does(make, cases);
    appended::any_run_does_as_a_map_does(make, cases);
}

/// The clauses about keys in spaces, of backends made for them: `cases` random runs.
///
/// # Panics
/// Where the backend breaks the contract; the message says how.
pub fn in_spaces(make: Make<'_>, cases: u32) {
    spaces::any_run_does_as_a_map_does(make, cases);
}

/// Clause 1.
fn a_call_happens_entirely_or_not_at_all(make: Make<'_>) {
    let mut run = Run::new(make);
    run.put(&[1, 2, 1], 10);
    run.look_up(&[2, 3]);
    assert_eq!(run.backend().dump(), run.model_of_now(), "a call without `apply` changes nothing");
    run.put(&[2, 3], 20);
    assert_eq!(run.backend().dump(), run.model_of_now(), "`apply` changes all that it was given");
}

/// Clause 2.
fn a_key_without_a_value_takes_no_memory(make: Make<'_>) {
    let mut run = Run::new(make);
    run.look_up(&[1, 2, 3]);
    assert_eq!(run.backend().keys(), 0, "keys that were only looked at are gone");
    run.put(&[1, 2], 10);
    run.remove(&[2]);
    assert_eq!(run.backend().keys(), 1, "keys whose values were removed are gone");
    let before = run.backend().bytes();
    for round in 0..100 {
        run.put(&[100 + round, 200 + round], 10);
        run.remove(&[100 + round, 200 + round]);
    }
    assert_eq!(run.backend().keys(), 1);
    assert!(run.backend().bytes() < before + 4_096, "200 keys that came and went left {} bytes", run.backend().bytes() - before);
}

/// Clause 3.
fn a_snapshot_holds_what_was_applied_before_it(make: Make<'_>) {
    let mut run = Run::new(make);
    run.put(&(0..100).collect::<Vec<_>>(), 10);
    run.snapshot();
    run.step(1);
    run.put(&(50..150).collect::<Vec<_>>(), 20);
    run.remove(&(20..60).collect::<Vec<_>>());
    while run.step(7) {}
    assert!(run.finished() == 1, "the steps ended");
    run.check_restores(make);
    assert!(run.backend_mut().snapshot_step(1).is_none(), "no step where no snapshot is under way");
}

/// Clause 4.
fn a_second_snapshot_under_way_is_a_panic(make: Make<'_>) {
    let mut run = Run::new(make);
    run.put(&[1], 10);
    run.backend_mut().snapshot(Epoch(1), SnapshotKind::Base);
    let second = catch_unwind(AssertUnwindSafe(|| run.backend_mut().snapshot(Epoch(2), SnapshotKind::Delta)));
    assert!(second.is_err(), "a snapshot was started while another was under way");
}

/// Clause 5.
fn a_delta_goes_on_from_what_was_confirmed(make: Make<'_>) {
    let mut run = Run::new(make);
    run.put(&[1, 2, 3], 10);
    let snapshot = |run: &mut Run, epoch: u64, kind| {
        let since = run.backend_mut().snapshot(Epoch(epoch), kind);
        let bytes: Vec<u8> = std::iter::from_fn(|| run.backend_mut().snapshot_step(5)).flatten().collect();
        (since.map(|since| since.0), bytes)
    };
    let (since, base) = snapshot(&mut run, 1, SnapshotKind::Delta);
    assert_eq!(since, None, "nothing was confirmed");
    run.backend_mut().confirm_snapshot(Epoch(1));
    run.put(&[4], 20);
    assert_eq!(snapshot(&mut run, 2, SnapshotKind::Delta).0, Some(1));
    run.remove(&[1]);
    run.backend_mut().snapshot(Epoch(3), SnapshotKind::Base);
    run.backend_mut().abandon_snapshot();
    run.backend_mut().confirm_snapshot(Epoch(3));
    assert!(run.backend_mut().snapshot_step(1).is_none(), "an abandoned snapshot has no pieces");
    run.put(&[5], 30);
    let (since, delta) = snapshot(&mut run, 4, SnapshotKind::Delta);
    assert_eq!(since, Some(1), "neither 2 nor 3 was confirmed when it was the latest, and whole");
    let mut restored = make(model::states());
    restored.restore(&[&base, &delta], KeyGroups::DEFAULT, 0..128, 0..128).expect("a chain");
    assert_eq!(restored.dump(), run.model_of_now(), "what those held that weren't confirmed is in the next");
    run.backend_mut().confirm_snapshot(Epoch(4));
    let (since, nothing) = snapshot(&mut run, 5, SnapshotKind::Delta);
    assert_eq!(since, Some(4));
    assert!(nothing.len() < base.len(), "nothing changed: {} bytes", nothing.len());
}

/// Clause 6: what doesn't go on from what is before it.
fn a_chain_that_does_not_go_on_is_refused(make: Make<'_>) {
    let mut run = Run::new(make);
    let mut files = Vec::new();
    for epoch in 1..4 {
        run.put(&[epoch], 10);
        run.backend_mut().snapshot(Epoch(epoch.into()), SnapshotKind::Delta);
        files.push(std::iter::from_fn(|| run.backend_mut().snapshot_step(5)).flatten().collect::<Vec<u8>>());
        run.backend_mut().confirm_snapshot(Epoch(epoch.into()));
    }
    let restored = |numbers: &[usize]| {
        let chain: Vec<&[u8]> = numbers.iter().map(|&number| &files[number][..]).collect();
        make(model::states()).restore(&chain, KeyGroups::DEFAULT, 0..128, 0..128)
    };
    let refused = |numbers: &[usize]| restored(numbers).expect_err("no chain").to_string();
    let start = "the snapshots don't follow on each other: ";
    assert_eq!(restored(&[0, 1, 2]), Ok(()));
    assert_eq!(refused(&[1]), format!("{start}the first, of epoch 2, goes on from epoch 1, expected a base"));
    assert_eq!(refused(&[0, 0]), format!("{start}that of epoch 1 is a base, expected one that goes on from epoch 1"));
    assert_eq!(refused(&[0, 2]), format!("{start}that of epoch 3 goes on from epoch 2, expected one that goes on from epoch 1"));
}

/// Clause 6: what doesn't fit.
fn a_snapshot_of_other_states_is_refused(make: Make<'_>) {
    let mut run = Run::new(make);
    run.put(&[1], 10);
    let bytes = run.whole_snapshot();
    let refused = |change: fn(&mut Vec<StateNeed>)| {
        let mut states = model::states();
        change(&mut states);
        make(states).restore(&[&bytes], KeyGroups::DEFAULT, 0..128, 0..128).expect_err("another state is refused")
    };
    let name = model::states()[0].name.clone();
    assert_eq!(refused(|states| states[0].name = "other".to_owned()), StateError::Unmatched { state: name.clone() });
    assert_eq!(refused(|states| states[0].version = 9), StateError::Version { state: name.clone(), found: 1, expected: 9 });
    assert_eq!(
        refused(|states| states[0].width = None),
        StateError::Width { state: name.clone(), found: Some(8), expected: None }
    );
    let other = refused(|states| states[0] = StateNeed::lists(&states[0].name, 1));
    assert_eq!(other, StateError::Kind { state: name, found: StateKind::Value, expected: StateKind::List });

    let mut more = model::states();
    more.insert(0, StateNeed::values("new", 1, None));
    let mut backend = make(more);
    backend.restore(&[&bytes], KeyGroups::DEFAULT, 0..128, 0..128).expect("a state that the snapshot doesn't have starts empty");
    for (key, values) in backend.dump() {
        assert_eq!(values[0], None);
        assert_eq!(values[1..], run.model_of_now()[&key][..], "states are matched by name");
    }
}

/// Clause 6: what is damaged.
fn a_damaged_snapshot_is_refused(make: Make<'_>) {
    let mut run = Run::new(make);
    run.put(&[1, 2, 3, 4, 5], 10);
    let bytes = run.whole_snapshot();
    let restored = |bytes: &[u8]| make(model::states()).restore(&[bytes], KeyGroups::DEFAULT, 0..128, 0..128);
    assert_eq!(restored(&bytes), Ok(()));
    for at in 0..bytes.len() {
        assert!(restored(&bytes[..at]).is_err(), "cut off at byte {at}");
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(restored(&changed).is_err(), "byte {at} changed");
    }
    assert!(restored(&[&bytes[..], &[0]].concat()).is_err(), "a byte more");
}

/// All clauses at once: random calls, marks, steps, snapshots that are abandoned or confirmed, and what restoring their chains at other parallelisms gives.
fn any_run_does_as_the_model_does(make: Make<'_>, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&model::operations(), |operations| {
        let mut run = Run::new(make);
        for operation in &operations {
            match operation {
                Operation::Call { keys, writes } => run.call(keys, writes.as_deref()),
                Operation::Snapshot(action) => run.act(action),
            }
        }
        while run.step(3) {}
        assert_eq!(run.backend().dump(), run.model_of_now(), "what is held at the end");
        for state in 0..run.backend().states().len() {
            let mut values = BTreeMap::new();
            run.backend().for_each_value(state, &mut |key, value| {
                assert_eq!(values.insert(key.to_vec(), value.to_vec()), None, "each value once");
            });
            let of_state = |(key, values): (_, Vec<Option<Vec<u8>>>)| values[state].clone().map(|value| (key, value));
            assert_eq!(values, run.model_of_now().into_iter().filter_map(of_state).collect(), "each value of state {state}");
        }
        run.check_restores(make);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// The tasks of some parallelism.
fn tasks(of: u32) -> impl Iterator<Item = TaskIndex> {
    (0..of).map(move |index| TaskIndex { index, of })
}
