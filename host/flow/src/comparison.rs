//! A comparison of a column with a constant: what a filter asks, and statistics of a file can answer without its rows.

use arrow_array::ArrayRef;

/// Rows for which this is false or null are of no interest.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The column's name.
    pub column: String,
    /// How it is compared.
    pub comparator: Comparator,
    /// What with: one value, not null. The column is compared as a value of its type, in Arrow's total order of floats.
    pub value: ArrayRef,
}

/// How a column is compared: `column < value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    /// The column is the value.
    Equal,
    /// It is less.
    Less,
    /// It is less, or the value.
    LessOrEqual,
    /// It is greater.
    Greater,
    /// It is greater, or the value.
    GreaterOrEqual,
}

impl Comparator {
    /// The comparator of the same comparison, written the other way around.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}
