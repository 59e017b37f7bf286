//! A day.

/// Days since the Unix epoch: a `date` column's value.
///
/// ```
/// use wasmill_sdk::Date;
///
/// let new_year = Date::from_days(19_723); // 2024-01-01
/// assert_eq!(Date::from_days(new_year.days() + 1).days(), 19_724);
/// assert!(new_year > Date::from_days(0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// The day `days` days after 1970-01-01.
    #[inline]
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[inline]
    pub const fn days(self) -> i32 {
        self.0
    }
}
