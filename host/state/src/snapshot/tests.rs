//! Tests of the format: what is written, what is read, and what damage is called.

use std::path::Path;

use proptest::prelude::*;
use wasmill_flow::{Epoch, KeyGroups};

use super::*;
use crate::contract::{KeyedState, StateError, StateNeed};
use crate::memory::MemoryState;

fn states() -> Vec<StateNeed> {
    vec![StateNeed::values("count", 3, Some(2)), StateNeed::values("text", 1, None)]
}

fn header(epoch: u64, since: Option<u64>, states: Vec<StateNeed>) -> Header {
    Header { epoch: Epoch(epoch), since: since.map(Epoch), keys: 3, states }
}

fn key(writer: &mut SnapshotWriter, key: &str) {
    writer.begin(|bytes| bytes.extend_from_slice(key.as_bytes()));
}

/// A base of three keys in two blocks, as the fixture of version 1.
fn example() -> Vec<u8> {
    let mut writer = SnapshotWriter::new(&header(42, None, states()));
    let mut bytes = Vec::new();
    key(&mut writer, "a");
    writer.set(0, &[0x10, 0x20], true);
    writer.set(1, b"xyz", false);
    writer.end();
    key(&mut writer, "bb");
    writer.set(0, &[0x11, 0x21], true);
    writer.end();
    bytes.extend(writer.take());
    key(&mut writer, "");
    writer.set(1, b"", false);
    writer.end();
    key(&mut writer, "nothing is said");
    writer.add(1, |_| ());
    writer.end();
    bytes.extend(writer.finish());
    bytes
}

/// A delta with everything that there is.
fn delta() -> Vec<u8> {
    let mut states = states();
    states.extend([StateNeed::lists("trail", 1), StateNeed::maps("tally", 1), StateNeed::values("more", 1, None)]);
    let mut writer = SnapshotWriter::new(&header(43, Some(42), states));
    key(&mut writer, "a");
    writer.remove(0);
    writer.add(1, |bytes| bytes.extend_from_slice(b"more"));
    writer.add(2, |bytes| crate::items::store(b"item", bytes));
    writer.add(3, |bytes| bytes.extend_from_slice(b"\x01\0\0\0e\x01\0\0\0v\x01\0\0\0f\xff\xff\xff\xff"));
    writer.set(4, b"five", false);
    writer.end();
    writer.removal(|bytes| bytes.extend_from_slice(b"bb"), None);
    writer.removal(|bytes| bytes.extend_from_slice(b"a"), Some(2));
    writer.space(-7);
    writer.finish()
}

/// Where the blocks of the example start.
const FIRST: usize = HEADER_HEAD + 8 + 1 + 8 + 8 + 4 + (4 + 5 + 4 + 5) + (4 + 4 + 4 + 5) + 8;
const SECOND: usize = FIRST + BLOCK_HEAD + 24 + 8;

/// What a snapshot says, as text.
fn read(bytes: &[u8]) -> Result<Vec<String>, StateError> {
    let mut said = Vec::new();
    Snapshot::open(bytes)?.for_each(|item| {
        said.push(match item {
            Item::Space(space) => format!("space {space}"),
            Item::Removal { key, states } => format!("{} loses {states:?}", key.escape_ascii()),
            Item::Record(Record { key, changes }) => {
                let changes = changes.iter().map(|change| match change {
                    None => String::new(),
                    Some(Change::Set(value)) => format!("= {}", value.escape_ascii()),
                    Some(Change::Remove) => "gone".to_owned(),
                    Some(Change::Add(more)) => format!("+ {}", more.escape_ascii()),
                });
                format!("{}: {}", key.escape_ascii(), changes.collect::<Vec<_>>().join(", "))
            }
        });
        Ok(())
    })?;
    Ok(said)
}

fn expected() -> Vec<String> {
    ["a: = \\x10 , = xyz", "bb: = \\x11!, ", ": , = "].map(str::to_owned).to_vec()
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
    while let Some(block) = start.filter(|&start| [RECORDS, REMOVALS, SPACES].map(Some).contains(&bytes.get(start).copied())) {
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
    assert_eq!((snapshot.epoch(), snapshot.since(), snapshot.keys()), (Epoch(42), None, 3));
    assert_eq!(snapshot.states(), states());
    assert_eq!(read(&bytes), Ok(expected()));
    assert_eq!(resealed(bytes.clone()), bytes);
}

#[test]
fn a_delta_says_what_is_gone_before_what_is_there() {
    let bytes = delta();
    assert_eq!(Snapshot::open(&bytes).expect("a good snapshot").since(), Some(Epoch(42)));
    let said = [
        "space -7",
        "bb loses [31]",
        "a loses [4]",
        "a: gone, + more, + \\x04\\x00\\x00\\x00item, + \\x01\\x00\\x00\\x00e\\x01\\x00\\x00\\x00v\\x01\\x00\\x00\\x00f\\xff\\xff\\xff\\xff, = five",
    ];
    assert_eq!(read(&bytes), Ok(said.map(str::to_owned).to_vec()));
    assert_eq!(resealed(bytes.clone()), bytes);
}

#[test]
fn a_snapshot_of_version_1_still_reads() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/snapshot-v1.bin");
    let bytes = std::fs::read(fixture).expect("the fixture");
    assert_eq!(read(&bytes), Ok(expected()));
    assert_eq!(Snapshot::open(&bytes).map(|snapshot| (snapshot.since(), snapshot.keys())), Ok((None, 0)));
}

