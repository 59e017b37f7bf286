//! `window` and `plugin`: windows whose rows are kept, and handed to what is computed elsewhere when a result comes out.
//!
//! Which rows are in which window, when results come out and which rows are late is the business of the windows that this is around: to
//! them the rows of a key are the value of an aggregate ([`Computation::Rows`](crate::aggregate::Computation::Rows)), a list. Here each list
//! goes out, with others in one call, and any number of rows come back in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::take::{take, take_arrays, take_record_batch};
use futures_util::future::BoxFuture;
use wasmill_flow::dead_letter::Kind;
use wasmill_flow::{Batch, Watermark};

use super::frame::bug;
use crate::contract::{Context, Dead, Declaration, Due, Emitted, Firing, Operator, OperatorError, PluginCounts, Port, Step};
use crate::definition::{DefinitionProblem, DefinitionProblems};
use crate::expression::ExpressionProblem;

/// No more rows than this go out at once, unless they are of one window.
const MOST_ROWS: usize = 16_384;
/// How many rows a window has, among what is said of one that can't be taken.
const ROWS: &str = "rows";

/// Windows whose results are to come out, with their rows.
#[derive(Debug, Clone)]
pub struct FiredWindows {
    /// A row for each: the key's columns and, where windows have bounds, `window_start` and `window_end`.
    pub windows: RecordBatch,
    /// When each begins and ends, where windows have bounds.
    pub bounds: Option<[ScalarBuffer<i64>; 2]>,
    /// Window `i` has the rows from `starts[i]` to `starts[i + 1]`.
    pub starts: Vec<u32>,
    /// Their rows end to end, those of a window in the order in which they came.
    pub rows: Vec<ArrayRef>,
}

impl FiredWindows {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.windows.num_rows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some that follow one another.
    #[must_use]
    pub fn slice(&self, first: usize, count: usize) -> Self {
        let starts = &self.starts[first..=first + count];
        let (start, rows) = (starts[0] as usize, (starts[count] - starts[0]) as usize);
        Self {
            windows: self.windows.slice(first, count),
            bounds: self.bounds.as_ref().map(|bounds| bounds.each_ref().map(|times| times.slice(first, count))),
            starts: starts.iter().map(|end| end - starts[0]).collect(),
            rows: self.rows.iter().map(|column| column.slice(start, rows)).collect(),
        }
    }
}

/// What windows have come to.
#[derive(Debug, Default)]
pub struct Given {
    /// Rows that come out: of which window each is, and the columns.
    pub rows: Vec<(UInt32Array, Vec<ArrayRef>)>,
    /// Windows that can't be taken, by their numbers: why, and what kind of death it is.
    pub dead: BTreeMap<u32, (String, Kind)>,
}

/// What is computed elsewhere of all rows of a window.
///
/// # Contract
/// 1. Rows given are of windows that were handed over, and have columns of the declared types.
/// 2. After an error the job stops.
pub trait ForeignWindow: Send {
    /// What some windows come to, each by itself.
    fn fire<'a>(&'a mut self, windows: FiredWindows) -> BoxFuture<'a, Result<Given, OperatorError>>;

    /// Called when no rows came for a while, so that what is only a cache can be given back.
    fn idle(&mut self);

    /// What it counts.
    fn counts(&self) -> PluginCounts;
}

/// Windows around which a function is that is computed elsewhere.
pub struct WholeWindows {
    windows: Box<dyn Operator>,
    function: Box<dyn ForeignWindow>,
    declaration: Declaration,
    /// How many columns a key has.
    key: usize,
    /// Windows have bounds.
    bounded: bool,
    /// How many columns of rows the function is handed; what is kept beyond is only for rows to have some.
    reads: usize,
    /// The columns of a window that can't be taken.
    dead: SchemaRef,
}

