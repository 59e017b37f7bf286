//! Writes a snapshot, piece by piece.

use wasmill_flow::Epoch;

use super::{BLOCK, BLOCK_HEAD, MAGIC, TRAILER, VERSION, checksum};
use crate::contract::{StateKind, StateNeed};

/// Writes a snapshot: the header, blocks of entries, the trailer.
#[derive(Debug)]
pub struct SnapshotWriter {
    /// What is finished and not yet taken.
    piece: Vec<u8>,
    /// The block that entries go to: room for its head, and its entries.
    block: Vec<u8>,
    block_entries: u32,
    blocks: u64,
    entries: u64,
    /// The checksums so far, which the trailer's covers.
    checksums: Vec<u8>,
}

impl SnapshotWriter {
    /// A snapshot of these states; its first piece starts with the header.
    #[must_use]
    pub fn new(epoch: Epoch, states: &[StateNeed]) -> Self {
        let header = header(epoch, states);
        let checksums = header[header.len() - 8..].to_vec();
        Self { piece: header, block: vec![0; BLOCK_HEAD], block_entries: 0, blocks: 0, entries: 0, checksums }
    }

    /// The buffer to append one entry's bytes to.
    pub fn entry(&mut self) -> &mut Vec<u8> {
        self.block_entries += 1;
        &mut self.block
    }

    /// How many entries are waiting to be taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.block_entries as usize
    }

    /// Ends the block, and takes what is written so far. Without entries there is no block.
    pub fn take(&mut self) -> Vec<u8> {
        self.end_block();
        std::mem::take(&mut self.piece)
    }

    /// Ends the snapshot: the last piece.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.end_block();
        let mut trailer = vec![TRAILER];
        trailer.extend_from_slice(&self.blocks.to_le_bytes());
        trailer.extend_from_slice(&self.entries.to_le_bytes());
        self.checksums.extend_from_slice(&trailer);
        self.piece.extend_from_slice(&trailer);
        self.piece.extend_from_slice(&checksum(&self.checksums).to_le_bytes());
        self.piece
    }

    fn end_block(&mut self) {
        if self.block_entries == 0 {
            return;
        }
        let length = (self.block.len() - BLOCK_HEAD) as u64;
        self.block[0] = BLOCK;
        self.block[1..5].copy_from_slice(&self.block_entries.to_le_bytes());
        self.block[5..BLOCK_HEAD].copy_from_slice(&length.to_le_bytes());
        let sum = checksum(&self.block).to_le_bytes();
        self.checksums.extend_from_slice(&sum);
        self.block.extend_from_slice(&sum);
        self.blocks += 1;
        self.entries += u64::from(self.block_entries);
        self.block_entries = 0;
        if self.piece.is_empty() {
            self.piece = std::mem::replace(&mut self.block, vec![0; BLOCK_HEAD]);
        } else {
            self.piece.extend_from_slice(&self.block);
            self.block.truncate(BLOCK_HEAD);
        }
    }
}

fn header(epoch: Epoch, states: &[StateNeed]) -> Vec<u8> {
    let mut counted = epoch.0.to_le_bytes().to_vec();
    counted.extend_from_slice(&length(states.len()));
    for state in states {
        counted.extend_from_slice(&length(state.name.len()));
        counted.extend_from_slice(state.name.as_bytes());
        counted.extend_from_slice(&state.version.to_le_bytes());
        counted.push(match state.kind {
            StateKind::Value => u8::from(state.width.is_some()),
            StateKind::List => 2,
            StateKind::Map => 3,
            StateKind::Broadcast => 4,
            StateKind::Task => 5,
        });
        counted.extend_from_slice(&state.width.unwrap_or(0).to_le_bytes());
    }
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(counted.len() as u64).to_le_bytes());
    header.extend_from_slice(&counted);
    let sum = checksum(&header);
    header.extend_from_slice(&sum.to_le_bytes());
    header
}

#[expect(clippy::cast_possible_truncation, reason = "an operator has few states, with short names")]
fn length(of: usize) -> [u8; 4] {
    (of as u32).to_le_bytes()
}
