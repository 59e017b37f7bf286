//! Columns of text and of bytes.

use crate::bindings::{Array, BinaryArray, Column, DataType};
use crate::column::{ColumnBuilder, ColumnValue, ReadColumn};

/// A column of bytes, read.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <&[u8] as ColumnValue>::Builder::default();
/// builder.push(&[1, 2][..]);
/// builder.push(&[][..]);
/// let column = builder.take();
/// let reader = <&[u8] as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.get(0), [1, 2]);
/// ```
#[derive(Clone, Copy)]
pub struct Binary<'a> {
    offsets: &'a [u32],
    data: &'a [u8],
}

impl<'a> Binary<'a> {
    #[inline]
    fn new(values: &'a BinaryArray, rows: usize) -> Option<Self> {
        (values.offsets.len() == rows + 1).then_some(Self { offsets: &values.offsets, data: &values.data })
    }

    /// The value of row `row`. Panics if there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> &'a [u8] {
        let (from, to) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        &self.data[from..to]
    }
}

/// A column of text, read.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <&str as ColumnValue>::Builder::default();
/// builder.push("ak");
/// builder.push("");
/// let column = builder.take();
/// let reader = <&str as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.get(0), "ak");
/// ```
#[derive(Clone, Copy)]
pub struct Texts<'a>(Binary<'a>);

impl<'a> Texts<'a> {
    /// The value of row `row`. Panics if there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> &'a str {
        text(self.0.get(row))
    }
}

/// Text that came from the host.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
#[expect(unsafe_code, reason = "checking what the host has checked would cost more than reading it")]
fn text(bytes: &[u8]) -> &str {
    // SAFETY: the only values that reach a component's columns are those that the host wrote into its memory, and the contract
    // says of `array.utf8` that each value by itself is valid UTF-8.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

/// Text that came from the harness.
#[cfg(not(target_arch = "wasm32"))]
fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => panic!("a utf8 column holds a value that isn't UTF-8: {error}"),
    }
}

/// Columns of text or bytes, written. `TEXT` says which.
///
/// ```
/// use wasmill_sdk::column::{ColumnBuilder, ColumnValue, ReadColumn};
///
/// let mut builder = <&str as ColumnValue>::Builder::default();
/// builder.push("ak");
/// builder.push("us");
/// let column = builder.take();
/// let reader = <&str as ReadColumn>::bind(&column, 2).expect("a column of this type");
/// assert_eq!(reader.get(1), "us");
/// ```
#[derive(Default)]
pub struct BytesBuilder<const TEXT: bool> {
    offsets: Vec<u32>,
    data: Vec<u8>,
}

impl<const TEXT: bool> BytesBuilder<TEXT> {
    #[inline(always)]
    fn push_bytes(&mut self, value: &[u8]) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.data.extend_from_slice(value);
        // The host refuses more than 32 MiB of output a call, far below 4 GiB.
        self.offsets.push(self.data.len() as u32);
    }
}

impl BytesBuilder<true> {
    /// Appends a value.
    #[inline(always)]
    pub fn push(&mut self, value: &str) {
        self.push_bytes(value.as_bytes());
    }
}

impl BytesBuilder<false> {
    /// Appends a value.
    #[inline(always)]
    pub fn push(&mut self, value: &[u8]) {
        self.push_bytes(value);
    }
}

impl<const TEXT: bool> ColumnBuilder for BytesBuilder<TEXT> {
    fn reserve(&mut self, rows: usize) {
        self.offsets.reserve(rows + 1);
    }

    fn push_nothing(&mut self) {
        self.push_bytes(&[]);
    }

    fn take(&mut self) -> Column {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        let values = BinaryArray { offsets: std::mem::take(&mut self.offsets), data: std::mem::take(&mut self.data) };
        Column { values: if TEXT { Array::Utf8(values) } else { Array::Binary(values) }, validity: None }
    }

    fn give_back(&mut self, column: Column) {
        if let Array::Utf8(mut memory) | Array::Binary(mut memory) = column.values {
            memory.offsets.clear();
            memory.data.clear();
            (self.offsets, self.data) = (memory.offsets, memory.data);
        }
    }
}

macro_rules! column_value {
    ($value:ty, $data_type:ident, $text:literal, |$self:ident| $bytes:expr) => {
        impl ColumnValue for $value {
            const TYPE: DataType = DataType::$data_type;
            type Builder = BytesBuilder<$text>;

            #[inline(always)]
            fn append_to($self, to: &mut Self::Builder) {
                to.push($bytes);
            }
        }
    };
}

column_value!(&str, Utf8, true, |self| self);
column_value!(String, Utf8, true, |self| &self);
column_value!(&[u8], Binary, false, |self| self);
column_value!(Vec<u8>, Binary, false, |self| &self);

macro_rules! read_column {
    ($value:ty, $reader:ident, $data_type:ident, |$values:ident| $bound:expr, |$read:ident| $owned:expr) => {
        impl<'a> ReadColumn<'a> for $value {
            type Reader = $reader<'a>;

            #[inline]
            fn bind(column: &'a Column, rows: usize) -> Option<Self::Reader> {
                let Array::$data_type(values) = &column.values else { return None };
                let $values = Binary::new(values, rows)?;
                Some($bound)
            }

            #[inline(always)]
            fn read(reader: &Self::Reader, row: usize) -> Self {
                let $read = reader.get(row);
                $owned
            }
        }
    };
}

read_column!(&'a str, Texts, Utf8, |values| Texts(values), |value| value);
read_column!(String, Texts, Utf8, |values| Texts(values), |value| value.to_owned());
read_column!(&'a [u8], Binary, Binary, |values| values, |value| value);
read_column!(Vec<u8>, Binary, Binary, |values| values, |value| value.to_owned());