impl WholeWindows {
    /// Around windows with this declaration, which give lists of rows as their last column and how many rows there are before it, by `key`
    /// columns, with bounds or without. The function is handed the first `reads` columns of the rows, and `gives` columns.
    ///
    /// # Errors
    /// Where a column that is given has the name of one that windows have, at `plugin`.
    pub fn new(
        windows: Box<dyn Operator>,
        of_windows: Declaration,
        function: Box<dyn ForeignWindow>,
        key: usize,
        bounded: bool,
        reads: usize,
        gives: &[Field],
    ) -> Result<Self, DefinitionProblems> {
        let mut ports = of_windows.ports;
        let own: Vec<FieldRef> = ports[0].schema.fields()[..key + if bounded { 2 } else { 0 }].to_vec();
        if let Some(twice) = gives.iter().find(|field| own.iter().any(|own| own.name() == field.name())) {
            let message = format!("column `{}` is a column that windows have already; another name is needed", twice.name());
            return Err(vec![DefinitionProblem::new("plugin", ExpressionProblem::new("duplicate-column", message))]);
        }
        let rows: FieldRef = Arc::new(Field::new(ROWS, DataType::Int64, false));
        let dead = Arc::new(Schema::new(own.iter().cloned().chain([rows]).collect::<Vec<_>>()));
        let output = own.into_iter().chain(gives.iter().cloned().map(Arc::new)).collect::<Vec<_>>();
        ports[0] = Port { name: ports[0].name.clone(), schema: Arc::new(Schema::new(output)) };
        let declaration = Declaration { ports, ..of_windows };
        Ok(Self { windows, function, declaration, key, bounded, reads, dead })
    }

    /// The outputs and states of the windows, whose main output has the function's columns.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        self.declaration.clone()
    }

    /// Hands over the windows that were emitted from a place on, and emits what they come to.
    async fn hand_over(&mut self, from: usize, cx: &mut Context) -> Result<(), OperatorError> {
        for emitted in cx.emitted.split_off(from) {
            if emitted.port != 0 {
                cx.emitted.push(emitted);
                continue;
            }
            let (lists, columns) = emitted.batch.rows.columns().split_last().ok_or_else(|| bug("windows without rows"))?;
            let lists = lists.as_list_view::<i32>();
            let (starts, sizes, rows) = (lists.offsets(), lists.sizes(), lists.values().as_struct());
            let mut first = 0;
            while first < sizes.len() {
                let mut count = 0;
                let mut taken = 0;
                while first + count < sizes.len() && (count == 0 || taken + sizes[first + count] as usize <= MOST_ROWS) {
                    taken += sizes[first + count] as usize;
                    count += 1;
                }
                let own = self.key + if self.bounded { 2 } else { 0 };
                let fields = self.dead.fields()[..own].to_vec();
                let of = columns[..own].iter().map(|column| column.slice(first, count)).collect();
                let windows = RecordBatch::try_new(Arc::new(Schema::new(fields)), of).map_err(|error| bug(&error.to_string()))?;
                let times = emitted.batch.times.as_ref().map(|times| times.slice(first, count));
                let rows = rows_of(&rows.columns()[..self.reads], &starts[first..first + count], &sizes[first..first + count])?;
                self.call(
                    FiredWindows { bounds: self.bounds(&windows), windows, starts: ends(&sizes[first..first + count]), rows },
                    times,
                    cx,
                )
                .await?;
                first += count;
            }
        }
        Ok(())
    }

    fn bounds(&self, windows: &RecordBatch) -> Option<[ScalarBuffer<i64>; 2]> {
        let times = |column: usize| windows.column(column).as_primitive::<TimestampMillisecondType>().values().clone();
        self.bounded.then(|| [times(self.key), times(self.key + 1)])
    }

    async fn call(
        &mut self,
        fired: FiredWindows,
        times: Option<ScalarBuffer<i64>>,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        let failed = |error: ArrowError| bug(&error.to_string());
        let (windows, starts) = (fired.windows.clone(), fired.starts.clone());
        let at = |of: &UInt32Array| {
            let of = of.values().iter();
            times.as_ref().map(|times| of.map(|&window| times[window as usize]).collect::<Vec<_>>().into())
        };
        let given = self.function.fire(fired).await?;
        for (of, columns) in given.rows.into_iter().filter(|(of, _)| !of.is_empty()) {
            let (of, columns) = by_window(of, columns).map_err(failed)?;
            let own =
                windows.columns().iter().map(|column| take(column, &of, None)).collect::<Result<Vec<_>, _>>().map_err(failed)?;
            let rows =
                RecordBatch::try_new(Arc::clone(&self.declaration.ports[0].schema), own.into_iter().chain(columns).collect());
            cx.emitted.push(Emitted { port: 0, batch: Batch::unkeyed(rows.map_err(failed)?).at(at(&of)) });
        }
        for (window, (reason, kind)) in given.dead {
            let of = UInt32Array::from(vec![window]);
            let rows = i64::from(starts[window as usize + 1] - starts[window as usize]);
            let own = take_record_batch(&windows, &of).map_err(failed)?;
            let columns = own.columns().iter().cloned().chain([Arc::new(Int64Array::from(vec![rows])) as ArrayRef]).collect();
            let rows = RecordBatch::try_new(Arc::clone(&self.dead), columns).map_err(failed)?;
            cx.dead.push(Dead { input: 0, rows: Batch::unkeyed(rows).at(at(&of)), reasons: vec![reason], kind });
        }
        Ok(())
    }
}

