//! Columns of numbers, instants and days.

use crate::bindings::{Array, Column, DataType};
use crate::column::{ColumnBuilder, ColumnValue, ReadColumn};
use crate::{Date, Timestamp};

/// A value that a column holds as a number of a fixed width.
///
/// ```
/// use wasmill_sdk::column::Primitive;
///
/// fn sum<T: Primitive>(values: impl Iterator<Item = T>) -> usize {
///     values.count() // any of `i32`, `i64`, `u64`, `f32`, `f64`, `Timestamp`, `Date`
/// }
/// assert_eq!(sum([1_i64, 2].into_iter()), 2);
/// ```
pub trait Primitive: Copy {
    /// The number that the column holds.
    type Raw: Copy + Default + 'static;
    /// What the column holds.
    const TYPE: DataType;

    /// The value that a number stands for.
    fn from_raw(raw: Self::Raw) -> Self;
    /// The number that stands for the value.
    fn into_raw(self) -> Self::Raw;
    /// The numbers of a column of this type.
    fn numbers(array: &Array) -> Option<&[Self::Raw]>;
    /// A column's values.
    fn array(numbers: Vec<Self::Raw>) -> Array;
    /// The memory of a column of this type.
    fn memory(array: Array) -> Option<Vec<Self::Raw>>;
}

macro_rules! primitive {
    ($($value:ty, $raw:ty, $case:ident, $data_type:ident, $from:expr, $into:expr;)*) => {$(
        impl Primitive for $value {
            type Raw = $raw;
            const TYPE: DataType = DataType::$data_type;

            #[inline(always)]
            fn from_raw(raw: $raw) -> Self {
                $from(raw)
            }

            #[inline(always)]
            fn into_raw(self) -> $raw {
                $into(self)
            }

            fn numbers(array: &Array) -> Option<&[$raw]> {
                match array {
                    Array::$case(numbers) => Some(numbers),
                    _ => None,
                }
            }

            fn array(numbers: Vec<$raw>) -> Array {
                Array::$case(numbers)
            }

            fn memory(array: Array) -> Option<Vec<$raw>> {
                match array {
                    Array::$case(numbers) => Some(numbers),
                    _ => None,
                }
            }
        }

        impl ColumnValue for $value {
            const TYPE: DataType = DataType::$data_type;
            type Builder = NumbersBuilder<$value>;

            #[inline(always)]
            fn append_to(self, to: &mut Self::Builder) {
                to.push(self);
            }
        }

        impl<'a> ReadColumn<'a> for $value {
            type Reader = Numbers<'a, $value>;

            #[inline]
            fn bind(column: &'a Column, rows: usize) -> Option<Self::Reader> {
                Numbers::bind(column, rows)
            }

            #[inline(always)]
            fn read(reader: &Self::Reader, row: usize) -> Self {
                reader.get(row)
            }
        }
    )*};
}

use std::convert::identity as same;
primitive! {
    i32, i32, Int32, Int32, same, same;
    i64, i64, Int64, Int64, same, same;
    u64, u64, Uint64, Uint64, same, same;
    f32, f32, Float32, Float32, same, same;
    f64, f64, Float64, Float64, same, same;
    Timestamp, i64, Timestamp, Timestamp, Timestamp::from_millis, Timestamp::millis;
    Date, i32, Date32, Date32, Date::from_days, Date::days;
}

/// A column of numbers, read.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <i64 as ColumnValue>::Builder::default();
/// builder.push(1);
/// builder.push(2);
/// let column = builder.take();
/// let reader = <i64 as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.values(), [1, 2]);
/// ```
#[derive(Clone, Copy)]
pub struct Numbers<'a, T: Primitive>(&'a [T::Raw]);

impl<'a, T: Primitive> Numbers<'a, T> {
    #[inline]
    fn bind(column: &'a Column, rows: usize) -> Option<Self> {
        T::numbers(&column.values).filter(|numbers| numbers.len() == rows).map(Self)
    }

    /// The value of row `row`. Panics if there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> T {
        T::from_raw(self.0[row])
    }

    /// All values: one for each row, milliseconds for a timestamp, days for a date. A null's value is arbitrary.
    #[inline(always)]
    pub fn values(&self) -> &'a [T::Raw] {
        self.0
    }
}

/// A column of numbers, written.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <i64 as ColumnValue>::Builder::default();
/// builder.values_mut().extend([1, 2]);
/// let column = builder.take();
/// let reader = <i64 as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.get(1), 2);
/// ```
pub struct NumbersBuilder<T: Primitive>(Vec<T::Raw>);

impl<T: Primitive> Default for NumbersBuilder<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Primitive> NumbersBuilder<T> {
    /// Appends a value.
    #[inline(always)]
    pub fn push(&mut self, value: T) {
        self.0.push(value.into_raw());
    }

    /// All values so far, to append many at once.
    pub fn values_mut(&mut self) -> &mut Vec<T::Raw> {
        &mut self.0
    }
}

impl<T: Primitive> ColumnBuilder for NumbersBuilder<T> {
    fn reserve(&mut self, rows: usize) {
        self.0.reserve(rows);
    }

    #[inline(always)]
    fn push_nothing(&mut self) {
        self.0.push(T::Raw::default());
    }

    fn take(&mut self) -> Column {
        Column { values: T::array(std::mem::take(&mut self.0)), validity: None }
    }

    fn give_back(&mut self, column: Column) {
        if let Some(mut memory) = T::memory(column.values) {
            memory.clear();
            self.0 = memory;
        }
    }
}
