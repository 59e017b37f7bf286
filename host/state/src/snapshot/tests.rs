//! Tests of the format: what is written, what is read, and what damage is called.

use std::path::Path;

use proptest::prelude::*;
use wasmill_flow::Epoch;

use super::*;
use crate::contract::{StateError, StateNeed};

fn states() -> Vec<StateNeed> {
    vec![StateNeed::values("count", 3, Some(2)), StateNeed::values("text", 1, None)]
}

/// The snapshot of the fixture: three keys in two blocks.
fn example() -> Vec<u8> {
    let mut writer = SnapshotWriter::new(Epoch(42), &states());
    let mut bytes = Vec::new();
    writer.entry().extend_from_slice(b"\x01\0\0\0a\x03\x10\x20\x03\0\0\0xyz");
    writer.entry().extend_from_slice(b"\x02\0\0\0bb\x01\x11\x21");
    bytes.extend(writer.take());
    writer.entry().extend_from_slice(b"\0\0\0\0\x02\0\0\0\0");
    bytes.extend(writer.finish());
    bytes
}

/// Where the blocks of the example start.
const FIRST: usize = HEADER_HEAD + 8 + 4 + (4 + 5 + 4 + 5) + (4 + 4 + 4 + 5) + 8;
const SECOND: usize = FIRST + BLOCK_HEAD + 24 + 8;

type Owned = (Vec<u8>, Vec<Option<Vec<u8>>>);

fn read(bytes: &[u8]) -> Result<Vec<Owned>, StateError> {
    let mut entries = Vec::new();
    Snapshot::open(bytes)?.for_each(|entry| {
        entries.push((entry.key.to_vec(), entry.values.iter().map(|value| value.map(<[u8]>::to_vec)).collect()));
        Ok(())
    })?;
    Ok(entries)
}

fn expected() -> Vec<Owned> {
    vec![
        (b"a".to_vec(), vec![Some(vec![0x10, 0x20]), Some(b"xyz".to_vec())]),
        (b"bb".to_vec(), vec![Some(vec![0x11, 0x21]), None]),
        (Vec::new(), vec![None, Some(Vec::new())]),
    ]
}

fn damage(bytes: &[u8]) -> String {
    read(bytes).expect_err("damage").to_string()
}

/// The bytes with every checksum made right, as far as they make sense: what only a broken writer would leave.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = |bytes: &[u8], at: usize| bytes.get(at..at + 8).map(|field| u64::from_le_bytes(field.try_into().expect("8 bytes")));
    let seal = |start: usize, length: Option<u64>, bytes: &mut Vec<u8>, over: &mut Vec<u8>| {
        let end = start.checked_add(usize::try_from(length?).ok()?)?;
        let sum = checksum(bytes.get(start..end)?).to_le_bytes();
        bytes.get_mut(end..end + 8)?.copy_from_slice(&sum);
        over.extend_from_slice(&sum);
        Some(end + 8)
    };
    let mut over = Vec::new();
    let header = at(&bytes, 12).and_then(|length| length.checked_add(HEADER_HEAD as u64));
    let mut start = seal(0, header, &mut bytes, &mut over);
    while let Some(block) = start.filter(|&start| bytes.get(start) == Some(&BLOCK)) {
        let length = at(&bytes, block + 5).and_then(|length| length.checked_add(BLOCK_HEAD as u64));
        start = seal(block, length, &mut bytes, &mut over);
    }
    if let Some(trailer) = start.filter(|start| start + 25 == bytes.len()) {
        over.extend_from_slice(&bytes[trailer..trailer + 17]);
        bytes[trailer + 17..].copy_from_slice(&checksum(&over).to_le_bytes());
    }
    bytes
}

#[test]
fn what_is_written_is_what_is_read() {
    let bytes = example();
    let snapshot = Snapshot::open(&bytes).expect("a good snapshot");
    assert_eq!(snapshot.epoch(), Epoch(42));
    assert_eq!(snapshot.states(), states());
    assert_eq!(read(&bytes), Ok(expected()));
    assert_eq!(resealed(bytes.clone()), bytes);
}

