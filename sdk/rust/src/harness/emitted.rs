//! What an operator emitted: checked as the host checks it, and read back as records.

use crate::bindings::plan::{Port, Takes};
use crate::bindings::{Array, BinaryArray, Column, DataType, Origin, Plan};
use crate::error::{Error, Result};
use crate::harness::Harness;
use crate::host::native::Emission;
use crate::process_batch::ProcessBatch;
use crate::record::ReadRecord;

/// A row that was emitted, and where it comes from: there it gets what its output keeps.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct It { seen: ValueState<i64> }
/// # impl Process for It {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { seen: ValueState::new() }) }
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
/// #         if row.n < 0 { cx.reject("below nothing") } else { self.seen.set(row.n); cx.emit(row) }
/// #         Ok(())
/// #     }
/// # }
/// use wasmill_sdk::harness::{Emitted, Harness};
///
/// let mut harness = Harness::<It, &str>::keyed(())?;
/// harness.feed_keyed([("a", Row { n: -1 }), ("b", Row { n: 2 })])?;
/// let Emitted { row, from, key } = harness.emitted::<Row>("out").remove(0);
/// assert_eq!((row.n, from, key), (2, Some(1), Some("b")));
/// # Result::<()>::Ok(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted<R, K> {
    /// The row as it was emitted.
    pub row: R,
    /// The row that it comes from, of all that the harness was fed, counted from 0; nothing for a new one, or one of a timer.
    pub from: Option<usize>,
    /// The key of that row, or of the timer.
    pub key: Option<K>,
}

/// Rows that went to one output in one piece.
pub(super) struct Sent<K> {
    pub(super) port: u32,
    pub(super) columns: Vec<Column>,
    pub(super) from: Vec<Whence<K>>,
}

/// Where a row comes from.
#[derive(Clone)]
pub(super) struct Whence<K> {
    pub(super) row: Option<usize>,
    pub(super) key: Option<K>,
}

impl<P: ProcessBatch, K: Ord + Clone> Harness<P, K> {
    /// Takes what was emitted on the main output. What rows keep of where they come from isn't in them; see [`emitted`](Self::emitted).
    pub fn output(&mut self) -> Vec<P::Output>
    where
        P::Output: ReadRecord<'static>,
    {
        self.emitted("out").into_iter().map(|emitted| emitted.row).collect()
    }

    /// Takes what was emitted on an output, by its name. Panics if there is no such output or its rows aren't `R`.
    pub fn output_of<R: ReadRecord<'static>>(&mut self, port: &str) -> Vec<R> {
        self.emitted(port).into_iter().map(|emitted| emitted.row).collect()
    }

    /// Takes what was emitted on an output (the main one is `out`), with where it comes from. Panics as [`output_of`](Self::output_of).
    pub fn emitted<R: ReadRecord<'static>>(&mut self, port: &str) -> Vec<Emitted<R, K>> {
        let number = self.plan().ports.iter().position(|known| known.name == port);
        let number = number.unwrap_or_else(|| panic!("there is no output `{port}`"));
        let gives = &self.plan().ports[number].gives;
        let fields = R::FIELDS.iter().map(|field| (field.name, field.data_type, field.nullable));
        let fits = gives.len() == R::FIELDS.len()
            && gives.iter().zip(fields).all(|(gives, (name, data_type, nullable))| {
                gives.name == name && same_type(gives.data_type, data_type) && gives.nullable == nullable
            });
        assert!(fits, "output `{port}` has other fields than {}", std::any::type_name::<R>());
        let (taken, kept) = std::mem::take(&mut self.emitted).into_iter().partition(|sent| sent.port as usize == number);
        self.emitted = kept;
        let taken: Vec<Sent<K>> = taken;
        taken.into_iter().flat_map(rows).collect()
    }
}

/// The rows of what was sent. Records may borrow from the columns for as long as the test runs, so the columns are never freed.
fn rows<R: ReadRecord<'static>, K>(sent: Sent<K>) -> Vec<Emitted<R, K>> {
    let columns: &'static [Column] = sent.columns.leak();
    let columns = R::bind(columns, sent.from.len()).unwrap_or_else(|error| panic!("{error}"));
    let row = |(row, from): (usize, Whence<K>)| Emitted { row: R::read(&columns, row), from: from.row, key: from.key };
    sent.from.into_iter().enumerate().map(row).collect()
}

