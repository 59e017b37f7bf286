//! Writes a snapshot, piece by piece.

use super::{ADD, BLOCK_HEAD, Header, RECORDS, REMOVALS, REMOVE, SET, SPACES, TRAILER, checksum};

/// Writes a snapshot: the header, blocks, the trailer.
#[derive(Debug)]
pub struct SnapshotWriter {
    /// What is finished and not yet taken.
    piece: Vec<u8>,
    /// Memory for what comes after the next piece; what is in it doesn't count.
    spare: Vec<u8>,
    states: usize,
    spaces: Block,
    removals: Block,
    records: Block,
    /// Where the codes of the record that is being written are, and where it starts.
    codes: usize,
    start: usize,
    blocks: u64,
    entries: u64,
    /// The checksums so far, which the trailer's covers.
    checksums: Vec<u8>,
}

/// A block that entries go to: room for its head, and its entries.
#[derive(Debug)]
struct Block {
    tag: u8,
    bytes: Vec<u8>,
    entries: u32,
}

impl Block {
    fn new(tag: u8) -> Self {
        Self { tag, bytes: vec![0; BLOCK_HEAD], entries: 0 }
    }
}

impl SnapshotWriter {
    /// A snapshot of which the first piece starts with this header.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let piece = header.to_bytes();
        let checksums = piece[piece.len() - 8..].to_vec();
        Self {
            piece,
            spare: Vec::new(),
            states: header.states.len(),
            spaces: Block::new(SPACES),
            removals: Block::new(REMOVALS),
            records: Block::new(RECORDS),
            codes: 0,
            start: 0,
            blocks: 0,
            entries: 0,
            checksums,
        }
    }

    /// Says that a space was forgotten.
    pub fn space(&mut self, space: i64) {
        self.spaces.entries += 1;
        self.spaces.bytes.extend_from_slice(&space.to_le_bytes());
    }

    /// Says that a key lost what it had in one state, or in all.
    pub fn removal(&mut self, key: impl FnOnce(&mut Vec<u8>), state: Option<usize>) {
        self.removals.entries += 1;
        let bytes = &mut self.removals.bytes;
        with_length(bytes, key);
        let bits = bytes.len();
        bytes.resize(bits + self.states.div_ceil(8), 0);
        for state in state.map_or(0..self.states, |state| state..state + 1) {
            bytes[bits + state / 8] |= 1 << (state % 8);
        }
    }

    /// Starts the record of a key, whose bytes `key` appends.
    pub fn begin(&mut self, key: impl FnOnce(&mut Vec<u8>)) {
        let bytes = &mut self.records.bytes;
        self.start = bytes.len();
        with_length(bytes, key);
        self.codes = bytes.len();
        bytes.resize(self.codes + self.states.div_ceil(4), 0);
    }

    /// Says in the record which value a state has; states are spoken of in their order. `fixed` values are as long as the state's width says.
    pub fn set(&mut self, state: usize, value: &[u8], fixed: bool) {
        self.say(state, SET);
        if fixed {
            self.records.bytes.extend_from_slice(value);
        } else {
            with_length(&mut self.records.bytes, |bytes| bytes.extend_from_slice(value));
        }
    }

    /// Says in the record that a state has no value any more.
    pub fn remove(&mut self, state: usize) {
        self.say(state, REMOVE);
    }

    /// Says in the record what follows on what a state had: `add` appends it. Nothing is said where it appends nothing.
    pub fn add<R>(&mut self, state: usize, add: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.records.bytes.len();
        let result = with_length(&mut self.records.bytes, add);
        if self.records.bytes.len() == before + 4 {
            self.records.bytes.truncate(before);
        } else {
            self.say(state, ADD);
        }
        result
    }

    /// Ends the record; one that says nothing is none.
    pub fn end(&mut self) {
        let bytes = &mut self.records.bytes;
        if bytes[self.codes..self.codes + self.states.div_ceil(4)].iter().all(|&codes| codes == 0) {
            bytes.truncate(self.start);
        } else {
            self.records.entries += 1;
        }
    }

    /// Adds the bytes of a record as they are. For what tries whether readers can be broken.
    pub fn raw(&mut self, record: &[u8]) {
        self.records.entries += 1;
        self.records.bytes.extend_from_slice(record);
    }

    fn say(&mut self, state: usize, code: u8) {
        self.records.bytes[self.codes + state / 4] |= code << (state % 4 * 2);
    }

    /// How many entries are waiting to be taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        [&self.spaces, &self.removals, &self.records].iter().map(|block| block.entries as usize).sum()
    }

    /// The bytes that are waiting to be taken, without the header.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.spaces.bytes.len() + self.removals.bytes.len() + self.records.bytes.len() - 3 * BLOCK_HEAD
    }

    /// Ends the blocks, and takes what is written so far. Without entries there is no block.
    pub fn take(&mut self) -> Vec<u8> {
        self.end_blocks();
        std::mem::take(&mut self.piece)
    }

    /// Gives it memory that an earlier piece was in, to write to.
    pub fn reuse(&mut self, memory: Vec<u8>) {
        self.spare = memory;
    }

    /// Ends the snapshot: the last piece.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.end_blocks();
        let mut trailer = vec![TRAILER];
        trailer.extend_from_slice(&self.blocks.to_le_bytes());
        trailer.extend_from_slice(&self.entries.to_le_bytes());
        self.checksums.extend_from_slice(&trailer);
        self.piece.extend_from_slice(&trailer);
        self.piece.extend_from_slice(&checksum(&self.checksums).to_le_bytes());
        self.piece
    }

    fn end_blocks(&mut self) {
        for block in [&mut self.spaces, &mut self.removals, &mut self.records] {
            if block.entries == 0 {
                continue;
            }
            let length = (block.bytes.len() - BLOCK_HEAD) as u64;
            block.bytes[0] = block.tag;
            block.bytes[1..5].copy_from_slice(&block.entries.to_le_bytes());
            block.bytes[5..BLOCK_HEAD].copy_from_slice(&length.to_le_bytes());
            let sum = checksum(&block.bytes).to_le_bytes();
            self.checksums.extend_from_slice(&sum);
            block.bytes.extend_from_slice(&sum);
            self.blocks += 1;
            self.entries += u64::from(block.entries);
            block.entries = 0;
            if self.piece.is_empty() {
                let mut next = std::mem::take(&mut self.spare);
                next.clear();
                // It will have about as many.
                next.reserve(block.bytes.len() + block.bytes.len() / 8);
                next.resize(BLOCK_HEAD, 0);
                self.piece = std::mem::replace(&mut block.bytes, next);
            } else {
                self.piece.extend_from_slice(&block.bytes);
                block.bytes.truncate(BLOCK_HEAD);
            }
        }
    }
}

/// Appends what `append` does, with its length before it, in four bytes.
fn with_length<R>(bytes: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    let result = append(bytes);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "keys, values and what is written of a list or map at once are far smaller than 4 GiB"
    )]
    let length = (bytes.len() - start - 4) as u32;
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
    result
}
