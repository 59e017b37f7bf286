//! Tests of the hot tier that need to look inside; what every backend does is tested by [`crate::conformance`].

use std::sync::Arc;

use arrow_array::{ArrayRef, StringViewArray};
use wasmill_flow::TaskIndex;
use wasmill_flow::key::{self, EncodedKeys};

use super::*;
use crate::conformance;
use crate::contract::{NO_KEY, StateKind};
use crate::snapshot::{Item, Snapshot};

fn encoded(texts: &[&str]) -> EncodedKeys {
    let mut keys = EncodedKeys::default();
    keys.encode(&[Arc::new(texts.iter().map(|text| Some(*text)).collect::<StringViewArray>()) as ArrayRef]);
    keys
}

fn counting() -> MemoryState {
    MemoryState::new(vec![StateNeed::values("count", 1, Some(1))])
}

/// A call that writes a byte to each of some keys, or removes it; returns the places.
fn write(state: &mut MemoryState, texts: &[&str], hash: impl Fn(&[u8]) -> u64, value: Option<u8>) -> Vec<u32> {
    let keys = encoded(texts);
    let hashes: Vec<u64> = (0..keys.len()).map(|row| hash(keys.get(row))).collect();
    let mut call = CallKeys::default();
    state.resolve(&keys, &hashes, &mut call);
    let present = vec![if value.is_some() { u8::MAX } else { 0 }; call.count().div_ceil(8)];
    let values = Values { present, offsets: Vec::new(), data: vec![value.unwrap_or(0); call.count()] };
    state.apply(&call, &[StateWrite { state: 0, keys: None, values }]);
    state.finish(&call);
    call.places
}

#[test]
fn memory_passes_the_suite_of_backends() {
    conformance::all(&|states| Box::new(MemoryState::new(states)), 400);
}

#[test]
fn keys_in_spaces_pass_the_conformance_suite() {
    conformance::in_spaces(&|states| Box::new(MemoryState::in_spaces(states)), 400);
}

#[test]
fn keys_of_one_hash_are_different_keys() {
    let mut state = counting();
    let long = ["a key of many bytes", "another of as many!"];
    for (value, text) in (1..).zip(["a", "b", long[0], long[1]]) {
        write(&mut state, &[text], |_| 7, Some(value));
    }
    let values: Vec<_> = state.dump().into_values().map(|values| values[0].clone()).collect();
    assert_eq!(state.keys(), 4);
    assert_eq!(values, [Some(vec![1]), Some(vec![2]), Some(vec![3]), Some(vec![4])]);
    write(&mut state, &["a", long[0]], |_| 7, None);
    assert_eq!(state.keys(), 2);
    assert_eq!(write(&mut state, &["b", "b", long[1]], |_| 7, Some(9)).len(), 2);
    assert_eq!(state.keys(), 2);
}

#[test]
fn the_slot_of_a_forgotten_key_is_used_again() {
    let mut state = counting();
    let first = write(&mut state, &["a", "b"], key::hash, Some(1));
    write(&mut state, &["a"], key::hash, None);
    assert_eq!(write(&mut state, &["c"], key::hash, Some(2)), first[..1]);
    assert_eq!(state.slots.count(), 2);
}

#[test]
fn a_slot_that_is_used_again_while_a_snapshot_is_under_way_is_not_in_it() {
    let mut state = counting();
    write(&mut state, &["a", "b"], key::hash, Some(1));
    let before = state.dump();
    state.snapshot(Epoch(1), SnapshotKind::Base);
    write(&mut state, &["a"], key::hash, None);
    write(&mut state, &["c"], key::hash, Some(2));
    let bytes: Vec<u8> = std::iter::from_fn(|| state.snapshot_step(1)).flatten().collect();
    let mut restored = counting();
    restored.restore(&[&bytes], KeyGroups::DEFAULT, 0..128, 0..128).expect("a good snapshot");
    assert_eq!(restored.dump(), before);
}

