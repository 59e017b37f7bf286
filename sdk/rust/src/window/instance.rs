//! An open window function and the calls made to it.

use crate::bindings::data::Batch;
use crate::bindings::window_function::exports::wasmill::plugin::window::{Given as WitGiven, Span, WindowPlan};
use crate::bindings::{Field, Input};
use crate::describe::{check_columns, listed};
use crate::error::{Error, Result};
use crate::record::{ReadRecord, Record};
use crate::settings;
use crate::window::{Given, Window, WindowFunction};

/// What the rows are called in messages.
const ROWS: &str = "input";

/// An open window function.
pub struct Instance<F: WindowFunction>(pub(crate) F);

impl<F: WindowFunction> Instance<F> {
    /// What the function makes of these settings and rows.
    pub fn describe(settings: &str, rows: &[Field]) -> Result<WindowPlan> {
        Self::open(settings, rows)?;
        let reads = <F::Input<'static> as Record>::FIELDS.iter().map(|field| field.name.to_owned()).collect();
        let gives = <F::Output as Record>::FIELDS.iter().map(|field| field.to_contract()).collect();
        Ok(WindowPlan { reads: Some(reads), gives })
    }

    /// Makes an instance.
    pub fn open(settings: &str, rows: &[Field]) -> Result<Self> {
        let mut problems = Vec::new();
        let input = Input { name: ROWS.to_owned(), schema: rows.to_vec(), key: Vec::new(), broadcast: false };
        check_columns(&input, <F::Input<'static> as Record>::FIELDS, &mut problems);
        if !problems.is_empty() {
            return Err(Error::fail(listed(&problems, "; ")));
        }
        Ok(Self(F::open(settings::parse(settings)?)?))
    }

    /// What comes out of some windows.
    pub fn fire(&mut self, spans: Option<&[Span]>, starts: &[u32], rows: &Batch) -> Result<WitGiven> {
        let windows = starts.len().saturating_sub(1);
        let whole = starts.windows(2).all(|ends| ends[0] < ends[1]) && starts.last().is_none_or(|end| *end <= rows.rows);
        if !whole || spans.is_some_and(|spans| spans.len() != windows) {
            return Err(Error::fail("the host gave windows that are no parts of the rows"));
        }
        let columns = <F::Input<'_> as ReadRecord<'_>>::bind(&rows.columns, rows.rows as usize)?;
        let mut window = Window { columns, rows: 0..0, span: None };
        let mut given = Given::<F::Output>::new();
        for (number, ends) in starts.windows(2).enumerate() {
            window.rows = ends[0] as usize..ends[1] as usize;
            window.span = spans.map(|spans| spans[number]);
            given.window = number as u32;
            self.0.fire(&window, &mut given)?;
        }
        let (of, columns) = given.take();
        Ok(WitGiven { of, columns })
    }
}