/// A snapshot of version 1 with every kind of state.
fn version_1() -> Vec<u8> {
    let mut counted = 7_u64.to_le_bytes().to_vec();
    counted.extend_from_slice(&4_u32.to_le_bytes());
    for (name, kind, width) in [("count", 1, 2), ("text", 0, 0), ("trail", 2, 0), ("tally", 3, 0)] {
        crate::items::store(name.as_bytes(), &mut counted);
        counted.extend_from_slice(&1_u32.to_le_bytes());
        counted.push(kind);
        counted.extend_from_slice(&u32::to_le_bytes(width));
    }
    let entries = [
        &b"\x01\0\0\0a\x0f10\x03\0\0\0ten"[..],
        b"\x0a\0\0\0\0\0\0\0\x01\0\0\0x\x01\0\0\0y",
        b"\x0a\0\0\0\0\0\0\0\x01\0\0\0e\x01\0\0\0v",
        b"\x01\0\0\0b\x0120",
    ]
    .concat();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&(counted.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&counted);
    bytes.extend_from_slice(&[0; 8]);
    bytes.push(RECORDS);
    bytes.extend_from_slice(&2_u32.to_le_bytes());
    bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&entries);
    bytes.extend_from_slice(&[0; 8]);
    bytes.push(TRAILER);
    bytes.extend_from_slice(&1_u64.to_le_bytes());
    bytes.extend_from_slice(&2_u64.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    resealed(bytes)
}

#[test]
fn a_snapshot_of_version_1_is_restored() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state-v1.bin");
    if std::env::var_os("WASMILL_TEST_ACCEPT").is_some() {
        std::fs::write(&fixture, version_1()).expect("the fixture is written");
    }
    let bytes = std::fs::read(fixture).expect("the fixture");
    assert_eq!(bytes, version_1());
    let states = Snapshot::open(&bytes).expect("a good snapshot").states().to_vec();
    let mut state = MemoryState::new(states);
    state.restore(&[&bytes], KeyGroups::DEFAULT, 0..128, 0..128).expect("a good snapshot");
    let text = |text: &[u8]| Some(text.to_vec());
    let of_a = vec![text(b"10"), text(b"ten"), text(b"\x01\0\0\0x\x01\0\0\0y"), text(b"\x01\0\0\0e\x01\0\0\0v")];
    let of_b = vec![text(b"20"), None, None, None];
    assert_eq!(state.dump().into_iter().collect::<Vec<_>>(), [(b"a".to_vec(), of_a), (b"b".to_vec(), of_b)]);
}

#[test]
fn a_snapshot_without_entries_has_no_block() {
    let bytes = SnapshotWriter::new(&header(1, None, Vec::new())).finish();
    assert_eq!(bytes.len(), HEADER_HEAD + 8 + 1 + 8 + 8 + 4 + 8 + 1 + 8 + 8 + 8);
    assert_eq!(read(&bytes), Ok(Vec::new()));
}

#[test]
fn damage_is_called_by_its_name() {
    let bytes = example();
    assert_eq!(damage(b""), "the snapshot is damaged: it doesn't start as a snapshot does, with WMSTATE");
    assert_eq!(
        damage(&bytes[..FIRST + 20]),
        "the snapshot is damaged: it ends within a block's entries: byte 105 of 112, 24 bytes expected"
    );
    assert_eq!(
        damage(&bytes[..bytes.len() - 25]),
        "the snapshot is damaged: it ends within a block or the trailer: byte 167 of 167, 1 bytes expected"
    );
    let mut changed = bytes.clone();
    changed[FIRST + 15] ^= 1;
    assert_eq!(damage(&changed), "the snapshot is damaged: the checksum of the block at byte 92 is wrong");
    let mut changed = bytes.clone();
    changed[30] ^= 1;
    assert_eq!(damage(&changed), "the snapshot is damaged: the checksum of the header at byte 0 is wrong");
    let mut changed = bytes.clone();
    changed[8] = 3;
    assert_eq!(damage(&changed), "the snapshot is damaged: it has version 3 of the format, this program reads versions 1 to 2");
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
    let start = "the snapshot is damaged: block at byte 92: ";
    assert_eq!(changed(block, 99), format!("{start}it ends within a key: byte 4 of 24, 99 bytes expected"));
    assert_eq!(changed(block + 5, 0), format!("{start}the record of key [61] says nothing"));
    assert_eq!(changed(block + 5, 0x15), format!("{start}a key's codes [21] don't fit 2 states"));
    assert_eq!(changed(block + 5, 0x7), format!("{start}the record of key [61] says 3 of state `count`"));
    assert_eq!(changed(block + 5, 0x9), format!("{start}the record of key [61] says 2 of state `text`"));
    assert_eq!(changed(block + 8, 200), format!("{start}it ends within a value: byte 12 of 24, 200 bytes expected"));
    assert_eq!(changed(FIRST + 1, 1), "the snapshot is damaged: the trailer counts 2 blocks and 3 entries, found 2 and 2");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_a_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        is_delta in any::<bool>(),
    ) {
        let original = if is_delta { delta() } else { example() };
        let mut bytes = original.clone();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let intact = bytes == original;
        prop_assert_eq!(read(&bytes).is_ok(), intact);
        let _ = read(&resealed(bytes));
    }

    #[test]
    fn random_bytes_are_no_snapshot(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&[&MAGIC[..], &VERSION.to_le_bytes(), &bytes].concat()).is_err());
    }
}
