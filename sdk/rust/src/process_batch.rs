//! Operators written for whole batches.

use serde::de::DeserializeOwned;

use crate::bindings::{Column, data::Keys};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::open::Open;
use crate::operator::Operator;
use crate::record::Record;
use crate::timers::TimerBatch;

/// An operator written for whole batches, with columns as they are. Everything that implements [`Process`](crate::Process) is one.
///
/// ```
/// # use wasmill_sdk::*;
/// # use wasmill_sdk::column::ColumnBuilder;
/// # use wasmill_sdk::bindings::Origin;
/// # #[derive(Record, Debug, PartialEq)] struct Row { n: i64 }
/// # #[derive(Operator)] struct Doubled { rows: RowBuilder }
/// impl ProcessBatch for Doubled {
///     // …
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { rows: RowBuilder::default() }) }
///     fn process_batch<'a>(&mut self, batch: Batch<'a, Row>, cx: &mut Context<Self>) -> Result<()> {
///         self.rows.n.values_mut().extend(batch.columns().n.values().iter().map(|n| 2 * n));
///         cx.output().emit_columns(&Origin::Batch, &mut self.rows);
///         Ok(())
///     }
/// }
///
/// let mut harness = harness::Harness::<Doubled>::new(())?;
/// harness.feed([Row { n: 1 }, Row { n: 20 }])?;
/// assert_eq!(harness.output(), [Row { n: 2 }, Row { n: 40 }]);
/// # Result::<()>::Ok(())
/// ```
pub trait ProcessBatch: Operator {
    /// The columns that the operator reads: those of a record, or of an enum of records ([`Inputs`]).
    type Input<'a>: Inputs<'a>;
    /// The columns that it emits on the main output.
    type Output: Record;
    /// What a job writes under `settings`.
    type Settings: DeserializeOwned;

    /// As [`Process::check`](crate::Process::check).
    fn check(settings: &Self::Settings) -> Result<()> {
        let _ = settings;
        Ok(())
    }

    /// As [`Process::open`](crate::Process::open).
    fn open(settings: Self::Settings, host: &mut Open) -> Result<Self>;

    /// Processes a batch. An error undoes the whole call.
    fn process_batch<'a>(&mut self, batch: Batch<'a, Self::Input<'a>>, cx: &mut Context<Self>) -> Result<()>;

    /// The moments of some timers have come, one of each key of the call. What is emitted by row comes from the keys. An error undoes the
    /// whole call.
    fn on_timers(&mut self, timers: TimerBatch<'_>, cx: &mut Context<Self>) -> Result<()> {
        let _ = (timers, cx);
        Err(Error::fail("the operator sets timers, but has no `on_timers` that says what becomes of them"))
    }

    /// As [`Process::on_end`](crate::Process::on_end).
    fn on_end(&mut self, cx: &mut Context<Self>) -> Result<()> {
        let _ = cx;
        Ok(())
    }
}

/// Rows of one input that came together.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// fn sum(batch: &Batch<'_, Row>) -> i64 {
///     (0..batch.rows()).map(|row| batch.row(row).n).sum()
/// }
/// ```
pub struct Batch<'a, I: Inputs<'a>> {
    rows: usize,
    columns: I::Columns,
    row_keys: &'a [u32],
    keys: u32,
}

impl<'a, I: Inputs<'a>> Batch<'a, I> {
    #[inline]
    pub(crate) fn bind(input: usize, rows: u32, columns: &'a [Column], keys: Option<&'a Keys>) -> Result<Self> {
        let rows = rows as usize;
        if let Some(keys) = keys
            && keys.row_key.len() != rows
        {
            return Err(Error::fail("the host gave another number of keys than of rows"));
        }
        let (row_keys, count) = keys.map_or((&[][..], 0), |keys| (&keys.row_key[..], keys.count));
        Ok(Self { rows, columns: I::bind_input(input, columns, rows)?, row_keys, keys: count })
    }

    /// The number of rows.
    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, by the names of the record's fields; with several inputs those of the one that the rows are of.
    #[inline(always)]
    pub fn columns(&self) -> &I::Columns {
        &self.columns
    }

    /// The row `row`. Panics if there is no such row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> I {
        I::read_row(&self.columns, row)
    }

    /// The number of each row's key; empty for an input without a key.
    #[inline(always)]
    pub fn row_keys(&self) -> &'a [u32] {
        self.row_keys
    }

    /// The number of distinct keys; they are numbered from 0 in the order of their first rows.
    #[inline(always)]
    pub fn keys(&self) -> u32 {
        self.keys
    }
}
