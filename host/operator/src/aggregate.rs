//! `key-by` and `aggregate`: running aggregates of each key, one row out per row in, or one per key at the end of bounded input.
//!
//! A row out has the key's columns, in the order of `key-by`, and then each aggregate's value: after the row that came in, or after
//! all of them. What is remembered of a key is one value of the state `aggregates` (`aggregate/layout.rs` has its bytes).
//!
//! The way of a batch: the aggregates' arguments are computed for all rows; rows that fail die. The keys are found, and each
//! distinct key's accumulators loaded, once. Each aggregate goes over all rows: those of a fixed width in one typed loop, the
//! others by their own rules (`aggregate/variable.rs`), DataFusion's accumulators (`aggregate/general.rs`) or elsewhere (`aggregate/foreign.rs`). What the keys hold now is written, once. A row that an aggregate
//! can't take, as one that would take a sum out of its range, dies, and no aggregate counts it: that is found out by starting
//! again from what was loaded, which only such a batch pays for.

mod accumulator;
mod average;
mod call;
mod collected;
mod construction;
mod count;
mod distinct;
pub(crate) mod encoding;
mod extreme;
mod fold;
mod foreign;
mod form;
mod general;
mod last;
mod layout;
mod merged;
mod number;
mod pair;
mod parsed;
mod parts;
mod quantile;
mod ranked;
mod reading;
mod refused;
mod retract;
mod spread;
mod sum;
mod text_extreme;
mod variable;
mod whole;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::SchemaRef;
use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, KeyedState, StateWrite};

use crate::computed::{Computed, bury, compute};
use crate::contract::{Context, Declaration, Operator, OperatorError, PluginCounts, Port, Step};
use collected::{Collected, Encoded};
use foreign::Elsewhere;
use layout::{Accumulators, Arguments, Layout, STATE};
use refused::Refused;

pub use call::Aggregate;
pub use foreign::{Computation, ForeignAggregate, Held};
pub(crate) use form::SAID;
pub use form::{ComputationForm, Space, StateForm};
pub(crate) use last::{Results, in_order};
pub(crate) use parts::Alone;
pub use reading::StateReader;
pub(crate) use whole::Comes;

/// When rows come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// One for each row that comes in.
    EachRow,
    /// One for each key at the end of bounded input: ascending by the key's columns, nulls last, within a task. Nothing is
    /// remembered after that.
    AtEnd {
        /// The most that leave in a batch.
        most_rows: usize,
    },
}

/// What becomes of rows of which an aggregate refuses one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It dies, and the others are taken.
    OfRows,
    /// None is taken.
    OfAll,
}

/// So many rows come out at once where each may have a value as long as what its key holds, so that they have 64 MiB at most.
const MOST_LONG_VALUES: usize = 64;

/// Running aggregates by key. Its context has keyed state, of the one state that its declaration names.
#[derive(Debug)]
pub struct RunningAggregate {
    output: SchemaRef,
    key_by: Vec<usize>,
    /// What the aggregates are over, for those that are over something.
    arguments: Vec<Computed>,
    /// For each aggregate the indices of its arguments and of its filter.
    argument_of: Vec<(Range<usize>, Option<usize>)>,
    /// Each aggregate as its reasons name it.
    named: Vec<String>,
    layout: Layout,
    form: StateForm,
    elsewhere: Vec<Elsewhere>,
    /// Rows that are kept themselves; they come out behind the aggregates' values.
    collected: Option<Collected>,
    reads: Vec<usize>,
    emit: Emit,
    /// Some rows are taken back: the last of `arguments` says which. How many rows a key has is then the first of its aggregates, and doesn't come out.
    retracts: bool,
    /// The column that says which space a row's key is in.
    space: Option<usize>,
    // What follows is memory that is used again from call to call; it holds nothing between calls.
    keys: EncodedKeys,
    call: CallKeys,
    write: StateWrite,
    accumulators: Accumulators,
    /// What is merged into them.
    others: Accumulators,
}