#[test]
fn a_snapshot_of_version_1_still_reads() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/snapshot-v1.bin");
    let bytes = std::fs::read(fixture).expect("the fixture");
    assert_eq!(read(&bytes), Ok(expected()));
    assert_eq!(bytes, example(), "version 1 is written as it was");
}

#[test]
fn a_snapshot_without_entries_has_no_block() {
    let bytes = SnapshotWriter::new(Epoch(1), &[]).finish();
    assert_eq!(bytes.len(), HEADER_HEAD + 8 + 4 + 8 + 1 + 8 + 8 + 8);
    assert_eq!(read(&bytes), Ok(Vec::new()));
}

#[test]
fn damage_is_called_by_its_name() {
    let bytes = example();
    assert_eq!(damage(b""), "the snapshot is damaged: it doesn't start as a snapshot does, with WMSTATE");
    assert_eq!(
        damage(&bytes[..FIRST + 20]),
        "the snapshot is damaged: it ends within a block's entries: byte 88 of 95, 24 bytes expected"
    );
    assert_eq!(
        damage(&bytes[..bytes.len() - 25]),
        "the snapshot is damaged: it ends within a block or the trailer: byte 150 of 150, 1 bytes expected"
    );
    let mut changed = bytes.clone();
    changed[FIRST + 15] ^= 1;
    assert_eq!(damage(&changed), "the snapshot is damaged: the checksum of the block at byte 75 is wrong");
    let mut changed = bytes.clone();
    changed[30] ^= 1;
    assert_eq!(damage(&changed), "the snapshot is damaged: the checksum of the header at byte 0 is wrong");
    let mut changed = bytes.clone();
    changed[8] = 2;
    assert_eq!(damage(&changed), "the snapshot is damaged: it has version 2 of the format, this program reads version 1");
    assert_eq!(damage(&[&bytes[..], b"more"].concat()), "the snapshot is damaged: 4 bytes follow the trailer, expected none");
}

#[test]
fn blocks_that_are_missing_moved_or_doubled_are_damage() {
    let bytes = example();
    let (first, second, trailer) = (FIRST, SECOND, bytes.len() - 25);
    let wrong = "the snapshot is damaged: the checksum of the trailer at byte";
    let without_first = [&bytes[..first], &bytes[second..]].concat();
    let swapped = [&bytes[..first], &bytes[second..trailer], &bytes[first..second], &bytes[trailer..]].concat();
    let doubled = [&bytes[..trailer], &bytes[second..]].concat();
    for changed in [without_first, swapped, doubled] {
        assert!(damage(&changed).starts_with(wrong), "{}", damage(&changed));
    }
}

#[test]
fn entries_that_make_no_sense_are_damage_though_the_checksums_hold() {
    let block = FIRST + BLOCK_HEAD;
    let changed = |at: usize, to: u8| {
        let mut bytes = example();
        bytes[at] = to;
        damage(&resealed(bytes))
    };
    let start = "the snapshot is damaged: block at byte 75: ";
    assert_eq!(changed(block, 99), format!("{start}it ends within a key: byte 4 of 24, 99 bytes expected"));
    assert_eq!(changed(block + 5, 0), format!("{start}a key's presence bits [0] don't fit 2 states"));
    assert_eq!(changed(block + 5, 7), format!("{start}a key's presence bits [7] don't fit 2 states"));
    assert_eq!(changed(block + 8, 200), format!("{start}it ends within a value: byte 12 of 24, 200 bytes expected"));
    assert_eq!(changed(FIRST + 1, 1), "the snapshot is damaged: the trailer counts 2 blocks and 3 entries, found 2 and 2");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_a_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = example();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let intact = bytes == example();
        prop_assert_eq!(read(&bytes).is_ok(), intact);
        let _ = read(&resealed(bytes));
    }

    #[test]
    fn random_bytes_are_no_snapshot(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&[&MAGIC[..], &VERSION.to_le_bytes(), &bytes].concat()).is_err());
    }
}
