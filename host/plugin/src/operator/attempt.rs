//! One call of a plugin: what it is given, and what becomes of what it leaves behind.

use std::mem;
use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array};
use arrow_select::take::take;
use wasmill_flow::dead_letter::Kind;
use wasmill_flow::{Batch, Watermark};
use wasmill_operator::{Context, Dead, OperatorError};
use wasmill_state::{CallKeys, NO_KEY, StateNeed};

use super::PluginOperator;
use crate::bindings::exports::wasmill::plugin::operator::{Batch as WitBatch, Keys};
use crate::bindings::wasmill::plugin::plan::TimeDomain;
use crate::columns_in::ColumnsIn;
use crate::expiry::Written;
use crate::fault::Fault;
use crate::imports::call::{Call, CallOf, Keyed, OtherTimes};
use crate::timers::{Fired, Staged, Timers};

impl PluginOperator {
    /// One call. `Ok(Err(_))` is a call that failed and of which nothing is left.
    pub(super) async fn attempt(
        &mut self,
        of: CallOf,
        rows: &Batch,
        cx: &mut Context,
    ) -> Result<Result<(), Fault>, OperatorError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.open().await?,
        };
        let key = self.key_of(of);
        let keyed = self.resolve(&key, rows, cx);
        let row_key = self.call_keys_rows(keyed.is_some() && !key.is_empty());
        let key_columns = ColumnsIn::hold(self.key_columns(&key, rows, keyed.as_ref()).iter());
        let key_params = key_columns.params();
        #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer than 2^32 rows")]
        let count = keyed.as_ref().map_or(0, |keyed| keyed.keys.count() as u32);
        let call = Call {
            of,
            broadcast: matches!(of, CallOf::Rows(input) if self.definition.inputs[input].broadcast),
            batch: Some(rows.clone()),
            key,
            times: self.times(of, rows, &row_key, count as usize, cx),
            keyed,
            ..self.call(cx)
        };
        let (outcome, call) = match of {
            CallOf::Timers(domain, moment) => {
                let watermark = if domain == TimeDomain::EventTime { moment } else { call.watermark };
                let keys = Keys { count, columns: &key_params, row_key: &[] };
                let at = rows.times.as_deref().unwrap_or_default();
                instance.timers(Call { watermark, ..call }, domain, keys, at).await
            }
            CallOf::Rows(input) => {
                let reads = ColumnsIn::hold(self.plan.reads[input].iter().map(|&column| rows.rows.column(column)));
                let read_params = reads.params();
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a batch has far fewer than 2^32 rows, an operator few inputs"
                )]
                let (input, batch) = (input as u32, WitBatch { rows: rows.len() as u32, columns: &read_params });
                let keyed = call.keyed.is_some() && !call.key.is_empty();
                let keys = keyed.then_some(Keys { count, columns: &key_params, row_key: &row_key });
                instance.process(call, input, batch, keys).await
            }
            CallOf::End => instance.end(call).await,
        };
        let outcome = match call {
            Some(call) => self.settle(call, outcome, rows, cx),
            None => outcome,
        };
        self.call_keys.row_key = row_key;
        match &outcome {
            Ok(()) => self.keep(instance),
            Err(fault) => self.count(fault),
        }
        Ok(outcome)
    }

    /// Rows that were rejected become dead letters: those of a broadcast input once, as every task that is handed them rejects them.
    fn rejected(&self, dead: Dead, cx: &mut Context) {
        if self.task.index == 0 || !self.definition.inputs[dead.input].broadcast {
            cx.dead.push(dead);
        }
    }

    /// A call of which only what surrounds it is known.
    pub(super) fn call(&self, cx: &Context) -> Call {
        Call::new(Arc::clone(&self.plan), self.definition.limits, cx.clock.now(), cx.watermark.0)
    }

    /// Drops timers that are due, without a call.
    pub(super) fn forget(&mut self, of: CallOf, timers: &Batch, cx: &mut Context) {
        let key = self.key_of(of);
        let keyed = self.resolve(&key, timers, cx);
        // Taking timers away breaks no limit.
        let _: Result<(), Fault> = self.settle(Call { of, keyed, ..self.call(cx) }, Ok(()), timers, cx);
    }

    /// The key's columns, as they stand in what is handed over.
    pub(super) fn key_of(&self, of: CallOf) -> Vec<usize> {
        match of {
            CallOf::Rows(input) => self.keys[input].clone(),
            CallOf::Timers(..) => (0..self.key_schema.fields().len()).collect(),
            CallOf::End => Vec::new(),
        }
    }

    /// Finds the rows' keys, where they have one, and borrows the state for the call. States that are the task's own go by a key of their own, which
    /// stands behind the others'.
    pub(super) fn resolve(&mut self, key: &[usize], rows: &Batch, cx: &mut Context) -> Option<Keyed> {
        let has_own = self.plan.declaration.states.iter().any(StateNeed::is_of_task);
        let mut state = if key.is_empty() && !has_own { None } else { cx.state.take() }?;
        let columns: Vec<ArrayRef> = key.iter().map(|&column| Arc::clone(rows.rows.column(column))).collect();
        self.encoded.clear();
        if !key.is_empty() {
            self.encoded.encode(&columns);
        }
        let mut keys = mem::take(&mut self.call_keys);
        let mut of_task = CallKeys::default();
        match &rows.hashes {
            Some(hashes) if !has_own => state.resolve(&self.encoded, hashes, &mut keys),
            _ => {
                if has_own {
                    self.encoded.push(NO_KEY);
                }
                state.resolve(&self.encoded, &self.encoded.hashes(), &mut keys);
            }
        }
        if has_own {
            keys.row_key.pop();
            keys.first_row.pop();
            of_task = CallKeys { row_key: vec![0], first_row: vec![0], places: keys.places.pop().into_iter().collect() };
        }
        self.call_keys.row_key = mem::take(&mut keys.row_key);
        let (staged, staged_of_task) = Default::default();
        Some(Keyed { keys, state, writes: Vec::new(), staged, of_task, staged_of_task, written_bytes: 0 })
    }

    fn call_keys_rows(&mut self, keyed: bool) -> Vec<u32> {
        let rows = mem::take(&mut self.call_keys.row_key);
        if keyed { rows } else { Vec::new() }
    }

    fn key_columns(&self, key: &[usize], rows: &Batch, keyed: Option<&Keyed>) -> Vec<ArrayRef> {
        let Some(keyed) = keyed.filter(|_| self.plan.wants_key_columns && !key.is_empty()) else { return Vec::new() };
        let first = UInt32Array::from(keyed.keys.first_row.clone());
        #[expect(
            clippy::expect_used,
            reason = "the first rows lie within the batch; another is a bug that must not pass silently"
        )]
        let of = |&column: &usize| take(rows.rows.column(column), &first, None).expect("first rows are rows");
        key.iter().map(of).collect()
    }

    /// The event times of rows that come of no row in particular, where rows have event times.
    fn times(&mut self, of: CallOf, rows: &Batch, row_key: &[u32], keys: usize, cx: &Context) -> Option<OtherTimes> {
        match of {
            CallOf::Timers(TimeDomain::ProcessingTime, _) if !self.definition.timed => None,
            CallOf::Timers(TimeDomain::ProcessingTime, moment) => {
                // A row that no one behind finds late: what has not been said to have passed yet.
                let time = match (cx.watermark, self.latest) {
                    (Watermark::NONE, i64::MIN) => moment,
                    (Watermark::NONE, latest) => latest,
                    (watermark, _) => watermark.0.saturating_add(1),
                };
                Some(OtherTimes { of_keys: vec![time; keys], latest: time })
            }
            CallOf::Rows(_) | CallOf::Timers(TimeDomain::EventTime, _) | CallOf::End => {
                let times = other_times(rows.times.as_deref()?, row_key, keys);
                if matches!(of, CallOf::Rows(_)) {
                    self.latest = self.latest.max(times.latest);
                }
                Some(times)
            }
        }
    }

    /// Keeps, or drops, what a call has staged; whether it has happened.
    pub(super) fn settle(&mut self, call: Call, outcome: Result<(), Fault>, rows: &Batch, cx: &mut Context) -> Result<(), Fault> {
        let Call { of, keyed, timers, .. } = call;
        let mut outcome = outcome;
        if let Some(Keyed { keys, mut state, mut writes, staged: items, of_task, staged_of_task, .. }) = keyed {
            let staged = outcome.and_then(|()| {
                let fired = match of {
                    CallOf::Timers(domain, moment) => {
                        Some(Fired { domain, at: rows.times.as_deref().unwrap_or_default(), moment })
                    }
                    CallOf::Rows(_) | CallOf::End => None,
                };
                let of_domain = |all: &Timers| all.stage(&timers, fired, &keys, &self.encoded, state.as_ref());
                self.timers.iter().map(of_domain).collect::<Result<Vec<Option<Staged>>, Fault>>()
            });
            outcome = staged.map(|staged| {
                for (timers, staged) in self.timers.iter_mut().zip(staged).filter_map(|(timers, staged)| Some((timers, staged?)))
                {
                    timers.apply(&staged, &keys, &self.encoded);
                    writes.push(staged.into_write());
                }
                let items = items.into_writes();
                let written = Written { values: &writes, items: &items };
                self.expiring.iter_mut().for_each(|expiry| expiry.note(written, &keys, &self.encoded, state.as_ref()));
                state.apply(&keys, &writes);
                state.apply_items(&keys, &items);
                state.apply_items(&of_task, &staged_of_task.into_writes());
            });
            state.finish(&keys);
            cx.state = Some(state);
            self.call_keys = keys;
        }
        outcome?;
        self.staged = call.emitted_bytes;
        cx.emitted.extend(call.emitted);
        if let (CallOf::Rows(input), false) = (of, call.rejected.is_empty()) {
            let (dead, reasons): (Vec<u32>, Vec<String>) = call.rejected.into_iter().unzip();
            self.rejected(Dead { input, rows: rows.take(&UInt32Array::from(dead)), reasons, kind: Kind::Rejected }, cx);
        }
        for (name, add) in call.counters {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            self.metric(name, |value| value + add as f64);
        }
        for (name, value) in call.gauges {
            self.metric(name, |_| value);
        }
        Ok(())
    }
}

/// The event times of output rows that don't come from one row.
fn other_times(times: &[i64], row_key: &[u32], keys: usize) -> OtherTimes {
    let mut of_keys = vec![i64::MIN; keys];
    for (&time, &key) in times.iter().zip(row_key) {
        let latest = &mut of_keys[key as usize];
        *latest = time.max(*latest);
    }
    OtherTimes { of_keys, latest: times.iter().copied().max().unwrap_or(i64::MIN) }
}
