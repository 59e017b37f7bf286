//! Columns of truth values.

use crate::bindings::{Array, Column, DataType};
use crate::column::{ColumnBuilder, ColumnValue, ReadColumn, bit};

impl ColumnValue for bool {
    const TYPE: DataType = DataType::Boolean;
    type Builder = BitsBuilder;

    #[inline(always)]
    fn append_to(self, to: &mut BitsBuilder) {
        to.push(self);
    }
}

impl<'a> ReadColumn<'a> for bool {
    type Reader = Bits<'a>;

    #[inline]
    fn bind(column: &'a Column, rows: usize) -> Option<Bits<'a>> {
        match &column.values {
            Array::Boolean(bits) if bits.len() >= rows.div_ceil(8) => Some(Bits(bits)),
            _ => None,
        }
    }

    #[inline(always)]
    fn read(reader: &Bits<'a>, row: usize) -> bool {
        reader.get(row)
    }
}

/// A column of truth values, read.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <bool as ColumnValue>::Builder::default();
/// builder.push(true);
/// builder.push(false);
/// let column = builder.take();
/// let reader = <bool as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!((reader.get(0), reader.get(1)), (true, false));
/// ```
#[derive(Clone, Copy)]
pub struct Bits<'a>(&'a [u8]);

impl<'a> Bits<'a> {
    /// The value of row `row`. Panics if there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> bool {
        bit(self.0, row)
    }

    /// One bit a row, least significant first; bits past the last row are arbitrary.
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// A column of truth values, written.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <bool as ColumnValue>::Builder::default();
/// builder.push(true);
/// builder.push(false);
/// let column = builder.take();
/// let reader = <bool as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.bytes()[0] & 3, 1);
/// ```
#[derive(Default)]
pub struct BitsBuilder {
    bytes: Vec<u8>,
    len: usize,
}

impl BitsBuilder {
    /// Appends a value.
    #[inline(always)]
    pub fn push(&mut self, value: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(value) << (self.len % 8);
        }
        self.len += 1;
    }

    /// Appends `count` times `value`.
    pub(crate) fn push_many(&mut self, value: bool, count: usize) {
        for _ in 0..count {
            self.push(value);
        }
    }

    /// The bits so far; the builder is empty after it.
    pub(crate) fn take_bits(&mut self) -> Vec<u8> {
        self.len = 0;
        std::mem::take(&mut self.bytes)
    }

    /// Takes back memory that was taken.
    pub(crate) fn give_back_bits(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.bytes = bytes;
        self.len = 0;
    }
}

impl ColumnBuilder for BitsBuilder {
    fn reserve(&mut self, rows: usize) {
        self.bytes.reserve(rows.div_ceil(8));
    }

    fn push_nothing(&mut self) {
        self.push(false);
    }

    fn take(&mut self) -> Column {
        Column { values: Array::Boolean(self.take_bits()), validity: None }
    }

    fn give_back(&mut self, column: Column) {
        if let Array::Boolean(bytes) = column.values {
            self.give_back_bits(bytes);
        }
    }
}
