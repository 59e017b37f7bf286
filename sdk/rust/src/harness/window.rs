//! Runs a window function natively.

use std::fmt;

use serde::Serialize;

use crate::Timestamp;
use crate::bindings::Column;
use crate::bindings::data::Batch;
use crate::bindings::window_function::exports::wasmill::plugin::window::Span;
use crate::error::{Error, Result};
use crate::record::{ReadRecord, Record, RecordBuilder};
use crate::settings;
use crate::window::{Instance, WindowFunction};

/// Runs a window function over the rows of a window. Rows cross as they do with the host.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record, Debug, PartialEq)] struct Row { n: i64 }
/// # struct Last;
/// # impl WindowFunction for Last {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings) -> Result<Self> { Ok(Self) }
/// #     fn fire<'a>(&mut self, window: &Window<'a, Row>, given: &mut Given<Row>) -> Result<()> {
/// #         given.row(window.row(window.len() - 1));
/// #         Ok(())
/// #     }
/// # }
/// use wasmill_sdk::harness::WindowHarness;
///
/// let mut harness = WindowHarness::<Last>::new(())?;
/// assert_eq!(harness.fire([Row { n: 1 }, Row { n: 2 }])?, [Row { n: 2 }]);
/// # Result::<()>::Ok(())
/// ```
pub struct WindowHarness<F: WindowFunction> {
    instance: Instance<F>,
    span: Option<Span>,
}

impl<F: WindowFunction> fmt::Debug for WindowHarness<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowHarness").field("span", &self.span).finish_non_exhaustive()
    }
}

impl<F: WindowFunction> WindowHarness<F> {
    /// The function with these settings; `()` for none. Its windows have no bounds. Fails where it refuses them.
    pub fn new(settings: impl Serialize) -> Result<Self> {
        let settings = serde_json::to_string(&settings)?;
        Ok(Self { instance: Instance(F::open(settings::parse(&settings)?)?), span: None })
    }

    /// When the windows begin and end that are handed over from now on.
    pub fn between(&mut self, start: Timestamp, end: Timestamp) -> &mut Self {
        self.span = Some(Span { start: start.millis(), end: end.millis() });
        self
    }

    /// Hands over the rows of a window, at least one; what comes out.
    pub fn fire<'a>(&mut self, rows: impl IntoIterator<Item = F::Input<'a>>) -> Result<Vec<F::Output>>
    where
        F::Output: ReadRecord<'static>,
    {
        let mut builder = <F::Input<'a> as Record>::Builder::default();
        let mut count = 0;
        for row in rows {
            row.append_to(&mut builder);
            count += 1;
        }
        if count == 0 {
            return Err(Error::fail("a window has at least one row"));
        }
        let batch = Batch { rows: count, columns: builder.take() };
        let span = self.span.map(|span| [span]);
        let given = self.instance.fire(span.as_ref().map(<[Span; 1]>::as_slice), &[0, count], &batch)?;
        // Records may borrow from the columns for as long as the test runs, so the columns are never freed.
        let columns: &'static [Column] = given.columns.leak();
        let columns = F::Output::bind(columns, given.of.len())?;
        Ok((0..given.of.len()).map(|row| F::Output::read(&columns, row)).collect())
    }
}
