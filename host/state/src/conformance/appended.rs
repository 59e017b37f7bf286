//! Values that are written behind: they are what was written end to end, and a snapshot under way has them as they were at its mark.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wasmill_flow::KeyGroups;
use wasmill_flow::key::EncodedKeys;

use super::Make;
use super::snapshots::{Action, Snapshots, actions};
use crate::contract::{CallKeys, KeyedState, StateNeed, StateWrite};
use crate::values::Values;

/// What is held: by encoded key.
type Held = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Clone)]
enum Operation {
    /// Bytes behind the value of each of these keys, or nothing for a key.
    Append(Vec<(u8, Option<usize>)>),
    /// Bytes in the place of the values of these keys; none remove them.
    Put(Vec<u8>, usize),
    Snapshot(Action),
}

fn states() -> Vec<StateNeed> {
    let state = |name: &str, width| StateNeed::values(name, 1, width);
    vec![state("count", Some(1)), state("text", None)]
}

pub(super) fn any_run_does_as_a_map_does(make: Make<'_>, cases: u32) {
    let key = || 0..12_u8;
    let operation = prop_oneof![
        6 => vec((key(), proptest::option::weighted(0.9, 0..40_usize)), 1..10).prop_map(Operation::Append),
        1 => (vec(key(), 1..6), 0..40_usize).prop_map(|(keys, length)| Operation::Put(keys, length)),
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
    let mut backend = make(states());
    let mut held = Held::new();
    let mut snapshots = Snapshots::new();
    for (number, operation) in (1_u8..).zip(operations) {
        match operation {
            Operation::Append(of) => {
                // A key is in a call once, as what is written behind it is.
                let of: BTreeMap<u8, Option<usize>> = of.iter().copied().collect();
                let more = of.iter().map(|(&key, length)| (key, length.map(|length| vec![number; length])));
                append(backend.as_mut(), &mut held, more.collect());
            }
            Operation::Put(keys, length) => {
                let keys: BTreeMap<u8, Option<Vec<u8>>> =
                    keys.iter().map(|&key| (key, (*length > 0).then(|| vec![number; *length]))).collect();
                put(backend.as_mut(), &mut held, &keys);
            }
            Operation::Snapshot(action) => snapshots.act(action, backend.as_mut(), &held),
        }
        assert_eq!(found_in(backend.as_ref()), held);
    }
    while snapshots.step(3, backend.as_mut()) {}
    for (held, chain) in snapshots.chains() {
        let mut restored = make(states());
        restored.restore(&chain, KeyGroups::new(8).expect("groups"), 0..8, 0..8).expect("a snapshot");
        assert_eq!(found_in(restored.as_ref()), *held, "as it was at its mark");
    }
}

fn encoded(keys: impl Iterator<Item = u8>) -> EncodedKeys {
    let mut encoded = EncodedKeys::default();
    encoded.encode(&[Arc::new(Int64Array::from_iter_values(keys.map(i64::from))) as ArrayRef]);
    encoded
}

fn values(each: impl Iterator<Item = Option<Vec<u8>>>) -> Values {
    let mut values = Values { present: Vec::new(), offsets: vec![0], data: Vec::new() };
    for (index, value) in each.enumerate() {
        values.present.resize(index / 8 + 1, 0);
        if let Some(value) = value {
            values.present[index / 8] |= 1 << (index % 8);
            values.data.extend(value);
        }
        values.offsets.push(u32::try_from(values.data.len()).expect("few bytes"));
    }
    values
}

fn append(backend: &mut dyn KeyedState, held: &mut Held, more: BTreeMap<u8, Option<Vec<u8>>>) {
    let keys = encoded(more.keys().copied());
    let mut call = CallKeys::default();
    backend.resolve(&keys, &keys.hashes(), &mut call);
    backend.append(&call, 1, &values(more.values().cloned()));
    for (row, more) in more.into_values().enumerate() {
        if let Some(more) = more {
            held.entry(keys.get(row).to_vec()).or_default().extend(more);
        }
        let length = held.get(keys.get(row)).map_or(0, Vec::len);
        assert_eq!(backend.value_bytes(1, call.places[call.row_key[row] as usize]), length);
    }
    backend.finish(&call);
}

fn put(backend: &mut dyn KeyedState, held: &mut Held, now: &BTreeMap<u8, Option<Vec<u8>>>) {
    let keys = encoded(now.keys().copied());
    let mut call = CallKeys::default();
    backend.resolve(&keys, &keys.hashes(), &mut call);
    backend.apply(&call, &[StateWrite { state: 1, keys: None, values: values(now.values().cloned()) }]);
    backend.finish(&call);
    for (row, value) in now.values().enumerate() {
        match value {
            Some(value) => held.insert(keys.get(row).to_vec(), value.clone()),
            None => held.remove(keys.get(row)),
        };
    }
}

fn found_in(backend: &dyn KeyedState) -> Held {
    backend.dump().into_iter().map(|(key, values)| (key, values[1].clone().expect("a value"))).collect()
}