impl RunningAggregate {
    /// What comes out: the key's columns, then each aggregate's value.
    pub(crate) fn output(&self) -> &SchemaRef {
        &self.output
    }

    /// Changes when rows come out, from the next step on.
    pub(crate) fn set_emit(&mut self, emit: Emit) {
        self.emit = emit;
    }

    /// One output, one state; it reads the key's columns and those of its aggregates' arguments.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        Declaration {
            ports: vec![Port { name: "main".to_owned(), schema: SchemaRef::clone(&self.output) }],
            states: [self.layout.need()].into_iter().chain(self.collected.as_ref().map(Collected::need)).collect(),
            form: Some(self.form.clone()),
            reads: vec![Some(self.reads.clone())],
        }
    }

    /// The rows that no expression fails on; the others die.
    pub(crate) fn alive(&self, batch: Batch, input: usize, cx: &mut Context) -> Option<Batch> {
        compute(&self.arguments, batch, input, cx).map(|(alive, _)| alive)
    }

    /// Takes rows; emits, as [`Emit`] says.
    pub(crate) async fn step(&mut self, input: usize, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        if batch.combined.is_some() {
            return self.take_parts(&batch, None, cx).await;
        }
        self.take(input, batch, Refusal::OfRows, cx).await.map(|_| ())
    }

    /// Takes rows that no expression fails on, at most [`Self::most_at_once`], if no aggregate refuses one of them; whether it did.
    /// Otherwise nothing has happened.
    pub(crate) async fn step_whole(&mut self, input: usize, batch: Batch, cx: &mut Context) -> Result<bool, OperatorError> {
        self.take(input, batch, Refusal::OfAll, cx).await
    }

    /// How many rows are taken at once where rows come out so.
    pub(crate) fn most_at_once(&self, emit: Emit) -> usize {
        if emit == Emit::EachRow && (self.collected.is_some() || self.layout.has_long_values()) {
            MOST_LONG_VALUES
        } else {
            usize::MAX
        }
    }

    async fn take(&mut self, input: usize, batch: Batch, refusal: Refusal, cx: &mut Context) -> Result<bool, OperatorError> {
        let Some((batch, computed)) = compute(&self.arguments, batch, input, cx) else { return Ok(true) };
        let mut state = cx.state.take().ok_or_else(no_state)?;
        let done = self.take_in_parts(input, batch, &computed, refusal, state.as_mut(), cx).await;
        cx.state = Some(state);
        done
    }

    async fn take_in_parts(
        &mut self,
        input: usize,
        batch: Batch,
        computed: &[ArrayRef],
        refusal: Refusal,
        state: &mut dyn KeyedState,
        cx: &mut Context,
    ) -> Result<bool, OperatorError> {
        let most = self.most_at_once(self.emit);
        if batch.len() <= most {
            return self.aggregate(input, batch, computed, refusal, state, cx).await;
        }
        for first in (0..batch.len()).step_by(most) {
            let length = most.min(batch.len() - first);
            let computed: Vec<ArrayRef> = computed.iter().map(|argument| argument.slice(first, length)).collect();
            self.aggregate(input, batch.slice(first, length), &computed, refusal, state, cx).await?;
        }
        Ok(true)
    }

    async fn aggregate(
        &mut self,
        input: usize,
        batch: Batch,
        computed: &[ArrayRef],
        refusal: Refusal,
        state: &mut dyn KeyedState,
        cx: &mut Context,
    ) -> Result<bool, OperatorError> {
        let key_columns: Vec<ArrayRef> = self.key_by.iter().map(|&index| Arc::clone(batch.rows.column(index))).collect();
        self.keys.encode(&key_columns);
        let hashes = batch.hashes.clone().unwrap_or_else(|| self.keys.hashes().into());
        match self.space {
            Some(column) => {
                let spaces = batch.rows.column(column).as_primitive::<TimestampMillisecondType>();
                state.resolve_in(&self.keys, &hashes, spaces.values(), &mut self.call);
            }
            None => state.resolve(&self.keys, &hashes, &mut self.call),
        }
        let rows = self.collected.as_ref().map(|collected| collected.encode(batch.rows.columns()));
        let mut updated = self.update(state, &batch, computed, rows.as_ref()).await;
        let taken = updated.as_ref().is_ok_and(|updated| refusal == Refusal::OfRows || updated.dead.is_empty());
        if taken {
            updated = updated.and_then(|updated| self.written(updated, rows.as_ref(), state));
        }
        state.finish(&self.call);
        let Updated { dead, values } = updated?;
        if !taken {
            return Ok(false);
        }
        let alive = if dead.is_empty() {
            batch
        } else {
            let Some(alive) = bury(&batch, &dead, input, cx) else { return Ok(true) };
            alive
        };
        if self.emit != Emit::EachRow {
            return Ok(true);
        }
        let keys = self.key_by.iter().chain(&self.space).map(|&index| Arc::clone(alive.rows.column(index)));
        #[expect(
            clippy::expect_used,
            reason = "values are of the aggregates' types; others are a bug that must not pass silently"
        )]
        let rows =
            RecordBatch::try_new(SchemaRef::clone(&self.output), keys.chain(values.into_iter().skip(self.hidden())).collect())
                .expect("columns of the declared schema");
        cx.emit(0, Batch::unkeyed(rows).at(alive.times));
        Ok(true)
    }

    /// Loads what the keys hold, takes the rows, and leaves in `write` what they hold then.
    async fn update(
        &mut self,
        state: &mut dyn KeyedState,
        batch: &Batch,
        computed: &[ArrayRef],
        rows: Option<&Encoded>,
    ) -> Result<Updated, OperatorError> {
        let keys = self.call.count();
        let wanted = self.emit == Emit::EachRow;
        let mut dead = match (&self.collected, rows) {
            (Some(collected), Some(rows)) => collected.too_many(state, &self.call, rows),
            _ => BTreeMap::new(),
        };
        loop {
            self.load(state)?;
            let alive = (!dead.is_empty()).then(|| alive(batch.len(), &dead));
            let row_keys: Vec<u32>;
            let (row_keys, mut arguments, back) = match &alive {
                None => (self.call.row_key.as_slice(), self.arguments_of(computed), self.back_of(computed)),
                Some(alive) => {
                    row_keys = alive.values().iter().map(|&row| self.call.row_key[row as usize]).collect();
                    let computed: Vec<ArrayRef> = computed.iter().map(|argument| take(argument, alive)).collect();
                    (row_keys.as_slice(), self.arguments_of(&computed), self.back_of(&computed))
                }
            };
            let number = |row: usize| alive.as_ref().map_or(row, |alive| alive.value(row) as usize);
            let never_came = back.as_ref().map_or_else(Vec::new, |back| self.never_came(row_keys, back));
            if !never_came.is_empty() {
                dead.extend(never_came.into_iter().map(|(row, reason)| (number(row), reason)));
                continue;
            }
            let mut taken = self.layout.narrow(&mut self.accumulators, row_keys, &mut arguments).map(|()| Vec::new());
            if taken.is_ok() {
                foreign::take_all(&mut self.elsewhere, &mut self.accumulators, row_keys, &arguments, back.as_ref(), wanted)
                    .await?;
                taken = self.layout.update(&mut self.accumulators, row_keys, &arguments, back.as_ref(), wanted);
            }
            let refused = match taken {
                Ok(values) => {
                    match alive {
                        None => set_all(&mut self.write.values.present, keys),
                        Some(_) => row_keys.iter().for_each(|&key| {
                            self.write.values.present[key as usize / 8] |= 1 << (key % 8);
                        }),
                    }
                    if self.retracts {
                        self.forget_empty(keys);
                    }
                    self.layout.encode(&mut self.accumulators, keys, &mut self.write.values);
                    return Ok(Updated { dead, values });
                }
                Err(refused) => refused,
            };
            let rows = match refused {
                (_, Refused::Damaged) => return Err(damaged()),
                (aggregate, Refused::Rows(rows)) => {
                    rows.into_iter().map(|(row, cause)| (row, format!("{}: {cause}", self.named[aggregate]))).collect()
                }
                (_, Refused::Overflow) => {
                    let row_keys = row_keys.to_vec();
                    self.load(state)?;
                    self.overflows(&row_keys, &arguments, back.as_ref())
                }
            };
            if rows.is_empty() {
                return Err(bug("rows that fit one by one don't fit together"));
            }
            dead.extend(rows.into_iter().map(|(row, reason)| (number(row), reason)));
        }
    }

    fn load(&mut self, state: &dyn KeyedState) -> Result<(), OperatorError> {
        state.load(0, &self.call, &mut self.write.values);
        self.layout.decode(&mut self.write.values, self.call.count(), &mut self.accumulators).ok_or_else(damaged)
    }

    fn arguments_of(&self, computed: &[ArrayRef]) -> Vec<Arguments> {
        let of = |(values, filter): &(Range<usize>, Option<usize>)| Arguments {
            values: computed[values.clone()].to_vec(),
            counts: filter.map(|filter| computed[filter].as_boolean().clone()),
        };
        self.argument_of.iter().map(of).collect()
    }

    /// The rows that overflow an aggregate, with the reason, taking one row after the other.
    fn overflows(&mut self, row_keys: &[u32], arguments: &[Arguments], back: Option<&BooleanBuffer>) -> Vec<(usize, String)> {
        let stride = self.layout.stride();
        let fixed = &mut self.accumulators.fixed;
        let mut dead = Vec::new();
        let mut before = vec![0; stride];
        for (row, &key) in row_keys.iter().enumerate() {
            let bytes = key as usize * stride..(key as usize + 1) * stride;
            before.copy_from_slice(&fixed[bytes.clone()]);
            if let Err(aggregate) = self.layout.try_row(fixed, key, row, arguments, back) {
                fixed[bytes].copy_from_slice(&before);
                dead.push((row, format!("{}: the sum overflows", self.named[aggregate])));
            }
        }
        dead
    }
}

