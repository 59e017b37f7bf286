//! Columns of decimal numbers.

use crate::Decimal;
use crate::bindings::{Array, Column, DataType, DecimalType};
use crate::column::{ColumnBuilder, ColumnValue, ReadColumn};

impl<const P: u8, const S: i8> ColumnValue for Decimal<P, S> {
    const TYPE: DataType = DataType::Decimal128(DecimalType { precision: P, scale: S });
    type Builder = DecimalsBuilder<P, S>;

    #[inline(always)]
    fn append_to(self, to: &mut Self::Builder) {
        to.push(self);
    }
}

impl<'a, const P: u8, const S: i8> ReadColumn<'a> for Decimal<P, S> {
    type Reader = Decimals<'a, P, S>;

    #[inline]
    fn bind(column: &'a Column, rows: usize) -> Option<Self::Reader> {
        let Array::Decimal128(bytes) = &column.values else { return None };
        let (units, rest) = bytes.as_chunks();
        (rest.is_empty() && units.len() == rows).then_some(Decimals(units))
    }

    #[inline(always)]
    fn read(reader: &Self::Reader, row: usize) -> Self {
        reader.get(row)
    }
}

/// A column of decimal numbers, read.
///
/// ```
/// use wasmill_sdk::Decimal;
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <Decimal<10, 2> as ColumnValue>::Builder::default();
/// builder.push(Decimal::from_units(1_250));
/// builder.push(Decimal::from_units(-1));
/// let column = builder.take();
/// let reader = <Decimal<10, 2> as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.get(0).units(), 1_250);
/// ```
#[derive(Clone, Copy)]
pub struct Decimals<'a, const P: u8, const S: i8>(&'a [[u8; 16]]);

impl<const P: u8, const S: i8> Decimals<'_, P, S> {
    /// The value of row `row`. Panics if there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> Decimal<P, S> {
        Decimal::from_units(i128::from_le_bytes(self.0[row]))
    }
}

/// A column of decimal numbers, written.
///
/// ```
/// use wasmill_sdk::Decimal;
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <Decimal<10, 2> as ColumnValue>::Builder::default();
/// builder.push(Decimal::from_units(1_250));
/// builder.push(Decimal::from_units(-1));
/// let column = builder.take();
/// let reader = <Decimal<10, 2> as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.get(1).units(), -1);
/// ```
#[derive(Default)]
pub struct DecimalsBuilder<const P: u8, const S: i8>(Vec<u8>);

impl<const P: u8, const S: i8> DecimalsBuilder<P, S> {
    /// Appends a value.
    #[inline(always)]
    pub fn push(&mut self, value: Decimal<P, S>) {
        self.0.extend_from_slice(&value.units().to_le_bytes());
    }
}

impl<const P: u8, const S: i8> ColumnBuilder for DecimalsBuilder<P, S> {
    fn reserve(&mut self, rows: usize) {
        self.0.reserve(rows * 16);
    }

    fn push_nothing(&mut self) {
        self.push(Decimal::default());
    }

    fn take(&mut self) -> Column {
        Column { values: Array::Decimal128(std::mem::take(&mut self.0)), validity: None }
    }

    fn give_back(&mut self, column: Column) {
        if let Array::Decimal128(mut memory) = column.values {
            memory.clear();
            self.0 = memory;
        }
    }
}
