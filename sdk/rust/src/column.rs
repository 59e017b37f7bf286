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
pub trait ReadColumn<'a>: ColumnValue + Sized {
    /// The column, checked and typed.
    type Reader;

    /// The reader of a column of `rows` values, or nothing if the column isn't one of this type or length.
    fn bind(column: &'a Column, rows: usize) -> Option<Self::Reader>;

    /// The value of row `row`. Panics if there is no such row.
    fn read(reader: &Self::Reader, row: usize) -> Self;
}

/// Gathers the values of an output column. Its memory is used again for the next batch.
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