/// What a batch has come to.
struct Updated {
    /// Rows that an aggregate can't take, with the reason.
    dead: BTreeMap<usize, String>,
    /// Each aggregate's values after each of the others.
    values: Vec<ArrayRef>,
}

/// The numbers of the rows that aren't dead.
fn alive(rows: usize, dead: &BTreeMap<usize, String>) -> UInt32Array {
    (0u32..).take(rows).filter(|row| !dead.contains_key(&(*row as usize))).collect()
}

/// Sets the bits of all keys.
fn set_all(present: &mut [u8], keys: usize) {
    present.fill(0xff);
    if let (Some(last), rest @ 1..) = (present.last_mut(), keys % 8) {
        *last = 0xff >> (8 - rest);
    }
}

fn take(column: &ArrayRef, rows: &UInt32Array) -> ArrayRef {
    #[expect(clippy::expect_used, reason = "rows are those of the batch; others are a bug that must not pass silently")]
    arrow_select::take::take(column, rows, None).expect("rows within the batch")
}

fn no_state() -> OperatorError {
    bug("an aggregate was run without keyed state")
}

fn bug(message: &str) -> OperatorError {
    OperatorError { code: "internal", message: message.to_owned(), row: None, hint: Some("this is a bug of Wasmill".to_owned()) }
}

fn damaged() -> OperatorError {
    OperatorError {
        code: "state-damaged",
        message: format!("the state `{STATE}` holds bytes that no aggregate has written"),
        row: None,
        hint: Some("--fresh starts without the snapshot".to_owned()),
    }
}

impl Operator for RunningAggregate {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(self.step(input, batch, cx))
    }

    fn end<'a>(&'a mut self, cx: &'a mut Context) -> Step<'a> {
        Box::pin(self.emit_all(cx))
    }

    fn idle(&mut self) {
        self.elsewhere.iter_mut().for_each(|each| each.aggregate.idle());
    }

    fn plugin_counts(&self) -> PluginCounts {
        self.elsewhere.iter().map(|each| each.aggregate.counts()).fold(PluginCounts::default(), PluginCounts::and)
    }
}

#[cfg(test)]
mod tests;
