//! What every kind of window puts around an aggregate: columns that only it sees, and the bounds that stand before its values.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use wasmill_flow::Batch;
use wasmill_flow::column_type::TIMESTAMP;
use wasmill_state::KeyedState;

use crate::contract::{Context, Declaration, OperatorError, Port};

/// The columns that come out.
const BOUNDS: [&str; 2] = ["window_start", "window_end"];
/// The output of rows that came too late.
const LATE: &str = "late";

/// The columns of an operator with windows.
#[derive(Debug)]
pub(super) struct Frame {
    input: SchemaRef,
    /// The input's columns, and timestamps that only the aggregate sees.
    inner: SchemaRef,
    output: SchemaRef,
    /// How many columns a key has.
    key: usize,
    /// How many columns of what the aggregate gives stand behind the key's and don't come out.
    hidden: usize,
}

impl Frame {
    /// The columns that an aggregate sees: the input's, and these timestamps.
    pub(super) fn inner(input: &SchemaRef, inside: &[&str]) -> SchemaRef {
        let inside = inside.iter().map(|name| Arc::new(Field::new(*name, TIMESTAMP, false)));
        Arc::new(Schema::new(input.fields().iter().cloned().chain(inside).collect::<Vec<FieldRef>>()))
    }

    /// Around an aggregate by `key` columns over [`Self::inner`] columns, of whose own columns so many don't come out.
    pub(super) fn new(input: &SchemaRef, inner: SchemaRef, aggregate: &Schema, key: usize, hidden: usize) -> Self {
        let (keys, values) = aggregate.fields().split_at(key);
        let bounds = BOUNDS.map(|name| Arc::new(Field::new(name, TIMESTAMP, false)));
        let output = keys.iter().chain(&bounds).chain(&values[hidden..]).cloned().collect::<Vec<FieldRef>>();
        Self { input: SchemaRef::clone(input), inner, output: Arc::new(Schema::new(output)), key, hidden }
    }

    /// Two outputs, of results and of the input's rows that came too late, and the states of this declaration.
    pub(super) fn declaration(&self, of: Declaration) -> Declaration {
        let port = |name: &str, schema: &SchemaRef| Port { name: name.to_owned(), schema: SchemaRef::clone(schema) };
        Declaration { ports: vec![port("main", &self.output), port(LATE, &self.input)], reads: vec![None], ..of }
    }

    /// Rows of the input as the aggregate sees them.
    pub(super) fn inside(&self, rows: Batch, inside: Vec<Vec<i64>>) -> Result<Batch, OperatorError> {
        let own = &rows.rows.columns()[..self.input.fields().len()];
        let inside = inside.into_iter().map(|times| Arc::new(TimestampMillisecondArray::from(times)) as ArrayRef);
        let columns = own.iter().cloned().chain(inside).collect();
        let seen = RecordBatch::try_new(SchemaRef::clone(&self.inner), columns).map_err(|error| bug(&error.to_string()))?;
        Ok(Batch { rows: seen, ..rows })
    }

    /// Rows that came too late, as they came in.
    pub(super) fn late(&self, batch: &Batch, rows: Vec<u32>) -> Result<Batch, OperatorError> {
        let late = batch.take(&UInt32Array::from(rows));
        let columns: Vec<usize> = (0..self.input.fields().len()).collect();
        let rows = late.rows.project(&columns).map_err(|error| bug(&error.to_string()))?;
        Ok(Batch::unkeyed(rows).at(late.times))
    }

    /// Makes dead rows from a place on what they were when they came in.
    pub(super) fn outside(&self, from: usize, cx: &mut Context) -> Result<(), OperatorError> {
        let columns: Vec<usize> = (0..self.input.fields().len()).collect();
        for dead in &mut cx.dead[from..] {
            dead.rows.rows = dead.rows.rows.project(&columns).map_err(|error| bug(&error.to_string()))?;
        }
        Ok(())
    }

    /// Makes results of what the aggregate has emitted from a place on: with the bounds of their windows, whose first and last moment is asked
    /// for, and the event time of the latter.
    pub(super) fn bound(
        &self,
        from: usize,
        cx: &mut Context,
        bounds: impl Fn(&RecordBatch) -> (Vec<i64>, Vec<i64>),
    ) -> Result<(), OperatorError> {
        for emitted in &mut cx.emitted[from..] {
            let (firsts, lasts) = bounds(&emitted.batch.rows);
            let ends = TimestampMillisecondArray::from_iter_values(lasts.iter().map(|last| last.saturating_add(1)));
            let (key, values) = emitted.batch.rows.columns().split_at(self.key);
            let bounds: [ArrayRef; 2] = [Arc::new(TimestampMillisecondArray::from(firsts)), Arc::new(ends)];
            let columns = key.iter().chain(&bounds).chain(&values[self.hidden..]).cloned().collect();
            let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), columns).map_err(|error| bug(&error.to_string()))?;
            emitted.batch = Batch::unkeyed(rows).at(Some(lasts.into()));
        }
        Ok(())
    }
}

/// The operator's state.
pub(super) fn state(cx: &mut Context) -> Result<&mut dyn KeyedState, OperatorError> {
    state_of(&mut cx.state)
}

/// The same where other parts of the context are in use.
pub(super) fn state_of(state: &mut Option<Box<dyn KeyedState>>) -> Result<&mut dyn KeyedState, OperatorError> {
    match state {
        Some(state) => Ok(state.as_mut()),
        None => Err(bug("a window was run without keyed state")),
    }
}

/// What can't be.
pub(super) fn bug(message: &str) -> OperatorError {
    OperatorError { code: "internal", message: message.to_owned(), row: None, hint: Some("this is a bug of Wasmill".to_owned()) }
}