#[test]
fn a_key_that_is_first_written_after_a_snapshot_within_its_call_is_in_the_next() {
    let mut state = counting();
    let keys = encoded(&["a"]);
    let mut call = CallKeys::default();
    state.resolve(&keys, &keys.hashes(), &mut call);
    for (epoch, held) in [(1, 0), (2, 1)] {
        state.snapshot(Epoch(epoch), SnapshotKind::Base);
        let bytes: Vec<u8> = std::iter::from_fn(|| state.snapshot_step(1)).flatten().collect();
        let mut restored = counting();
        restored.restore(&[&bytes], KeyGroups::DEFAULT, 0..128, 0..128).expect("a good snapshot");
        assert_eq!(restored.keys(), held);
        let values = Values { present: vec![1], offsets: Vec::new(), data: vec![5] };
        state.apply(&call, &[StateWrite { state: 0, keys: None, values }]);
        assert_eq!(state.keys(), 1);
    }
    state.finish(&call);
}

#[test]
fn a_step_hands_over_as_many_keys_as_it_was_asked_for() {
    let mut state = counting();
    let texts: Vec<String> = (0..1_000).map(|number| format!("key {number}")).collect();
    write(&mut state, &texts.iter().map(String::as_str).collect::<Vec<_>>(), key::hash, Some(1));
    state.snapshot(Epoch(1), SnapshotKind::Base);
    let steps = std::iter::from_fn(|| state.snapshot_step(100)).count();
    assert_eq!(steps, 10);
}

