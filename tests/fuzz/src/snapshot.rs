//! What recovery reads: states' snapshots and manifests of checkpoints, as they are and with checksums that are right.

use sha2::{Digest as _, Sha256};
use wasmill_checkpoint::manifest::Manifest;
use wasmill_flow::{Epoch, KeyGroups};
use wasmill_state::memory::MemoryState;
use wasmill_state::snapshot::{Header, Item, Snapshot, SnapshotWriter};
use wasmill_state::{KeyedState, SnapshotKind, StateNeed};

/// The first byte chooses what the rest is.
pub fn run(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => read(bytes),
        1 => read(&checksummed(bytes)),
        2 => drop(Manifest::from_bytes(bytes)),
        _ => manifest(bytes),
    }
}

fn read(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::open(bytes) else { return };
    let states = snapshot.states().len();
    let mut entries = 0_usize;
    let read = snapshot.for_each(|item| {
        if let Item::Record(record) = item {
            assert_eq!(record.changes.len(), states);
        }
        entries += 1;
        Ok(())
    });
    // A delta goes on from nothing.
    let base = snapshot.since().map(|epoch| SnapshotWriter::new(&header(epoch, None, snapshot.states().to_vec())).finish());
    let chain: Vec<&[u8]> = base.as_deref().into_iter().chain([bytes]).collect();
    for make in [MemoryState::new, MemoryState::in_spaces] {
        let mut state = make(snapshot.states().to_vec());
        // What is taken can be written and taken again.
        if state.restore(&chain, KeyGroups::DEFAULT, 0..128, 0..128).is_ok() {
            state.snapshot(Epoch(8), SnapshotKind::Base);
            let again: Vec<u8> = std::iter::from_fn(|| state.snapshot_step(64)).flatten().collect();
            let mut other = make(snapshot.states().to_vec());
            assert_eq!(other.restore(&[&again], KeyGroups::DEFAULT, 0..128, 0..128), Ok(()));
            assert_eq!(other.dump(), state.dump());
        }
    }
    if read.is_ok() {
        assert!(entries <= bytes.len(), "{entries} entries of {} bytes", bytes.len());
    }
}

fn header(epoch: Epoch, since: Option<Epoch>, states: Vec<StateNeed>) -> Header {
    Header { epoch, since, keys: 3, states }
}

/// A snapshot whose checksums hold, with these bytes for its records; the first two say how many states and records there are, and whether it is a
/// delta.
fn checksummed(bytes: &[u8]) -> Vec<u8> {
    let [states, entries, body @ ..] = bytes else { return Vec::new() };
    let state = |index: u8| match (index % 4, format!("state{index}")) {
        (0, name) => StateNeed::lists(&name, 1),
        (2, name) => StateNeed::maps(&name, 1),
        (1, name) => StateNeed::values(&name, 1, Some(u32::from(index))),
        (_, name) => StateNeed::values(&name, 1, None),
    };
    let states: Vec<_> = (0..states % 20).map(state).collect();
    let since = (entries & 0x80 != 0).then_some(Epoch(6));
    let mut writer = SnapshotWriter::new(&header(Epoch(7), since, states));
    if let Some(space) = body.first_chunk().filter(|_| entries & 0x40 != 0) {
        writer.space(i64::from_le_bytes(*space));
        writer.removal(|key| key.extend_from_slice(space), None);
    }
    for entry in 0..entries % 8 {
        writer.raw(if entry == 0 { body } else { &[] });
    }
    writer.finish()
}

/// A manifest whose checksum holds, with these bytes for its text. One that is taken is written as it was read.
fn manifest(bytes: &[u8]) {
    let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let whole = [format!("{{\"format\":1,\"sha256\":\"{sum}\",\"manifest\":\n").as_bytes(), bytes, b"\n}\n"].concat();
    if let Ok(read) = Manifest::from_bytes(&whole) {
        let again = Manifest::from_bytes(&read.to_bytes()).expect("what was written is read");
        assert_eq!(again.to_bytes(), read.to_bytes());
    }
}
