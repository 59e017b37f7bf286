//! An encoded key in 16 bytes: whole where it has at most 15, else a place in the store of long keys.

/// Marks a key that is kept elsewhere; otherwise the byte is the key's length.
const LONG: u64 = 0xff;
/// Marks that there is none.
const FREE: u64 = 0xfe;
/// The longest key that is kept in the 16 bytes.
pub const INLINE: usize = 15;

/// A short key: its bytes, zeros, and in the last byte its length. So two short keys are equal where the two words are.
/// A long key: its place in [`LongKeys`] in the first word, and 255 in the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedKey {
    low: u64,
    high: u64,
}

impl PackedKey {
    /// No key's.
    pub const FREE: Self = Self { low: 0, high: FREE << 56 };

    /// Packs a key of at most [`INLINE`] bytes; `None` for a longer one. Two loads for 8 bytes or more, whatever the length.
    #[inline]
    pub fn short(key: &[u8]) -> Option<Self> {
        let length = key.len();
        if length > INLINE {
            return None;
        }
        let (low, high) = if let (Some(head), Some(tail)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
            // The tail overlaps the head by `16 - length` bytes, which are shifted out.
            let high = u64::from_le_bytes(*tail).checked_shr(8 * (16 - length as u32)).unwrap_or(0);
            (u64::from_le_bytes(*head), high)
        } else if let (Some(head), Some(tail)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            // Where they overlap they agree.
            let tail = u64::from(u32::from_le_bytes(*tail)) << (8 * (length - 4));
            (u64::from(u32::from_le_bytes(*head)) | tail, 0)
        } else {
            (key.iter().rev().fold(0, |low, byte| low << 8 | u64::from(*byte)), 0)
        };
        Some(Self { low, high: high | (length as u64) << 56 })
    }

    /// A key that is kept at a place of [`LongKeys`].
    pub fn long(place: u32) -> Self {
        Self { low: u64::from(place), high: LONG << 56 }
    }

    /// The place of a long key.
    #[inline]
    pub fn long_place(self) -> Option<u32> {
        #[expect(clippy::cast_possible_truncation, reason = "made from a u32")]
        (self.high >> 56 == LONG).then_some(self.low as u32)
    }
}

/// Keys of more than [`INLINE`] bytes, each in memory of its own.
#[derive(Debug, Default)]
pub struct LongKeys {
    keys: Vec<Box<[u8]>>,
    free: Vec<u32>,
    bytes: usize,
}

impl LongKeys {
    /// Keeps a key.
    pub fn insert(&mut self, key: &[u8]) -> PackedKey {
        self.bytes += key.len();
        if let Some(place) = self.free.pop() {
            self.keys[place as usize] = key.into();
            return PackedKey::long(place);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "there are at most as many long keys as slots, which are counted in a u32"
        )]
        let place = self.keys.len() as u32;
        self.keys.push(key.into());
        PackedKey::long(place)
    }

    /// The key at a place.
    #[inline]
    pub fn get(&self, place: u32) -> &[u8] {
        &self.keys[place as usize]
    }

    /// Forgets a key, if it is a long one.
    pub fn remove(&mut self, key: PackedKey) {
        if let Some(place) = key.long_place() {
            self.bytes -= self.keys[place as usize].len();
            self.keys[place as usize] = Box::default();
            self.free.push(place);
        }
    }

    /// The bytes of a key; those of a short one are put into `room`.
    pub fn bytes<'a>(&'a self, key: PackedKey, room: &'a mut [u8; 16]) -> &'a [u8] {
        if let Some(place) = key.long_place() {
            return self.get(place);
        }
        room[..8].copy_from_slice(&key.low.to_le_bytes());
        room[8..].copy_from_slice(&key.high.to_le_bytes());
        let length = usize::from(room[INLINE]);
        &room[..length]
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.keys.len() * size_of::<Box<[u8]>>() + self.free.len() * size_of::<u32>() + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_every_length_comes_back_as_it_was() {
        let mut long_keys = LongKeys::default();
        for length in 0..40u8 {
            let key: Vec<u8> = (0..length).map(|at| at ^ 0xa5).collect();
            let packed = PackedKey::short(&key).unwrap_or_else(|| long_keys.insert(&key));
            assert_eq!(packed.long_place().is_some(), usize::from(length) > INLINE);
            assert_eq!(long_keys.bytes(packed, &mut [0xff; 16]), key);
        }
    }

    #[test]
    fn keys_that_differ_only_in_trailing_zeros_are_different() {
        for length in 0..INLINE {
            assert_ne!(PackedKey::short(&vec![0; length]), PackedKey::short(&vec![0; length + 1]));
        }
    }

    #[test]
    fn the_place_of_a_forgotten_long_key_is_used_again() {
        let mut keys = LongKeys::default();
        let first = keys.insert(&[1; 20]);
        keys.remove(first);
        assert_eq!(keys.insert(&[2; 30]), first);
        assert_eq!(keys.get(0), [2; 30]);
    }
}
