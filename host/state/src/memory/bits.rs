//! One bit for each slot.

/// A bit for each slot; those that were never set are clear.
#[derive(Debug, Default)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Makes room for `count` bits.
    pub fn grow(&mut self, count: usize) {
        self.words.resize(count.div_ceil(64).max(self.words.len()), 0);
    }

    /// Bits `64 * index` and up, least significant first; none where there is no such word.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// Clears all bits.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Sets the bits that are set in another.
    pub fn add(&mut self, other: &Self) {
        self.words.resize(self.words.len().max(other.words.len()), 0);
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// The bits that are set, ascending.
    pub fn set(&self) -> impl Iterator<Item = u32> {
        (0_u32..).step_by(64).zip(&self.words).flat_map(|(first, &word)| {
            std::iter::successors((word != 0).then_some(word), |word| Some(word & (word - 1)).filter(|&word| word != 0))
                .map(move |word| first + word.trailing_zeros())
        })
    }

    /// One bit.
    #[inline]
    pub fn get(&self, place: u32) -> bool {
        self.words[place as usize / 64] >> (place % 64) & 1 == 1
    }

    /// Sets a bit, and returns what it was.
    #[inline]
    pub fn replace(&mut self, place: u32, value: bool) -> bool {
        let word = &mut self.words[place as usize / 64];
        let old = *word >> (place % 64) & 1 == 1;
        *word = *word & !(1 << (place % 64)) | u64::from(value) << (place % 64);
        old
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_what_it_was_set_to_and_its_neighbours_stay() {
        let mut bits = Bits::default();
        bits.grow(130);
        assert_eq!(bits.words.len(), 3);
        assert!(!bits.replace(64, true));
        assert!(bits.replace(64, true));
        assert!(!bits.get(63) && bits.get(64) && !bits.get(65));
        assert_eq!((bits.word(0), bits.word(1), bits.word(9)), (0, 1, 0));
        assert!(bits.replace(64, false));
        let mut others = Bits::default();
        others.grow(200);
        for place in [0, 63, 64, 129, 199] {
            others.replace(place, true);
        }
        bits.replace(1, true);
        bits.add(&others);
        assert_eq!(bits.set().collect::<Vec<_>>(), [0, 1, 63, 64, 129, 199]);
        bits.clear();
        assert_eq!(bits.set().count(), 0);
    }
}
