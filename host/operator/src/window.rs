//! `key-by`, `window` and `aggregate`: aggregates of each key in windows of event time, one row out per key and window.
//!
//! A window is a part of the key: its start stands behind the key's columns, and the accumulators of a key's window are what a
//! [`RunningAggregate`] keeps for that longer key. Keys are routed by their own part of it, so that all windows of a key are in one task.
//!
//! Rows of windows that are open are only counted in; when event time reaches the last moment of a window, its results come out, ascending by
//! window and key. Where rows may be late, they are kept for so long, and each late row gives its window's result anew. Rows whose windows are
//! all past go to the output `late`.

mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use wasmill_flow::column_type::TIMESTAMP;
use wasmill_flow::{Batch, Watermark};

use crate::aggregate::{Computation, Emit, Results, RunningAggregate};
use crate::contract::{Context, Declaration, Due, Emitted, Firing, Operator, OperatorError, PluginCounts, Port, Step};
use crate::definition::DefinitionProblems;
use windows::Phase;
pub use windows::Windows;

/// What a window's start is called behind the key's columns; no column of an input is.
const START: &str = "@window_start";
/// The columns that come out.
const BOUNDS: [&str; 2] = ["window_start", "window_end"];
/// The output of rows that came too late.
const LATE: &str = "late";
/// The bytes of a window's start behind a key's: that it isn't null, and milliseconds.
pub const START_BYTES: usize = 9;

/// Aggregates by key and window. Its context has keyed state, of the one state that its declaration names, whose keys end with
/// [`START_BYTES`] that they aren't routed by.
#[derive(Debug)]
pub struct WindowedAggregate {
    windows: Windows,
    input: SchemaRef,
    /// The input's columns and a window's start.
    with_start: SchemaRef,
    output: SchemaRef,
    /// How many columns a key has.
    key_columns: usize,
    /// The most results that leave in a batch.
    most_rows: usize,
    aggregate: RunningAggregate,
    /// Keys with state by their windows' starts, encoded.
    keys: BTreeMap<i64, Keys>,
    /// The bytes that `keys` holds.
    held: usize,
}

/// The keys of the windows with one start.
#[derive(Debug, Default)]
struct Keys {
    encoded: Vec<Vec<u8>>,
    /// Their results have come out.
    fired: bool,
}

/// Rows of a batch that are counted into windows: a row's number, and the window's start.
#[derive(Debug, Default)]
struct Assigned {
    rows: Vec<u32>,
    starts: Vec<i64>,
}

impl Keys {
    /// Bytes that it holds.
    fn held(&self) -> usize {
        self.encoded.iter().map(|key| key.len() + size_of::<Vec<u8>>()).sum()
    }
}

impl Assigned {
    fn push(&mut self, row: u32, start: i64) {
        self.rows.push(row);
        self.starts.push(start);
    }
}

impl WindowedAggregate {
    /// Aggregates by name and text over rows of `input`, for each key of the columns `key_by` and each of the windows. At most `most_rows`
    /// leave in a batch.
    ///
    /// # Errors
    /// Every problem, as of [`RunningAggregate::new`].
    pub fn new(
        key_by: &[usize],
        windows: Windows,
        aggregates: Vec<(String, Computation)>,
        most_rows: usize,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        let start = Arc::new(Field::new(START, TIMESTAMP, false));
        let with_start = Arc::new(Schema::new(input.fields().iter().cloned().chain([start]).collect::<Vec<FieldRef>>()));
        let with_window: Vec<usize> = key_by.iter().copied().chain([input.fields().len()]).collect();
        let mut aggregate = RunningAggregate::of(&with_window, aggregates, Emit::AtEnd { most_rows }, &with_start)?;
        // From now on it notes which keys are new.
        aggregate.take_made();
        let (key, values) = aggregate.output().fields().split_at(key_by.len());
        let bounds = BOUNDS.map(|name| Arc::new(Field::new(name, TIMESTAMP, false)));
        let output = key.iter().chain(&bounds).chain(&values[1..]).cloned().collect::<Vec<FieldRef>>();
        Ok(Self {
            windows,
            input: SchemaRef::clone(input),
            with_start,
            output: Arc::new(Schema::new(output)),
            key_columns: key_by.len(),
            most_rows,
            aggregate,
            keys: BTreeMap::new(),
            held: 0,
        })
    }