/// What a call emitted, if it is what the plan says. `first` is the number of the call's first row, `of_row` are the keys of its rows, and
/// `keys` those of the call.
pub(super) fn check<K: Clone + PartialEq>(
    plan: &Plan,
    emitted: Vec<Emission>,
    first: usize,
    of_row: &[K],
    keys: &[K],
) -> Result<Vec<Sent<K>>> {
    emitted.into_iter().map(|emission| sent(plan, emission, first, of_row, keys)).collect()
}

fn sent<K: Clone + PartialEq>(plan: &Plan, emission: Emission, first: usize, of_row: &[K], keys: &[K]) -> Result<Sent<K>> {
    let Some(port) = plan.ports.get(emission.port as usize) else {
        return Err(Error::fail(format!("emitted to output number {}, of {}", emission.port, plan.ports.len())));
    };
    let row = |row: usize| of_row.get(row).map(|key| Whence { row: Some(first + row), key: Some(key.clone()) });
    // A key stands for the first of its rows; that of a timer has none.
    let key = |key: &u32| {
        let key = keys.get(*key as usize)?;
        Some(Whence { row: of_row.iter().position(|of| of == key).map(|row| first + row), key: Some(key.clone()) })
    };
    let from: Option<Vec<Whence<K>>> = match &emission.origin {
        Origin::Batch => (0..of_row.len()).map(row).collect(),
        Origin::Rows(rows) => rows.iter().map(|at| row(*at as usize)).collect(),
        Origin::Keys(_) if of_row.is_empty() && matches!(port.takes, Takes::Input(_)) => {
            return Err(Error::fail(format!(
                "output `{}` keeps columns of input rows, but timers have none: it may keep the key, or nothing",
                port.name
            )));
        }
        Origin::Keys(keys) => keys.iter().map(key).collect(),
        Origin::Fresh(count) if matches!(port.takes, Takes::Nothing) => {
            Some(vec![Whence { row: None, key: None }; *count as usize])
        }
        Origin::Fresh(_) => {
            return Err(Error::fail(format!(
                "output `{}` keeps columns of where rows come from, but a new row comes from nowhere",
                port.name
            )));
        }
    };
    let Some(from) = from else {
        return Err(Error::fail(format!("output `{}`: rows come from rows that the batch doesn't have", port.name)));
    };
    check_columns(port, &emission.columns, from.len())?;
    Ok(Sent { port: emission.port, columns: emission.columns, from })
}

fn check_columns(port: &Port, columns: &[Column], rows: usize) -> Result<()> {
    if columns.len() != port.gives.len() {
        return Err(Error::fail(format!(
            "output `{}` has {} columns, but {} were emitted",
            port.name,
            port.gives.len(),
            columns.len()
        )));
    }
    for (field, column) in port.gives.iter().zip(columns) {
        if !has_rows(&column.values, rows) {
            return Err(Error::fail(format!("output `{}`: column `{}` doesn't have {rows} values", port.name, field.name)));
        }
        if !field.nullable && column.validity.is_some() {
            return Err(Error::fail(format!("output `{}`: column `{}` may not be null", port.name, field.name)));
        }
    }
    Ok(())
}

fn has_rows(values: &Array, rows: usize) -> bool {
    match values {
        Array::Boolean(bits) => bits.len() == rows.div_ceil(8),
        Array::Int32(values) | Array::Date32(values) => values.len() == rows,
        Array::Int64(values) | Array::Timestamp(values) => values.len() == rows,
        Array::Uint64(values) => values.len() == rows,
        Array::Float32(values) => values.len() == rows,
        Array::Float64(values) => values.len() == rows,
        Array::Decimal128(bytes) => bytes.len() == rows * 16,
        Array::Utf8(BinaryArray { offsets, .. }) | Array::Binary(BinaryArray { offsets, .. }) => offsets.len() == rows + 1,
    }
}

fn same_type(left: DataType, right: DataType) -> bool {
    match (left, right) {
        (DataType::Decimal128(left), DataType::Decimal128(right)) => {
            (left.precision, left.scale) == (right.precision, right.scale)
        }
        _ => std::mem::discriminant(&left) == std::mem::discriminant(&right),
    }
}
