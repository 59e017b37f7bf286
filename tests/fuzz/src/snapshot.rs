//! What recovery reads: states' snapshots and manifests of checkpoints, as they are and with checksums that are right.

use sha2::{Digest as _, Sha256};
use wasmill_checkpoint::manifest::Manifest;
use wasmill_flow::{Epoch, KeyGroups};
use wasmill_state::memory::MemoryState;
use wasmill_state::snapshot::{Snapshot, SnapshotWriter};
use wasmill_state::{KeyedState, StateNeed};

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
    let read = snapshot.for_each(|entry| {
        assert_eq!(entry.values.len(), states);
        entries += 1;
        Ok(())
    });
    let mut state = MemoryState::new(snapshot.states().to_vec());
    // What is taken can be written and taken again.
    if state.restore(bytes, KeyGroups::DEFAULT, 0..128, 0..128).is_ok() {
        state.snapshot(Epoch(8));
        let again: Vec<u8> = std::iter::from_fn(|| state.snapshot_step(64)).flatten().collect();
        let mut other = MemoryState::new(snapshot.states().to_vec());
        assert_eq!(other.restore(&again, KeyGroups::DEFAULT, 0..128, 0..128), Ok(()));
        assert_eq!(other.dump(), state.dump());
    }
    if read.is_ok() {
        assert!(entries <= bytes.len(), "{entries} entries of {} bytes", bytes.len());
    }
}

/// A snapshot whose checksums hold, with these bytes for its entries; the first two say how many states and entries there are.
fn checksummed(bytes: &[u8]) -> Vec<u8> {
    let [states, entries, body @ ..] = bytes else { return Vec::new() };
    let state = |index: u8| match (index % 4, format!("state{index}")) {
        (0, name) => StateNeed::lists(&name, 1),
        (2, name) => StateNeed::maps(&name, 1),
        (1, name) => StateNeed::values(&name, 1, Some(u32::from(index))),
        (_, name) => StateNeed::values(&name, 1, None),
    };
    let states: Vec<_> = (0..states % 20).map(state).collect();
    let mut writer = SnapshotWriter::new(Epoch(7), &states);
    for entry in 0..entries % 8 {
        let block = writer.entry();
        if entry == 0 {
            block.extend_from_slice(body);
        }
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