/// Rows window by window, those of each as they were given: which windows go out in one call must not show.
fn by_window(of: UInt32Array, columns: Vec<ArrayRef>) -> Result<(UInt32Array, Vec<ArrayRef>), ArrowError> {
    if of.values().is_sorted() {
        return Ok((of, columns));
    }
    let mut order: Vec<u32> = (0_u32..).take(of.len()).collect();
    order.sort_by_key(|&row| of.value(row as usize));
    let columns = take_arrays(&columns, &UInt32Array::from(order.clone()), None)?;
    Ok((order.iter().map(|&row| of.value(row as usize)).collect(), columns))
}

/// The rows of some lists end to end.
fn rows_of(rows: &[ArrayRef], starts: &[i32], sizes: &[i32]) -> Result<Vec<ArrayRef>, OperatorError> {
    let follow = starts.windows(2).zip(sizes).all(|(pair, size)| pair[0] + size == pair[1]);
    let all: i32 = sizes.iter().sum();
    if follow {
        let first = starts.first().copied().unwrap_or(0);
        return Ok(rows.iter().map(|column| column.slice(first as usize, all as usize)).collect());
    }
    let numbers = starts.iter().zip(sizes).flat_map(|(start, size)| (*start..start + size).map(i32::cast_unsigned));
    let numbers: UInt32Array = numbers.collect();
    rows.iter().map(|column| take(column, &numbers, None).map_err(|error| bug(&error.to_string()))).collect()
}

/// Where lists of these lengths end, after a 0.
fn ends(sizes: &[i32]) -> Vec<u32> {
    let ends = sizes.iter().scan(0, |end, size| {
        *end += size.cast_unsigned();
        Some(*end)
    });
    [0].into_iter().chain(ends).collect()
}

impl Operator for WholeWindows {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move {
            let from = cx.emitted.len();
            self.windows.process(input, batch, cx).await?;
            self.hand_over(from, cx).await
        })
    }

    fn restored(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.windows.restored(cx)
    }

    fn watermark<'a>(&'a mut self, watermark: Watermark, cx: &'a mut Context) -> Firing<'a> {
        Box::pin(async move {
            let from = cx.emitted.len();
            let due = self.windows.watermark(watermark, cx).await?;
            self.hand_over(from, cx).await.map(|()| due)
        })
    }

    fn wakes_at(&self) -> Option<i64> {
        self.windows.wakes_at()
    }

    fn clock<'a>(&'a mut self, now: i64, cx: &'a mut Context) -> Firing<'a> {
        Box::pin(async move {
            let from = cx.emitted.len();
            let due: Due = self.windows.clock(now, cx).await?;
            self.hand_over(from, cx).await.map(|()| due)
        })
    }

    fn end<'a>(&'a mut self, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move {
            let from = cx.emitted.len();
            self.windows.end(cx).await?;
            self.hand_over(from, cx).await
        })
    }

    fn idle(&mut self) {
        self.windows.idle();
        self.function.idle();
    }

    fn plugin_counts(&self) -> PluginCounts {
        self.windows.plugin_counts().and(self.function.counts())
    }
}