    /// Two outputs, of results and of the input's rows that came too late; one state.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        let Declaration { states, .. } = self.aggregate.declaration();
        let port = |name: &str, schema: &SchemaRef| Port { name: name.to_owned(), schema: SchemaRef::clone(schema) };
        Declaration { ports: vec![port("main", &self.output), port(LATE, &self.input)], states, reads: vec![None] }
    }

    async fn step(&mut self, input: usize, batch: &Batch, cx: &mut Context) -> Result<(), OperatorError> {
        let times = batch.times.clone().ok_or_else(|| bug("rows without event times came to a window"))?;
        let (mut open, mut closing, mut late) = (Assigned::default(), Assigned::default(), Vec::new());
        for (&time, row) in times.iter().zip(0_u32..) {
            let (mut any, mut taken) = (false, false);
            for start in self.windows.starts(time) {
                any = true;
                match self.windows.phase(start, cx.watermark.0) {
                    Phase::Open => open.push(row, start),
                    Phase::Closing => closing.push(row, start),
                    Phase::Past => continue,
                }
                taken = true;
            }
            if any && !taken {
                late.push(row);
            }
        }
        self.count(input, batch, &open, Emit::AtEnd { most_rows: usize::MAX }, cx).await?;
        self.count(input, batch, &closing, Emit::EachRow, cx).await?;
        if !late.is_empty() {
            cx.emit(1, Batch { hashes: None, ..batch.take(&UInt32Array::from(late)) });
        }
        Ok(())
    }

    /// Counts rows into windows; with [`Emit::EachRow`] each gives its window's result.
    async fn count(
        &mut self,
        input: usize,
        batch: &Batch,
        assigned: &Assigned,
        emit: Emit,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        if assigned.rows.is_empty() {
            return Ok(());
        }
        let all = assigned.rows.len() == batch.len() && (0..).zip(&assigned.rows).all(|(number, &row): (u32, _)| number == row);
        let rows = if all { batch.clone() } else { batch.take(&UInt32Array::from(assigned.rows.clone())) };
        let starts: ArrayRef = Arc::new(TimestampMillisecondArray::from(assigned.starts.clone()));
        let columns = rows.rows.columns().iter().cloned().chain([starts]).collect();
        let counted =
            RecordBatch::try_new(SchemaRef::clone(&self.with_start), columns).map_err(|error| bug(&error.to_string()))?;
        let (emitted, dead) = (cx.emitted.len(), cx.dead.len());
        self.aggregate.set_emit(emit);
        self.aggregate.step(input, Batch::unkeyed(counted).at(rows.times), cx).await?;
        for encoded in self.aggregate.take_made() {
            let start = start_of(&encoded)?;
            let fired = emit == Emit::EachRow;
            let keys = self.keys.entry(start).or_default();
            keys.fired |= fired;
            self.held += encoded.len() + size_of::<Vec<u8>>();
            keys.encoded.push(encoded);
        }
        // A dead letter holds the row as it came in.
        for dead in &mut cx.dead[dead..] {
            let columns: Vec<usize> = (0..self.input.fields().len()).collect();
            dead.rows.rows = dead.rows.rows.project(&columns).map_err(|error| bug(&error.to_string()))?;
        }
        self.finish(emitted, cx)
    }

    /// Makes results of what the aggregate has emitted since: with both bounds of their windows, and the event time of its last moment.
    fn finish(&self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        for Emitted { batch, .. } in &mut cx.emitted[emitted..] {
            let starts = batch.rows.column(self.key_columns).as_primitive::<TimestampMillisecondType>();
            let lasts: Vec<i64> = starts.values().iter().map(|&start| self.windows.last(start)).collect();
            let ends: ArrayRef =
                Arc::new(TimestampMillisecondArray::from_iter_values(lasts.iter().map(|last| last.saturating_add(1))));
            let (key, values) = batch.rows.columns().split_at(self.key_columns + 1);
            let columns = key.iter().chain([&ends]).chain(values).cloned().collect();
            let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), columns).map_err(|error| bug(&error.to_string()))?;
            *batch = Batch::unkeyed(rows).at(Some(lasts.into()));
        }
        Ok(())
    }

    /// Lets the results of windows come out that event time has reached the end of, and forgets what takes no more rows.
    async fn fire(&mut self, watermark: Watermark, cx: &mut Context) -> Result<(), OperatorError> {
        let due: Vec<i64> = self.keys.keys().copied().take_while(|&start| self.windows.last(start) <= watermark.0).collect();
        for start in due {
            let past = self.windows.phase(start, watermark.0) == Phase::Past;
            let Some(keys) = self.keys.get_mut(&start) else { continue };
            let emitted = cx.emitted.len();
            let results = match (keys.fired, past) {
                (false, true) => Some(Results::Last),
                (false, false) => Some(Results::Early),
                (true, true) => Some(Results::Dropped),
                (true, false) => None,
            };
            if let Some(results) = results {
                self.aggregate.results(&keys.encoded, results, self.most_rows, cx).await?;
                keys.fired = true;
            }
            if past {
                self.held -= self.keys.remove(&start).map_or(0, |keys| keys.held());
            }
            self.finish(emitted, cx)?;
        }
        Ok(())
    }

    /// Finds out what windows the state holds that the task begins with.
    fn index(&mut self, cx: &Context) -> Result<(), OperatorError> {
        let state = cx.state.as_ref().ok_or_else(|| bug("a window was run without keyed state"))?;
        let mut encoded = Vec::new();
        state.for_each_key(&mut |key| encoded.push(key.to_vec()));
        for key in encoded {
            let start = start_of(&key)?;
            let keys = self.keys.entry(start).or_default();
            keys.fired = self.windows.last(start) <= cx.watermark.0;
            self.held += key.len() + size_of::<Vec<u8>>();
            keys.encoded.push(key);
        }
        Ok(())
    }
}

/// The window's start that an encoded key ends with.
fn start_of(encoded: &[u8]) -> Result<i64, OperatorError> {
    let start = encoded.last_chunk::<8>().filter(|_| encoded.len() >= START_BYTES);
    start.map(|start| i64::from_le_bytes(*start)).ok_or_else(|| bug("a key of a window has no window"))
}

fn bug(message: &str) -> OperatorError {
    OperatorError { code: "internal", message: message.to_owned(), row: None, hint: Some("this is a bug of Wasmill".to_owned()) }
}

impl Operator for WindowedAggregate {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move { self.step(input, &batch, cx).await })
    }

    fn restored(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.index(cx)
    }

    fn watermark<'a>(&'a mut self, watermark: Watermark, cx: &'a mut Context) -> Firing<'a> {
        Box::pin(async move { self.fire(watermark, cx).await.map(|()| Due::Done) })
    }

    fn idle(&mut self) {
        self.aggregate.idle();
    }

    fn plugin_counts(&self) -> PluginCounts {
        let counts = self.aggregate.plugin_counts();
        PluginCounts { memory: counts.memory + self.held as u64, ..counts }
    }
}

#[cfg(test)]
mod tests;