#[test]
fn a_delta_has_what_changed_and_no_more() {
    let mut state = counting();
    let texts: Vec<String> = (0..1_000).map(|number| format!("key {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    write(&mut state, &texts, key::hash, Some(1));
    let said = |state: &mut MemoryState, epoch| {
        state.snapshot(Epoch(epoch), SnapshotKind::Delta);
        let bytes: Vec<u8> = std::iter::from_fn(|| state.snapshot_step(100)).flatten().collect();
        state.confirm_snapshot(Epoch(epoch));
        let mut said = Vec::new();
        let keep = |item: Item<'_, '_>| {
            said.push(match item {
                Item::Space(space) => format!("space {space}"),
                Item::Removal { key, .. } => format!("no {}", key[5..].escape_ascii()),
                Item::Record(record) => record.key[5..].escape_ascii().to_string(),
            });
            Ok(())
        };
        Snapshot::open(&bytes).expect("a good snapshot").for_each(keep).expect("a good snapshot");
        said
    };
    assert_eq!(said(&mut state, 1).len(), 1_000);
    assert_eq!(said(&mut state, 2).len(), 0);
    write(&mut state, &["key 7", "key 3", "key 7"], key::hash, Some(2));
    write(&mut state, &["key 5"], key::hash, None);
    write(&mut state, &["came and went"], key::hash, Some(2));
    write(&mut state, &["came and went"], key::hash, None);
    assert_eq!(said(&mut state, 3), ["no key 5", "key 3", "key 7"]);
    assert_eq!(said(&mut state, 4).len(), 0);
}

#[test]
fn a_space_that_is_forgotten_is_said_once() {
    let mut state = MemoryState::in_spaces(vec![StateNeed::values("count", 1, Some(1))]);
    let keys = encoded(&["a", "b", "c"]);
    let mut call = CallKeys::default();
    let mut write = |state: &mut MemoryState, space| {
        state.resolve_in(&keys, &keys.hashes(), &[space; 3], &mut call);
        let values = Values { present: vec![7], offsets: Vec::new(), data: vec![1; 3] };
        state.apply(&call, &[StateWrite { state: 0, keys: None, values }]);
        state.finish(&call);
    };
    write(&mut state, 1);
    state.snapshot(Epoch(1), SnapshotKind::Base);
    while state.snapshot_step(100).is_some() {}
    state.confirm_snapshot(Epoch(1));
    state.forget(1);
    write(&mut state, 2);
    state.forget(2);
    state.snapshot(Epoch(2), SnapshotKind::Delta);
    let bytes: Vec<u8> = std::iter::from_fn(|| state.snapshot_step(100)).flatten().collect();
    let mut spaces = Vec::new();
    let keep = |item: Item<'_, '_>| {
        spaces.push(format!("{item:?}"));
        Ok(())
    };
    Snapshot::open(&bytes).expect("a good snapshot").for_each(keep).expect("a good snapshot");
    assert_eq!(spaces, ["Space(1)"]);
}

/// A task's snapshot of what it holds, whole.
fn taken(state: &mut MemoryState, epoch: u64, kind: SnapshotKind) -> Vec<u8> {
    state.snapshot(Epoch(epoch), kind);
    let mut bytes = Vec::new();
    while let Some(piece) = state.snapshot_step(64) {
        bytes.extend(piece);
    }
    state.confirm_snapshot(Epoch(epoch));
    bytes
}

#[test]
fn a_space_that_one_task_forgot_stays_in_what_another_has() {
    let groups = KeyGroups::new(2).expect("a number of groups");
    let states = || vec![StateNeed::values("count", 1, Some(1))];
    let texts: Vec<String> = (0..20).map(|number| format!("key {number}")).collect();
    for space in [0, 5] {
        let made = || if space == 0 { MemoryState::new(states()) } else { MemoryState::in_spaces(states()) };
        let mut all = made();
        let mut expected = 0;
        for task in 0..2 {
            let mut state = made();
            let own = |text: &&str| groups.group(key::hash(encoded(&[*text]).get(0))) == task;
            let own: Vec<&str> = texts.iter().map(String::as_str).filter(own).collect();
            let keys = encoded(&own);
            let mut call = CallKeys::default();
            match space {
                0 => state.resolve(&keys, &keys.hashes(), &mut call),
                space => state.resolve_in(&keys, &keys.hashes(), &vec![space; own.len()], &mut call),
            }
            let values = Values { present: vec![u8::MAX; own.len().div_ceil(8)], offsets: Vec::new(), data: vec![1; own.len()] };
            state.apply(&call, &[StateWrite { state: 0, keys: None, values }]);
            state.finish(&call);
            let base = taken(&mut state, 1, SnapshotKind::Base);
            if task == 1 {
                state.forget(space);
            } else {
                expected = own.len();
            }
            let delta = taken(&mut state, 2, SnapshotKind::Delta);
            all.restore(&[&base, &delta], groups, 0..2, task..task + 1).expect("restored");
        }
        assert!((1..20).contains(&expected), "both tasks have keys");
        assert_eq!(all.keys(), expected, "what the first task has, in space {space}");
    }
}

#[test]
fn pieces_are_bounded_however_large_a_list_or_map_is() {
    let mut state = MemoryState::new(vec![StateNeed::lists("trail", 1), StateNeed::maps("tally", 1)]);
    let keys = encoded(&["a"]);
    let mut call = CallKeys::default();
    let (mut items, mut values) = (Items::default(), Values::end_to_end());
    for number in 0..200_000_u32 {
        items.push(&number.to_be_bytes());
        values.push(Some(&number.to_be_bytes()));
    }
    let append = ItemChange::Append { keys: vec![0; items.len()], items: items.clone() };
    let put = ItemChange::Put { keys: vec![0; items.len()], entries: items, values };
    state.resolve(&keys, &keys.hashes(), &mut call);
    state.apply_items(&call, &[ItemWrite { state: 0, change: append }, ItemWrite { state: 1, change: put }]);
    state.finish(&call);
    for clears in [false, true] {
        state.snapshot(Epoch(1), SnapshotKind::Base);
        if clears {
            let clear = [ItemChange::ClearLists(vec![0]), ItemChange::ClearMaps(vec![0])];
            let clear: Vec<_> = (0..).zip(clear).map(|(state, change)| ItemWrite { state, change }).collect();
            state.resolve(&keys, &keys.hashes(), &mut call);
            state.apply_items(&call, &clear);
            state.finish(&call);
        }
        let longest = std::iter::from_fn(|| state.snapshot_step(4_096)).map(|piece| piece.len()).max();
        assert!(longest.is_some_and(|longest| longest < 600_000), "a piece of {longest:?} bytes");
    }
    assert_eq!(state.keys(), 0);
}

#[test]
fn a_key_that_two_files_hold_is_damage() {
    let mut state = counting();
    write(&mut state, &["a"], key::hash, Some(1));
    state.snapshot(Epoch(1), SnapshotKind::Base);
    let bytes: Vec<u8> = std::iter::from_fn(|| state.snapshot_step(1)).flatten().collect();
    let mut restored = counting();
    restored.restore(&[&bytes], KeyGroups::DEFAULT, 0..128, 0..128).expect("a good snapshot");
    let error = restored.restore(&[&bytes], KeyGroups::DEFAULT, 0..128, 0..128).expect_err("the same again");
    let expected = "the snapshot is damaged: block at byte 75: key [01, 01, 00, 00, 00, 61] comes twice";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_memory_that_a_key_takes_is_told() {
    let mut state = counting();
    let texts: Vec<String> = (0..1_024).map(|number| format!("k{number}")).collect();
    write(&mut state, &texts.iter().map(String::as_str).collect::<Vec<_>>(), key::hash, Some(1));
    let a_key = state.bytes() / state.keys();
    assert!((32..64).contains(&a_key), "{a_key} bytes for a key of 10 bytes and a value of 1");
}

#[test]
fn states_of_the_task_are_copied_or_dealt_out_when_the_parallelism_changes() {
    let states =
        || vec![StateNeed::values("count", 1, Some(1)), of_kind("rules", StateKind::Broadcast), of_kind("log", StateKind::Task)];
    let groups = KeyGroups::DEFAULT;
    let owned = |index, of| groups.owned_by(TaskIndex { index, of });
    let items = |texts: &[String]| {
        let mut items = Items::default();
        texts.iter().for_each(|text| items.push(text.as_bytes()));
        items
    };
    let fill = |state: &mut MemoryState, log: &[String]| {
        let mut keys = EncodedKeys::default();
        keys.push(NO_KEY);
        let mut call = CallKeys::default();
        state.resolve(&keys, &keys.hashes(), &mut call);
        let mut values = Values::end_to_end();
        values.push(Some(b"on"));
        let rule = ItemChange::Put { keys: vec![0], entries: items(&["a".to_owned()]), values };
        let append = ItemChange::Append { keys: vec![0; log.len()], items: items(log) };
        state.apply_items(&call, &[ItemWrite { state: 1, change: rule }, ItemWrite { state: 2, change: append }]);
        state.finish(&call);
    };
    let snapshot = |state: &mut MemoryState| -> Vec<u8> {
        state.snapshot(Epoch(1), SnapshotKind::Base);
        std::iter::from_fn(|| state.snapshot_step(8)).flatten().collect()
    };
    let read = |state: &mut MemoryState| -> (bool, Vec<String>) {
        let mut keys = EncodedKeys::default();
        keys.push(NO_KEY);
        let (mut call, mut log, mut rules) = (CallKeys::default(), Items::default(), 0);
        state.resolve(&keys, &keys.hashes(), &mut call);
        state.list(2, &call, 0, &mut log);
        state.scan(1, &call, 0, &[], &mut |entry, value| {
            assert_eq!((entry, value), (&b"a"[..], &b"on"[..]));
            rules += 1;
            true
        });
        state.finish(&call);
        (rules == 1, log.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect())
    };
    let mut files = Vec::new();
    for task in 0..2 {
        let mut state = MemoryState::new(states());
        fill(&mut state, &(0..5).map(|item| format!("{task}.{item}")).collect::<Vec<_>>());
        files.push((snapshot(&mut state), owned(task, 2)));
    }
    for (of, expected) in [
        (2, vec![vec!["0.0", "0.1", "0.2", "0.3", "0.4"], vec!["1.0", "1.1", "1.2", "1.3", "1.4"]]),
        (1, vec![vec!["0.0", "0.1", "0.2", "0.3", "0.4", "1.0", "1.1", "1.2", "1.3", "1.4"]]),
        (3, vec![vec!["0.0", "0.1", "0.2", "0.3"], vec!["0.4", "1.0", "1.1"], vec!["1.2", "1.3", "1.4"]]),
    ] {
        for (index, expected) in (0..).zip(expected) {
            let mut state = MemoryState::new(states());
            let own = owned(index, of);
            for (bytes, range) in files.iter().filter(|(_, range)| range.start < own.end && own.start < range.end) {
                state.restore(&[bytes], groups, own.clone(), range.clone()).expect("a good snapshot");
            }
            assert_eq!(read(&mut state), (true, expected.into_iter().map(str::to_owned).collect()), "task {index} of {of}");
        }
    }
}

fn of_kind(name: &str, kind: StateKind) -> StateNeed {
    StateNeed { name: name.to_owned(), version: 1, kind, width: None }
}
