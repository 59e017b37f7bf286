//! Columns whose values may be null.

use crate::bindings::{Column, DataType};
use crate::column::{BitsBuilder, ColumnBuilder, ColumnValue, ReadColumn, bit};

impl<T: ColumnValue> ColumnValue for Option<T> {
    const TYPE: DataType = T::TYPE;
    const NULLABLE: bool = true;
    type Builder = NullableBuilder<T::Builder>;

    #[inline(always)]
    fn append_to(self, to: &mut Self::Builder) {
        match self {
            Some(value) => {
                value.append_to(&mut to.values);
                to.note(true);
            }
            None => to.push_null(),
        }
    }
}

impl<'a, T: ReadColumn<'a>> ReadColumn<'a> for Option<T> {
    type Reader = Nullable<'a, T>;

    #[inline]
    fn bind(column: &'a Column, rows: usize) -> Option<Self::Reader> {
        let validity = column.validity.as_deref();
        if validity.is_some_and(|bits| bits.len() < rows.div_ceil(8)) {
            return None;
        }
        Some(Nullable { values: T::bind(column, rows)?, validity })
    }

    #[inline(always)]
    fn read(reader: &Self::Reader, row: usize) -> Self {
        reader.get(row)
    }
}

/// A column whose values may be null, read.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <Option<i64> as ColumnValue>::Builder::default();
/// Some(7_i64).append_to(&mut builder);
/// builder.push_null();
/// let column = builder.take();
/// let reader = <Option<i64> as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!((reader.get(0), reader.is_null(1)), (Some(7), true));
/// ```
pub struct Nullable<'a, T: ReadColumn<'a>> {
    values: T::Reader,
    validity: Option<&'a [u8]>,
}

impl<'a, T: ReadColumn<'a>> Nullable<'a, T> {
    /// The value of row `row`, or nothing where it is null. Panics if there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> Option<T> {
        if self.is_null(row) { None } else { Some(T::read(&self.values, row)) }
    }

    /// Whether the value of row `row` is null. Panics if there is no such row.
    #[inline(always)]
    pub fn is_null(&self, row: usize) -> bool {
        self.validity.is_some_and(|bits| !bit(bits, row))
    }

    /// The values as if none were null; a null's value is arbitrary.
    pub fn values(&self) -> &T::Reader {
        &self.values
    }
}

/// A column whose values may be null, written.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <Option<i64> as ColumnValue>::Builder::default();
/// Some(7_i64).append_to(&mut builder);
/// builder.push_null();
/// let column = builder.take();
/// let reader = <Option<i64> as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.get(1), None);
/// ```
#[derive(Default)]
pub struct NullableBuilder<B> {
    values: B,
    len: usize,
    /// One bit a row, from the first null on; before it, all rows so far have a value.
    validity: BitsBuilder,
    some_null: bool,
}

impl<B: ColumnBuilder> NullableBuilder<B> {
    /// Appends a null.
    #[inline(always)]
    pub fn push_null(&mut self) {
        self.values.push_nothing();
        self.note(false);
    }

    #[inline(always)]
    fn note(&mut self, present: bool) {
        if !present && !self.some_null {
            self.first_null();
        }
        if self.some_null {
            self.validity.push(present);
        }
        self.len += 1;
    }

    #[cold]
    fn first_null(&mut self) {
        self.some_null = true;
        self.validity.push_many(true, self.len);
    }
}

impl<B: ColumnBuilder> ColumnBuilder for NullableBuilder<B> {
    fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows);
    }

    fn push_nothing(&mut self) {
        self.push_null();
    }

    fn take(&mut self) -> Column {
        self.len = 0;
        let validity = std::mem::take(&mut self.some_null).then(|| self.validity.take_bits());
        Column { values: self.values.take().values, validity }
    }

    fn give_back(&mut self, mut column: Column) {
        if let Some(bits) = column.validity.take() {
            self.validity.give_back_bits(bits);
        }
        self.values.give_back(column);
    }
}
