//! Snapshots of version 2 of the format are restored, and written as they were.
//!
//! `WASMILL_TEST_ACCEPT=1` writes the fixtures anew: only before the first release that has it.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringViewArray};
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Epoch, KeyGroups};
use wasmill_state::memory::MemoryState;
use wasmill_state::{
    CallKeys, ItemChange, ItemWrite, Items, KeyedState, SnapshotKind, StateKind, StateNeed, StateWrite, Values, items,
};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A fixture, which what is written now should be.
fn same(name: &str, written: &[u8]) -> Vec<u8> {
    if std::env::var_os("WASMILL_TEST_ACCEPT").is_some() {
        std::fs::write(fixture(name), written).expect("the fixture is written");
    }
    let bytes = std::fs::read(fixture(name)).expect("the fixture");
    assert!(bytes == written, "{name} is written otherwise than it was");
    bytes
}

fn states() -> Vec<StateNeed> {
    vec![
        StateNeed::values("count", 1, Some(2)),
        StateNeed::values("text", 3, None),
        StateNeed::lists("trail", 1),
        StateNeed::maps("tally", 1),
    ]
}

/// A call that has one key.
fn call(state: &mut MemoryState, key: &str, space: i64, act: impl FnOnce(&mut MemoryState, &CallKeys)) {
    let mut keys = EncodedKeys::default();
    keys.encode(&[Arc::new(StringViewArray::from_iter_values([key])) as ArrayRef]);
    let mut call = CallKeys::default();
    state.resolve_in(&keys, &keys.hashes(), &[space], &mut call);
    act(state, &call);
    state.finish(&call);
}

fn set(state: &mut MemoryState, call: &CallKeys, count: Option<&[u8; 2]>, text: Option<&str>) {
    let present = vec![u8::from(count.is_some())];
    let count = Values { present, offsets: Vec::new(), data: count.unwrap_or(&[0; 2]).to_vec() };
    let mut texts = Values::end_to_end();
    texts.push(text.map(str::as_bytes));
    state.apply(call, &[StateWrite { state: 0, keys: None, values: count }, StateWrite { state: 1, keys: None, values: texts }]);
}

fn strings(of: &[&str]) -> Items {
    let mut items = Items::default();
    of.iter().for_each(|item| items.push(item.as_bytes()));
    items
}

fn add(state: &mut MemoryState, call: &CallKeys, trail: &[&str], tally: &[(&str, Option<&str>)]) {
    let entries: Vec<&str> = tally.iter().map(|(entry, _)| *entry).collect();
    let mut values = Values::end_to_end();
    tally.iter().for_each(|(_, value)| values.push(value.map(str::as_bytes)));
    let append = ItemChange::Append { keys: vec![0; trail.len()], items: strings(trail) };
    let put = ItemChange::Put { keys: vec![0; tally.len()], entries: strings(&entries), values };
    state.apply_items(call, &[ItemWrite { state: 2, change: append }, ItemWrite { state: 3, change: put }]);
}

fn snapshot(state: &mut MemoryState, epoch: u64) -> Vec<u8> {
    state.snapshot(Epoch(epoch), SnapshotKind::Delta);
    let bytes = std::iter::from_fn(|| state.snapshot_step(3)).flatten().collect();
    state.confirm_snapshot(Epoch(epoch));
    bytes
}

fn restored(mut state: MemoryState, chain: &[&[u8]]) -> Vec<String> {
    state.restore(chain, KeyGroups::DEFAULT, 0..128, 0..128).expect("a chain");
    let shown = |(state, value): (&StateNeed, Option<Vec<u8>>)| match (state.kind, value) {
        (_, None) => "-".to_owned(),
        (StateKind::Value, Some(value)) => value.escape_ascii().to_string(),
        (_, Some(stored)) => {
            let items = items::stored(&stored).expect("items");
            format!("[{}]", items.iter().map(|item| item.escape_ascii().to_string()).collect::<Vec<_>>().join(" "))
        }
    };
    let states = state.states().to_vec();
    let lines = state.dump().into_iter().map(|(key, values)| {
        let values: Vec<String> = states.iter().zip(values).map(shown).collect();
        format!("{}: {}", key.escape_ascii(), values.join(", "))
    });
    lines.collect()
}

#[test]
fn a_base_and_deltas_of_version_2_are_restored_and_written_as_they_were() {
    let mut state = MemoryState::in_spaces(states());
    call(&mut state, "a", 1, |state, call| {
        set(state, call, Some(b"10"), Some("ten"));
        add(state, call, &["x", "y"], &[("one", Some("1")), ("two", Some("2"))]);
    });
    call(&mut state, "b", 1, |state, call| set(state, call, Some(b"20"), None));
    call(&mut state, "a", 2, |state, call| add(state, call, &["z"], &[]));
    call(&mut state, "c", 8, |state, call| set(state, call, None, Some("")));
    let base = same("state-v2-base.bin", &snapshot(&mut state, 5));

    // What is added, removed, and cleared and filled anew; a key that goes, and a space.
    call(&mut state, "a", 1, |state, call| {
        let mut more = Values::end_to_end();
        more.push(Some(b" and more"));
        state.append(call, 1, &more);
        add(state, call, &["w"], &[("one", None), ("three", Some("3"))]);
    });
    call(&mut state, "a", 2, |state, call| {
        state.apply_items(call, &[ItemWrite { state: 2, change: ItemChange::ClearLists(vec![0]) }]);
        add(state, call, &["anew"], &[]);
    });
    call(&mut state, "b", 1, |state, call| set(state, call, None, None));
    state.forget(8);
    let first = same("state-v2-delta-1.bin", &snapshot(&mut state, 6));

    call(&mut state, "a", 1, |state, call| {
        state.apply_items(call, &[ItemWrite { state: 3, change: ItemChange::ClearMaps(vec![0]) }]);
        add(state, call, &[], &[("four", Some("4"))]);
        set(state, call, None, Some("else"));
    });
    call(&mut state, "c", 8, |state, call| set(state, call, Some(b"30"), None));
    let second = same("state-v2-delta-2.bin", &snapshot(&mut state, 7));

    let key = |key: &str, space: u8| format!("\\x01\\x01\\x00\\x00\\x00{key}\\x{space:02x}{}", "\\x00".repeat(7));
    let restored = |chain: &[&[u8]]| restored(MemoryState::in_spaces(states()), chain);
    let lines = |lines: &[(&str, u8, &str)]| -> Vec<String> {
        lines.iter().map(|(name, space, values)| format!("{}: {values}", key(name, *space))).collect()
    };
    assert_eq!(
        restored(&[&base]),
        lines(&[
            ("a", 1, "10, ten, [x y], [one 1 two 2]"),
            ("a", 2, "-, -, [z], -"),
            ("b", 1, "20, -, -, -"),
            ("c", 8, "-, , -, -"),
        ])
    );
    assert_eq!(
        restored(&[&base, &first]),
        lines(&[("a", 1, "10, ten and more, [x y w], [three 3 two 2]"), ("a", 2, "-, -, [anew], -")])
    );
    assert_eq!(
        restored(&[&base, &first, &second]),
        lines(&[("a", 1, "-, else, [x y w], [four 4]"), ("a", 2, "-, -, [anew], -"), ("c", 8, "30, -, -, -")])
    );
    assert!(first.len() < base.len() * 2 && second.len() < base.len() * 2);
}
