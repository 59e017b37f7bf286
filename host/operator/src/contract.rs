//! The contract of an operator, built in or plugged in.

use std::collections::BTreeMap;

use arrow_buffer::ScalarBuffer;
use arrow_schema::SchemaRef;
use futures_util::future::BoxFuture;
use wasmill_flow::dead_letter::Kind;
use wasmill_flow::{Batch, Watermark};
use wasmill_state::{KeyedState, StateNeed};
use wasmill_time::ProcessingClock;

use crate::aggregate::StateForm;

/// One output of an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// `main` for the first, which a split has none of; otherwise the name in `operator.NAME`.
    pub name: String,
    /// Its rows' columns.
    pub schema: SchemaRef,
}

/// What an operator is before it runs: known from its definition and its inputs' schemas alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Its outputs; the first is the main one.
    pub ports: Vec<Port>,
    /// The states that it keeps for each key; empty where it isn't keyed.
    pub states: Vec<StateNeed>,
    /// What their values are put together of; none where only the operator knows.
    pub form: Option<StateForm>,
    /// For each input, the indices of the columns that it reads or passes on; `None` for all. An exchange before it may move these only.
    pub reads: Vec<Option<Vec<usize>>>,
}

/// Rows of one output of a step.
#[derive(Debug)]
pub struct Emitted {
    /// Index of the output.
    pub port: usize,
    /// The rows, at least one; no key hashes.
    pub batch: Batch,
}

/// Rows that died in a step.
#[derive(Debug)]
pub struct Dead {
    /// Which input they came from.
    pub input: usize,
    /// The rows as they were, with the columns that the operator was given.
    pub rows: Batch,
    /// Why: one reason for each row.
    pub reasons: Vec<String>,
    /// What kind of death.
    pub kind: Kind,
}

/// Why a job must stop.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct OperatorError {
    /// A stable code, as `plugin-trap`.
    pub code: &'static str,
    /// What was found and where.
    pub message: String,
    /// The row that it happened on, as a JSON object, where it is known.
    pub row: Option<String>,
    /// What the user can do.
    pub hint: Option<String>,
}

/// Counters of an operator that is a plugin; zero for others but for what they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PluginCounts {
    /// Calls made again.
    pub retries: u64,
    /// Calls that trapped or broke a limit.
    pub traps: u64,
    /// Instances opened.
    pub instances: u64,
    /// Rows that were dropped, as the job asked for: poison rows and timers, and rows between windows.
    pub skipped: u64,
    /// Timers that were dropped at the end of bounded input, since their moment never came.
    pub timers_dropped: u64,
    /// Bytes that it holds beside its state now: a plugin's instance, what its last call staged, what a window knows of its keys.
    pub memory: u64,
}

impl PluginCounts {
    /// Those of two plugins together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            retries: self.retries + other.retries,
            traps: self.traps + other.traps,
            instances: self.instances + other.instances,
            skipped: self.skipped + other.skipped,
            timers_dropped: self.timers_dropped + other.timers_dropped,
            memory: self.memory + other.memory,
        }
    }
}

/// What a step works with and leaves behind. Everything in it is the task's: an operator keeps nothing that must survive.
pub struct Context {
    /// The operator's keyed state; none where it isn't keyed.
    pub state: Option<Box<dyn KeyedState>>,
    /// What the step emitted, in order.
    pub emitted: Vec<Emitted>,
    /// What died in the step.
    pub dead: Vec<Dead>,
    /// How far event time has come: no row at or before it is expected. Rows that are, are late.
    pub watermark: Watermark,
    /// What processing time is.
    pub clock: ProcessingClock,
}

impl Context {
    /// A context without state.
    #[must_use]
    pub fn stateless() -> Self {
        let clock = ProcessingClock::start();
        Self { state: None, emitted: Vec::new(), dead: Vec::new(), watermark: Watermark::NONE, clock }
    }

