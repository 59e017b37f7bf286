//! A decimal number.

/// A number with `P` digits (1 to 38), `S` of them after the point: a `decimal(P,S)` column's value.
///
/// It is kept as a whole number of units of ten to the minus `S`: `Decimal::<10, 2>::from_units(1_250)` is 12.50.
///
/// ```
/// use wasmill_sdk::Decimal;
///
/// let price = Decimal::<10, 2>::from_units(1_250); // 12.50
/// let twice = Decimal::<10, 2>::from_units(price.units() * 2);
/// assert_eq!(twice.units(), 2_500);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal<const P: u8, const S: i8>(i128);

impl<const P: u8, const S: i8> Decimal<P, S> {
    /// `units` times ten to the minus `S`. The host refuses output whose digits are more than `P`.
    #[inline]
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The number in units of ten to the minus `S`.
    #[inline]
    pub const fn units(self) -> i128 {
        self.0
    }
}
