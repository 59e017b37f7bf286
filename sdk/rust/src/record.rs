//! Records: what a row is to an author.

use crate::bindings::{Column, DataType, Field};
use crate::error::{Error, Result};

/// A field of a record, as a column has it.
///
/// ```
/// use wasmill_sdk::{FieldSpec, Record};
///
/// #[derive(Record)]
/// struct Quake<'a> {
///     net: &'a str,
///     mag: Option<f64>,
/// }
///
/// let [net, mag]: &[FieldSpec; 2] = Quake::FIELDS.try_into().unwrap();
/// assert_eq!((net.name, net.nullable, mag.name, mag.nullable), ("net", false, "mag", true));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The column's name.
    pub name: &'static str,
    /// What the column holds.
    pub data_type: DataType,
    /// Whether it may hold nulls.
    pub nullable: bool,
}

impl FieldSpec {
    /// The field as the contract has it.
    pub(crate) fn to_contract(self) -> Field {
        Field { name: self.name.to_owned(), data_type: self.data_type, nullable: self.nullable }
    }
}

/// A row with named, typed fields. Made by `#[derive(Record)]`.
///
/// `()` is the record without fields: an operator that reads `()` is told that there is a row, and nothing crosses the sandbox for it.
///
/// ```
/// use wasmill_sdk::{Record, Timestamp};
///
/// #[derive(Record)]
/// struct Quake<'a> {
///     net: &'a str,
///     #[record(rename = "Mag Type")]
///     mag_type: Option<&'a str>,
///     time: Timestamp,
/// }
/// assert_eq!(Quake::FIELDS[1].name, "Mag Type");
/// ```
pub trait Record: Sized {
    /// The columns, in the order of the fields.
    const FIELDS: &'static [FieldSpec];
    /// What gathers rows to be sent: a builder for each column.
    type Builder: RecordBuilder;

    /// Appends the row.
    fn append_to(self, to: &mut Self::Builder);
}

/// A record that is read from columns which live for `'a`; it may borrow from them.
///
/// ```
/// use wasmill_sdk::{ReadRecord, Record, RecordBuilder};
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Row { n: i64 }
///
/// let mut builder = RowBuilder::default();
/// Row { n: 7 }.append_to(&mut builder);
/// let columns = builder.take();
/// let bound = Row::bind(&columns, 1)?;
/// assert_eq!(Row::read(&bound, 0), Row { n: 7 });
/// # wasmill_sdk::Result::<()>::Ok(())
/// ```
pub trait ReadRecord<'a>: Record {
    /// A reader for each column.
    type Columns;

    /// Readers of columns of `rows` rows each. Fails if they aren't those of [`Record::FIELDS`].
    fn bind(columns: &'a [Column], rows: usize) -> Result<Self::Columns>;

    /// The row `row`. Panics if there is no such row.
    fn read(columns: &Self::Columns, row: usize) -> Self;
}

/// Gathers rows to be sent.
///
/// ```
/// use wasmill_sdk::{Record, RecordBuilder};
///
/// #[derive(Record)]
/// struct Row { n: i64 }
///
/// let mut builder = RowBuilder::default();
/// builder.reserve(2);
/// Row { n: 1 }.append_to(&mut builder);
/// Row { n: 2 }.append_to(&mut builder);
/// assert_eq!(builder.take().len(), 1); // a column for each field
/// ```
pub trait RecordBuilder: Default {
    /// Makes room for `rows` more rows, as far as that is known.
    fn reserve(&mut self, rows: usize);

    /// The columns gathered so far, in the order of the fields; the builder is empty after it.
    fn take(&mut self) -> Vec<Column>;

    /// Takes back the memory of columns that have been sent.
    fn give_back(&mut self, columns: Vec<Column>);
}

impl Record for () {
    const FIELDS: &'static [FieldSpec] = &[];
    type Builder = ();

    #[inline(always)]
    fn append_to(self, _: &mut ()) {}
}

impl<'a> ReadRecord<'a> for () {
    type Columns = ();

    fn bind(_: &'a [Column], _: usize) -> Result<()> {
        Ok(())
    }

    #[inline(always)]
    fn read(_: &(), _: usize) {}
}

impl RecordBuilder for () {
    fn reserve(&mut self, _: usize) {}

    fn take(&mut self) -> Vec<Column> {
        Vec::new()
    }

    fn give_back(&mut self, _: Vec<Column>) {}
}

/// The error of a column that isn't what the plan asked for: the host doesn't keep the contract.
#[doc(hidden)]
#[cold]
pub fn unfit(record: &str, field: &str) -> Error {
    Error::fail(format!("{record}: the host gave no column `{field}` of the type and length that the plan asked for"))
}
