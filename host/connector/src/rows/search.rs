//! Finds bytes in short texts, where calling a vectorised search costs more than it saves.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES * 0x80;

/// The place of the first byte from `at` on that is one of these, or the end of the bytes. Eight bytes at once.
#[inline]
pub(crate) fn find<const N: usize>(bytes: &[u8], mut at: usize, of: [u8; N]) -> usize {
    while let Some(eight) = bytes.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
        let word = u64::from_le_bytes(eight);
        let is = |byte: u8| {
            let difference = word ^ (ONES * u64::from(byte));
            difference.wrapping_sub(ONES) & !difference
        };
        // Borrows can mark bytes behind the first that is one of these, never before it.
        let found = of.iter().fold(0, |found, byte| found | is(*byte)) & HIGHS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !of.contains(byte)) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::find;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_of_some_bytes_is_found(bytes in proptest::collection::vec(any::<u8>(), 0..40), at in 0_usize..40, of in any::<[u8; 3]>()) {
            let at = at.min(bytes.len());
            let expected = bytes[at..].iter().position(|byte| of.contains(byte)).map_or(bytes.len(), |found| at + found);
            prop_assert_eq!(find(&bytes, at, of), expected);
        }
    }
}
