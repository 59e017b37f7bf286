//! Keys in spaces: one key in two spaces is two, a space is gone as a whole, and a snapshot under way keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringViewArray};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wasmill_flow::KeyGroups;
use wasmill_flow::key::EncodedKeys;

use super::snapshots::{Action, Snapshots, actions};
use super::{Make, tasks};
use crate::contract::{CallKeys, KeyedState, StateNeed, StateWrite};
use crate::values::Values;

/// What is held: by space and encoded key.
type Held = BTreeMap<(i64, Vec<u8>), u8>;

#[derive(Debug, Clone)]
enum Operation {
    /// A value for each of these spaces and keys, or none.
    Write(Vec<(i64, u8)>, Option<u8>),
    Forget(i64),
    Snapshot(Action),
}

fn state() -> Vec<StateNeed> {
    vec![StateNeed::values("value", 1, Some(1))]
}

fn encoded(keys: impl Iterator<Item = u8>) -> EncodedKeys {
    let mut encoded = EncodedKeys::default();
    let texts = keys.map(|key| Some("long".repeat(usize::from(key % 9)) + &key.to_string()));
    encoded.encode(&[Arc::new(StringViewArray::from_iter(texts)) as ArrayRef]);
    encoded
}

pub(super) fn any_run_does_as_a_map_does(make: Make<'_>, cases: u32) {
    let space = || prop_oneof![9 => -3..4_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let operation = prop_oneof![
        6 => (vec((space(), 0..30_u8), 0..40), proptest::option::weighted(0.8, any::<u8>())).prop_map(|(of, value)| Operation::Write(of, value)),
        2 => space().prop_map(Operation::Forget),
        3 => actions().prop_map(Operation::Snapshot),
    ];
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&vec(operation, 1..60), |operations| {
        run(make, &operations);
        Ok(())
    });
    ran.expect("a backend that does as a map does");
}

fn run(make: Make<'_>, operations: &[Operation]) {
    let mut backend = make(state());
    let mut held = Held::new();
    let mut snapshots = Snapshots::new();
    let mut call = CallKeys::default();
    for operation in operations {
        match operation {
            Operation::Write(of, value) => {
                let keys = encoded(of.iter().map(|(_, key)| *key));
                let spaces: Vec<i64> = of.iter().map(|(space, _)| *space).collect();
                backend.resolve_in(&keys, &keys.hashes(), &spaces, &mut call);
                let count = call.count();
                let mut found = Values::default();
                backend.load(0, &call, &mut found);
                let before: Vec<Option<u8>> =
                    (0..of.len()).map(|row| held.get(&(spaces[row], keys.get(row).to_vec())).copied()).collect();
                for (row, &key) in call.row_key.iter().enumerate() {
                    assert_eq!(found.get(key as usize, Some(1)).map(|value| value[0]), before[row], "row {row}");
                }
                let present = vec![if value.is_some() { 0xff } else { 0 }; count.div_ceil(8)];
                let values = Values { present, offsets: Vec::new(), data: vec![value.unwrap_or(0); count] };
                backend.apply(&call, &[StateWrite { state: 0, keys: None, values }]);
                backend.finish(&call);
                for (row, space) in spaces.into_iter().enumerate() {
                    match value {
                        Some(value) => held.insert((space, keys.get(row).to_vec()), *value),
                        None => held.remove(&(space, keys.get(row).to_vec())),
                    };
                }
            }
            Operation::Forget(space) => {
                backend.forget(*space);
                held.retain(|(of, _), _| of != space);
            }
            Operation::Snapshot(action) => snapshots.act(action, backend.as_mut(), &held),
        }
        assert_eq!(backend.keys(), held.len());
        assert_eq!(found_in(backend.as_mut()), held);
    }
    while snapshots.step(2, backend.as_mut()) {}
    for (held, chain) in snapshots.chains() {
        check_restore(make, held, &chain);
    }
}

/// What its spaces have, one after the other.
fn found_in(backend: &mut dyn KeyedState) -> Held {
    let (mut found, mut call) = (Held::new(), CallKeys::default());
    let mut next = backend.space_from(i64::MIN);
    while let Some(space) = next {
        let (mut keys, mut hashes, mut values) = (EncodedKeys::default(), Vec::new(), Values::default());
        backend.resolve_all(space, &mut keys, &mut hashes, &mut call);
        backend.load(0, &call, &mut values);
        backend.finish(&call);
        assert!(!keys.is_empty(), "a space without keys is none");
        assert_eq!(hashes, keys.hashes());
        let value = |key| values.get(key, Some(1)).map_or(0, |value| value[0]);
        found.extend((0..keys.len()).map(|key| ((space, keys.get(key).to_vec()), value(key))));
        next = space.checked_add(1).and_then(|least| backend.space_from(least));
    }
    found
}

/// Three tasks are restored from a chain, each with its own keys.
fn check_restore(make: Make<'_>, held: &Held, chain: &[&[u8]]) {
    let groups = KeyGroups::DEFAULT;
    let mut together = Held::new();
    for task in tasks(3) {
        let mut restored = make(state());
        restored.restore(chain, groups, groups.owned_by(task), 0..groups.count()).expect("a good snapshot");
        for (key, value) in found_in(restored.as_mut()) {
            let group = groups.group(wasmill_flow::key::hash(&key.1));
            assert!(groups.owned_by(task).contains(&group), "a key's task is the same in all spaces");
            together.insert(key, value);
        }
    }
    assert_eq!(together, *held);
}