    /// The event times of so many rows that come of no row in particular at the end of input: none where rows have no event times.
    #[must_use]
    pub fn times_at_end(&self, rows: usize) -> Option<ScalarBuffer<i64>> {
        (self.watermark == Watermark::END).then(|| vec![Watermark::END.0; rows].into())
    }

    /// Emits rows on an output; no rows are nothing.
    pub fn emit(&mut self, port: usize, batch: Batch) {
        if !batch.is_empty() {
            self.emitted.push(Emitted { port, batch });
        }
    }
}

/// The future of one step.
pub type Step<'a> = BoxFuture<'a, Result<(), OperatorError>>;

/// The future of a step that lets out what was due.
pub type Firing<'a> = BoxFuture<'a, Result<Due, OperatorError>>;

/// What a step has left of what was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Done,
    /// Something: it is to be called again for the same moment, when what it emitted has been handed on.
    More,
}

/// One task's instance of an operator.
///
/// # Contract
/// 1. `process` is called with rows of one input at a time, at least one row, in the order of their arrival, and never twice at once.
/// 2. What must survive is in `Context::state`; the task snapshots it between steps. An operator has no checkpoint method.
/// 3. Output and dead rows of a step go to the context, and count only if the step returns `Ok`; after an error the operator isn't
///    called again.
/// 4. Every row handed in is, when the step has returned `Ok`, emitted, filtered by definition, absorbed into state, or dead.
/// 5. `end` is called once, when no input has more rows; the last step.
/// 6. `watermark` is called with ever greater watermarks, only where rows have event times, the last time with [`Watermark::END`], before
///    `end`; again with the same one while it says [`Due::More`], and with nothing else in between. What it emits is ahead of the watermark
///    for those behind.
/// 7. `clock` is called when processing time has reached what `wakes_at` said after the last step, and again for the same moment while it
///    says [`Due::More`], with nothing else in between; not after `end`. One that may always find something due says [`Due::Done`] after a
///    step, and `wakes_at` that there is more: then rows have their turn.
/// 8. `restored` comes before any step.
/// 9. A step doesn't block its thread: it computes, or awaits.
pub trait Operator: Send {
    /// One step: some rows of input `input`. On a keyed input they carry their hashes.
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a>;

    /// The context's state and watermark are what a checkpoint held, or as at a job's beginning. Nothing by default.
    ///
    /// # Errors
    /// State that can't be the operator's.
    fn restored(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let _ = cx;
        Ok(())
    }

    /// One step: event time has come as far as `watermark`, further than [`Context::watermark`], which is set when nothing is due any more.
    /// Nothing by default.
    fn watermark<'a>(&'a mut self, watermark: Watermark, cx: &'a mut Context) -> Firing<'a> {
        let _ = (watermark, cx);
        Box::pin(std::future::ready(Ok(Due::Done)))
    }

    /// When `clock` is to be called, in milliseconds since the Unix epoch by [`Context::clock`]; by default never.
    fn wakes_at(&self) -> Option<i64> {
        None
    }

    /// One step: processing time has come as far as `now`. Nothing by default.
    fn clock<'a>(&'a mut self, now: i64, cx: &'a mut Context) -> Firing<'a> {
        let _ = (now, cx);
        Box::pin(std::future::ready(Ok(Due::Done)))
    }

    /// The end of bounded input. Nothing by default.
    fn end<'a>(&'a mut self, cx: &'a mut Context) -> Step<'a> {
        let _ = cx;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Called when no rows came for a while, so that what is only a cache can be given back. Nothing by default.
    fn idle(&mut self) {}

    /// What a plugin counts; zeros by default.
    fn plugin_counts(&self) -> PluginCounts {
        PluginCounts::default()
    }

    /// Figures that a plugin's author keeps, by name; none by default.
    fn author_metrics(&self) -> BTreeMap<String, f64> {
        BTreeMap::new()
    }
}
