//! The memory that the pieces of a task's snapshots are in, kept for the next snapshot while that is likely to come soon.
//!
//! All pieces of a snapshot are in memory until it is stored, which for a base is as much as the state has. Were it given back, the next base would
//! have fresh pages for all of it, and the task that takes the snapshot, with its rows waiting, would be the one that has them made.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Larger pieces, of what calls have handed over, are rare and not kept.
const LARGEST: usize = 256 << 10;

/// The memory of the pieces of a task's snapshots of one operator.
#[derive(Debug, Clone, Default)]
pub(crate) struct PieceMemory(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// What pieces and spares have.
    bytes: AtomicU64,
    /// What pieces were in, and since when they aren't: the latest is at the end, and used first.
    spares: Mutex<Vec<(Instant, Vec<u8>)>>,
}

/// A piece; its memory comes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Vec<u8>,
    home: PieceMemory,
}

impl PieceMemory {
    /// The bytes that it has: of pieces, wherever they are, and of what is kept.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }

    /// What a piece was in, for another.
    pub fn spare(&self) -> Option<Vec<u8>> {
        let (_, spare) = self.spares().pop()?;
        self.0.bytes.fetch_sub(spare.capacity() as u64, Relaxed);
        Some(spare)
    }

    /// A piece of what was written.
    pub fn hold(&self, bytes: Vec<u8>) -> Piece {
        self.0.bytes.fetch_add(bytes.capacity() as u64, Relaxed);
        Piece { bytes, home: self.clone() }
    }

    /// Frees what has been kept for so long without use.
    pub fn free_spares(&self, kept: Duration) {
        let Some(until) = Instant::now().checked_sub(kept) else { return };
        let mut spares = self.spares();
        let freed = spares.partition_point(|(since, _)| *since <= until);
        let freed: Vec<_> = spares.drain(..freed).collect();
        drop(spares);
        let bytes = freed.iter().map(|(_, spare)| spare.capacity() as u64).sum();
        self.0.bytes.fetch_sub(bytes, Relaxed);
    }

    fn take_back(&self, memory: Vec<u8>) {
        if memory.capacity() <= LARGEST {
            let mut spares = self.spares();
            spares.push((Instant::now(), memory));
        } else {
            self.0.bytes.fetch_sub(memory.capacity() as u64, Relaxed);
        }
    }

    fn spares(&self) -> MutexGuard<'_, Vec<(Instant, Vec<u8>)>> {
        self.0.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.home.take_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_piece_is_used_again_and_counts_as_long_as_it_is_there() {
        let memory = PieceMemory::default();
        let (first, second) = (memory.hold(Vec::with_capacity(100)), memory.hold(Vec::with_capacity(50)));
        assert_eq!(memory.bytes(), 150);
        drop(first);
        drop(second);
        assert_eq!(memory.bytes(), 150, "kept for the next");
        let spare = memory.spare().expect("two are kept");
        assert_eq!((spare.capacity(), memory.bytes()), (50, 100), "the latest first");
        let again = memory.hold(spare);
        memory.free_spares(Duration::from_secs(3600));
        assert_eq!(memory.bytes(), 150, "not for long yet");
        memory.free_spares(Duration::ZERO);
        assert_eq!((memory.bytes(), memory.spare()), (50, None), "a piece that is on its way is no spare");
        drop(again);
        assert_eq!(memory.spare().map(|spare| spare.capacity()), Some(50));
    }

    #[test]
    fn large_pieces_are_not_kept() {
        let memory = PieceMemory::default();
        drop(memory.hold(Vec::with_capacity(LARGEST + 1)));
        assert_eq!((memory.bytes(), memory.spare()), (0, None));
    }
}
