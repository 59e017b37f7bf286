//! What one call of a guest works with and leaves behind. All of it is staged: the operator keeps it, or drops it, whole.

use std::sync::Arc;

use wasmill_flow::Batch;
use wasmill_operator::Emitted;
use wasmill_state::{CallKeys, KeyedState, StateWrite};

use crate::bindings::wasmill::plugin::plan::TimeDomain;
use crate::declaration::Plan;
use crate::fault::Refusal;
use crate::instance::HostState;
use crate::limits::{HOST_CALLS, Limits};
use crate::staged_items::StagedItems;
use crate::timers::TimerChange;

/// A call under way.
pub(crate) struct Call {
    /// What the operator does; indices of columns are those of `batch`.
    pub plan: Arc<Plan>,
    pub limits: Limits,
    /// What it is made for.
    pub of: CallOf,
    /// Its input is broadcast.
    pub broadcast: bool,
    /// Its rows, and indices of their key's columns; of timers the keys, a row for each; nothing at the end of input.
    pub batch: Option<Batch>,
    pub key: Vec<usize>,
    /// The keys of those rows, and their state, where the input is keyed.
    pub keyed: Option<Keyed>,
    /// The event times of rows that come of no row in particular, where rows have event times.
    pub times: Option<OtherTimes>,
    /// Processing time, in milliseconds.
    pub now: i64,
    /// How far event time has come.
    pub watermark: i64,

    pub emitted: Vec<Emitted>,
    pub emitted_rows: u64,
    pub emitted_bytes: u64,
    pub rejected: Vec<(u32, String)>,
    pub timers: Vec<TimerChange>,
    pub counters: Vec<(String, u64)>,
    pub gauges: Vec<(String, f64)>,
    pub host_calls: u32,
}

/// What a call is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallOf {
    /// Rows of an input.
    Rows(usize),
    /// Timers that are due at a moment.
    Timers(TimeDomain, i64),
    /// The end of input.
    End,
}

/// The event times of output rows that don't come from one row.
pub(crate) struct OtherTimes {
    /// For each key of the call the latest of its rows.
    pub of_keys: Vec<i64>,
    /// The latest of the call.
    pub latest: i64,
}

/// The keys of a call, none where its rows have none, and the task's state.
pub(crate) struct Keyed {
    pub keys: CallKeys,
    pub state: Box<dyn KeyedState>,
    pub writes: Vec<StateWrite>,
    pub staged: StagedItems,
    /// What stands for a key where a state is the task's own, and what is changed of it.
    pub of_task: CallKeys,
    pub staged_of_task: StagedItems,
    pub written_bytes: usize,
}

impl Call {
    /// A call without rows, as at the end of input.
    pub fn new(plan: Arc<Plan>, limits: Limits, now: i64, watermark: i64) -> Self {
        Self {
            plan,
            limits,
            of: CallOf::End,
            broadcast: false,
            batch: None,
            key: Vec::new(),
            keyed: None,
            times: None,
            now,
            watermark,
            emitted: Vec::new(),
            emitted_rows: 0,
            emitted_bytes: 0,
            rejected: Vec::new(),
            timers: Vec::new(),
            counters: Vec::new(),
            gauges: Vec::new(),
            host_calls: 0,
        }
    }

    /// The rows that it was given; the error says why there are none.
    pub fn rows(&self) -> Result<&Batch, String> {
        match (self.of, &self.batch) {
            (CallOf::Rows(_), Some(batch)) => Ok(batch),
            (CallOf::Timers(..), _) => Err("timers have no rows; rows come from their `keys`, or are `fresh`".to_owned()),
            (CallOf::End | CallOf::Rows(_), _) => {
                Err("there are no rows at the end of input; only `fresh` rows can be emitted".to_owned())
            }
        }
    }
}

impl HostState {
    /// The call under way, for a host function named `function`.
    pub(super) fn call(&mut self, function: &str) -> wasmtime::Result<&mut Call> {
        let Some(call) = &mut self.call else {
            return Err(Refusal::contract(format!("called {function} outside of process, on-timers and on-end")));
        };
        call.host_calls += 1;
        if call.host_calls > HOST_CALLS {
            return Err(Refusal::limit(format!("made more than {HOST_CALLS} host calls in one call")));
        }
        Ok(call)
    }
}
