//! Operators written for one record.

use serde::de::DeserializeOwned;

use crate::bindings::plan::StateKind;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::open::Open;
use crate::operator::{Operator, StateSpec};
use crate::process_batch::{Batch, ProcessBatch};
use crate::record::Record;
use crate::timers::{Timer, TimerBatch};

/// An operator written for one record. Rows still cross the sandbox in batches: what is written here is inlined into the loop over one.
///
/// ```
/// use wasmill_sdk::{Context, NoSettings, Open, Operator, Process, Record, Result};
///
/// #[derive(Record)]
/// struct Row { n: i64 }
///
/// #[derive(Operator)]
/// struct Doubled {}
///
/// impl Process for Doubled {
///     type Input<'a> = Row;
///     type Output = Row;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self {})
///     }
///
///     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///         cx.emit(Row { n: 2 * row.n });
///         Ok(())
///     }
/// }
/// ```
pub trait Process: Operator {
    /// A row as the operator reads it: a record, or, where it has several inputs, an enum of records ([`Inputs`]). Only these columns
    /// cross the sandbox. It may borrow from them.
    type Input<'a>: Inputs<'a>;
    /// A row as the operator emits it on the main output. For a record that borrows, name it with `'static`.
    type Output: Record;
    /// What a job writes under `settings`. [`NoSettings`](crate::NoSettings) for none.
    type Settings: DeserializeOwned;

    /// Whether settings that can be read make sense. Called wherever a job is checked, so it may do nothing but look (and log).
    fn check(settings: &Self::Settings) -> Result<()> {
        let _ = settings;
        Ok(())
    }

    /// Makes an instance; `settings` were checked. It may be dropped and another made between any two calls, so whatever it must
    /// remember belongs into a [`ValueState`](crate::ValueState). An error stops the job.
    fn open(settings: Self::Settings, host: &mut Open) -> Result<Self>;

    /// Processes one row. An error undoes the whole call (see [`Error`](crate::Error)); for a row that makes no sense, use [`Context::reject`].
    fn process(&mut self, row: Self::Input<'_>, cx: &mut Context<Self>) -> Result<()>;

    /// What `row` will need of states, said before the first row of its batch is processed: entries of [`MapState`](crate::MapState)s, which then
    /// come all at once. States are those of the row's key, and can't be read here. By default, nothing; an operator without maps isn't asked.
    #[inline(always)]
    fn prefetch(&mut self, row: &Self::Input<'_>) {
        let _ = row;
    }

    /// The moment of a timer has come; states and timers are those of its key. What is emitted has the timer's moment for its event time
    /// and may keep the key. An error undoes the whole call, in which other keys' timers may be, too.
    fn on_timer(&mut self, timer: Timer, cx: &mut Context<Self>) -> Result<()> {
        let _ = (timer, cx);
        Err(Error::fail("the operator sets timers, but has no `on_timer` that says what becomes of them"))
    }

    /// The end of bounded input, once a task. States can't be read here, and only an output that keeps nothing can be emitted to.
    fn on_end(&mut self, cx: &mut Context<Self>) -> Result<()> {
        let _ = cx;
        Ok(())
    }
}

impl<P: Process> ProcessBatch for P {
    type Input<'a> = P::Input<'a>;
    type Output = P::Output;
    type Settings = P::Settings;

    fn check(settings: &Self::Settings) -> Result<()> {
        P::check(settings)
    }

    fn open(settings: Self::Settings, host: &mut Open) -> Result<Self> {
        P::open(settings, host)
    }

    #[inline]
    fn process_batch<'a>(&mut self, batch: Batch<'a, Self::Input<'a>>, cx: &mut Context<Self>) -> Result<()> {
        let rows = batch.rows();
        // One loop and one call, so that the author's code is always inlined. Only one of several inputs may have no keys.
        let keyed = (Self::STATES.iter().any(StateSpec::is_of_key) || !Self::TIMERS.is_empty())
            && (<Self::Input<'a> as Inputs<'a>>::INPUTS.len() == 1 || !batch.row_keys().is_empty());
        let keys = if keyed { &batch.row_keys()[..rows] } else { &[] };
        if keyed && Self::STATES.iter().any(|state| state.kind == StateKind::MapState) {
            for (row, &key) in keys.iter().enumerate() {
                self.at_key(key);
                self.prefetch(&batch.row(row));
            }
            self.fetch();
        }
        #[expect(clippy::needless_range_loop, reason = "an operator without state goes through rows that have no keys")]
        for row in 0..rows {
            if keyed {
                self.at_key(keys[row]);
            }
            cx.at_row(row as u32);
            self.process(batch.row(row), cx)?;
        }
        Ok(())
    }

    fn on_timers(&mut self, timers: TimerBatch<'_>, cx: &mut Context<Self>) -> Result<()> {
        for key in 0..timers.len() {
            self.at_key(key as u32);
            cx.at_row(key as u32);
            self.on_timer(timers.timer(key), cx)?;
        }
        Ok(())
    }

    fn on_end(&mut self, cx: &mut Context<Self>) -> Result<()> {
        P::on_end(self, cx)
    }
}
