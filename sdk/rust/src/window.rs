//! Window functions: all rows of a window at once.

#[doc(hidden)]
pub mod component;
pub(crate) mod instance;

use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::Timestamp;
use crate::bindings::window_function::exports::wasmill::plugin::window::Span;
use crate::error::Result;
use crate::record::{ReadRecord, Record, RecordBuilder};

pub(crate) use instance::Instance;

/// A function that makes rows of all rows of a window, for a job's `{ key-by: [user], window: { session: 30min }, plugin: … }`.
///
/// The host keeps the rows; the function sees those of one key and window together, when a result of the window comes out, and keeps nothing
/// itself. Where one value is wanted that rows can be added to one by one, an [`Aggregate`](crate::Aggregate) keeps that value and not the rows.
///
/// ```
/// use wasmill_sdk::{Given, NoSettings, Record, Result, Timestamp, Window, WindowFunction};
///
/// #[derive(Record)]
/// struct Reading { time: Timestamp, value: f64 }
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Spread { median: f64, longest_pause_ms: i64 }
///
/// struct Spreads;
///
/// impl WindowFunction for Spreads {
///     type Input<'a> = Reading;
///     type Output = Spread;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn fire<'a>(&mut self, window: &Window<'a, Reading>, given: &mut Given<Spread>) -> Result<()> {
///         let mut values: Vec<f64> = window.rows().map(|reading| reading.value).collect();
///         let mut times: Vec<i64> = window.rows().map(|reading| reading.time.millis()).collect();
///         values.sort_by(f64::total_cmp);
///         times.sort();
///         let longest_pause_ms = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
///         given.row(Spread { median: values[values.len() / 2], longest_pause_ms });
///         Ok(())
///     }
/// }
///
/// wasmill_sdk::export_window!(Spreads);
///
/// let mut harness = wasmill_sdk::harness::WindowHarness::<Spreads>::new(())?;
/// let reading = |at, value| Reading { time: Timestamp::from_millis(at), value };
/// let spread = harness.fire([reading(0, 3.0), reading(900, 8.0), reading(200, 4.0)])?;
/// assert_eq!(spread, [Spread { median: 4.0, longest_pause_ms: 700 }]);
/// # Result::<()>::Ok(())
/// ```
pub trait WindowFunction: Sized + 'static {
    /// A row of a window. Only these columns are kept. It may borrow from them.
    type Input<'a>: ReadRecord<'a>;
    /// A row that comes out. Before it stand the key's columns and, where windows have bounds, `window_start` and `window_end`. For a record that
    /// borrows, name it with `'static`.
    type Output: Record;
    /// What a job writes under `settings`. [`NoSettings`](crate::NoSettings) for none.
    type Settings: DeserializeOwned;

    /// Makes the function of its settings, when a job is checked and for every new instance. An error refuses the job.
    fn open(settings: Self::Settings) -> Result<Self>;

    /// Makes rows of a window's rows: any number of them. A window comes again where rows still come for it and the job asks for results early,
    /// or allows for lateness. An error undoes the whole call, in which other windows may be, too.
    fn fire<'a>(&mut self, window: &Window<'a, Self::Input<'a>>, given: &mut Given<Self::Output>) -> Result<()>;
}

/// The rows of one key and window.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// fn rise(window: &Window<'_, Row>) -> Option<i64> {
///     let (first, last) = (window.row(0), window.rows().next_back()?);
///     Some(last.n - first.n)
/// }
/// ```
pub struct Window<'a, R: ReadRecord<'a>> {
    columns: R::Columns,
    rows: Range<usize>,
    span: Option<Span>,
}

impl<'a, R: ReadRecord<'a>> Window<'a, R> {
    /// How many rows there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "no window is empty")]
    #[inline]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row `row`, counted in the order in which rows came. Panics if there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> R {
        assert!(row < self.rows.len(), "row {row} of a window of {} rows", self.rows.len());
        R::read(&self.columns, self.rows.start + row)
    }

    /// The rows, in the order in which they came, which needn't be that of their times.
    #[inline]
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = R> + ExactSizeIterator {
        self.rows.clone().map(|row| R::read(&self.columns, row))
    }

    /// When the window begins; nothing where windows are counted by rows.
    #[inline]
    pub fn start(&self) -> Option<Timestamp> {
        self.span.map(|span| Timestamp::from_millis(span.start))
    }

    /// When it ends: the first moment behind it.
    #[inline]
    pub fn end(&self) -> Option<Timestamp> {
        self.span.map(|span| Timestamp::from_millis(span.end))
    }
}

/// What comes out of windows.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// fn each(window: &Window<'_, Row>, given: &mut Given<Row>) {
///     window.rows().for_each(|row| given.row(row));
/// }
/// ```
pub struct Given<R: Record> {
    rows: R::Builder,
    of: Vec<u32>,
    window: u32,
}

impl<R: Record> Given<R> {
    pub(crate) fn new() -> Self {
        Self { rows: R::Builder::default(), of: Vec::new(), window: 0 }
    }

    /// A row of the window at hand. One whose fields borrow may be given where `Row<'static>` is named.
    #[inline]
    pub fn row<E: Record<Builder = R::Builder>>(&mut self, row: E) {
        row.append_to(&mut self.rows);
        self.of.push(self.window);
    }

    /// The windows and columns of all rows.
    pub(crate) fn take(mut self) -> (Vec<u32>, Vec<crate::bindings::Column>) {
        (self.of, self.rows.take())
    }
}
