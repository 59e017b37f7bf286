//! Columns: how a record's fields are read from them and written to them, without anything dynamic for a record.
//!
//! A field's type has a reader, bound to a column once a batch ([`ReadColumn`]), and a builder ([`ColumnBuilder`]). Records bring
//! them together; operators over whole batches use readers and builders themselves.

mod boolean;
mod bytes;
mod decimal;
mod nullable;
mod primitive;

use crate::bindings::{Column, DataType};

pub use boolean::{Bits, BitsBuilder};
pub use bytes::{Binary, BytesBuilder, Texts};
pub use decimal::{Decimals, DecimalsBuilder};
pub use nullable::{Nullable, NullableBuilder};
pub use primitive::{Numbers, NumbersBuilder, Primitive};

/// A type that a record's field may have.
///
/// ```
/// use wasmill_sdk::bindings::DataType;
/// use wasmill_sdk::column::ColumnValue;
///
/// assert!(matches!(<&str as ColumnValue>::TYPE, DataType::Utf8));
/// assert!(!<&str as ColumnValue>::NULLABLE && <Option<&str> as ColumnValue>::NULLABLE);
/// ```
pub trait ColumnValue {
    /// What the column holds.
    const TYPE: DataType;
    /// Whether the column may hold nulls: so for an `Option`.
    const NULLABLE: bool = false;
    /// What gathers values of an output column.
    type Builder: ColumnBuilder;

    /// Appends the value.
    fn append_to(self, to: &mut Self::Builder);
}

/// A type that is read from a column that lives for `'a`; it may borrow from it.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <i64 as ColumnValue>::Builder::default();
/// 1_i64.append_to(&mut builder);
/// 2_i64.append_to(&mut builder);
/// let column = builder.take();
/// let reader = <i64 as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(i64::read(&reader, 1), 2);
/// ```
pub trait ReadColumn<'a>: ColumnValue + Sized {
    /// The column, checked and typed.
    type Reader;

    /// The reader of a column of `rows` values, or nothing if the column isn't one of this type or length.
    fn bind(column: &'a Column, rows: usize) -> Option<Self::Reader>;

    /// The value of row `row`. Panics if there is no such row.
    fn read(reader: &Self::Reader, row: usize) -> Self;
}

/// Gathers the values of an output column. Its memory is used again for the next batch.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, NumbersBuilder};
///
/// let mut builder = NumbersBuilder::<i64>::default();
/// builder.reserve(2);
/// builder.push(1);
/// builder.push_nothing();
/// let column = builder.take();
/// builder.give_back(column); // its memory is used again
/// ```
pub trait ColumnBuilder: Default {
    /// Makes room for `rows` more values, as far as that is known.
    fn reserve(&mut self, rows: usize);

    /// Appends any value, for a row that has none.
    fn push_nothing(&mut self);

    /// The column gathered so far; the builder is empty after it.
    fn take(&mut self) -> Column;

    /// Takes back the memory of a column that has been sent.
    fn give_back(&mut self, column: Column);
}

/// Whether bit `at` of `bits` is set, least significant first.
#[inline(always)]
pub(crate) fn bit(bits: &[u8], at: usize) -> bool {
    bits[at / 8] >> (at % 8) & 1 == 1
}
