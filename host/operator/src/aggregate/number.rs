//! Numbers as the little-endian bytes of an accumulator, and their order.

use std::cmp::Ordering;

/// A number in an accumulator.
pub(super) trait Number: Copy + Default {
    /// Reads the first bytes of `bytes`.
    fn read(bytes: &[u8]) -> Self;

    /// Writes to the first bytes of `bytes`.
    fn write(self, bytes: &mut [u8]);

    /// Total order: of floats the order of IEEE 754, with every NaN the greatest.
    fn order(self, other: Self) -> Ordering;
}

macro_rules! number {
    ($($number:ty, $width:literal, $order:expr;)*) => {$(
        impl Number for $number {
            #[inline(always)]
            fn read(bytes: &[u8]) -> Self {
                let mut own = [0; $width];
                own.copy_from_slice(&bytes[..$width]);
                Self::from_le_bytes(own)
            }

            #[inline(always)]
            fn write(self, bytes: &mut [u8]) {
                bytes[..$width].copy_from_slice(&self.to_le_bytes());
            }

            #[inline(always)]
            fn order(self, other: Self) -> Ordering {
                $order(self, other)
            }
        }
    )*};
}

number! {
    i32, 4, |a: i32, b: i32| a.cmp(&b);
    i64, 8, |a: i64, b: i64| a.cmp(&b);
    u64, 8, |a: u64, b: u64| a.cmp(&b);
    i128, 16, |a: i128, b: i128| a.cmp(&b);
    f32, 4, |a: f32, b: f32| a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
    f64, 8, |a: f64, b: f64| a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_the_greatest_and_zeros_are_equal() {
        assert_eq!(f64::NAN.order(f64::INFINITY), Ordering::Greater);
        assert_eq!((-f64::NAN).order(f64::INFINITY), Ordering::Greater);
        assert_eq!(1.0.order(f64::NAN), Ordering::Less);
        assert_eq!(f64::NAN.order(-f64::NAN), Ordering::Equal);
        assert_eq!(0.0.order(-0.0), Ordering::Equal);
    }

    #[test]
    fn numbers_are_little_endian() {
        let mut bytes = [0; 8];
        1i64.write(&mut bytes);
        assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(i64::read(&bytes), 1);
    }
}
