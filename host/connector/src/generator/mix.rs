//! The random numbers of generated rows: a hash of a counter, so that any row can be made on its own.

/// The finaliser of splitmix64 after one step of its counter.
#[must_use]
#[inline]
pub const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What a row's number is combined with (by xor) before it is mixed, for this seed.
pub(super) const fn salt(seed: u64) -> u64 {
    if seed == 0 { 0 } else { mix(seed) }
}

#[cfg(test)]
mod tests {
    use super::mix;

    #[test]
    fn the_first_number_is_the_known_one() {
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
    }
}
