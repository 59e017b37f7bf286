//! One instance of a plugin: a store of its own, and calls within limits.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Store, UpdateDeadline};

use crate::bindings::aggregate_function::{AggregateFunction, AggregateFunctionPre};
use crate::bindings::exports::wasmill::plugin::operator::{Batch, Instance as WitInstance, Keys};
use crate::bindings::wasmill::plugin::data::{BinaryArrayParam, BinaryArrayResult};
use crate::bindings::wasmill::plugin::errors::Error as GuestError;
use crate::bindings::wasmill::plugin::plan::{Plan as WitPlan, TimeDomain};
use crate::bindings::window_function::{WindowFunction, WindowFunctionPre};
use crate::bindings::{StreamOperator, StreamOperatorPre};
use crate::compiled::Component;
use crate::declaration::{InputShape, WitInputs};
use crate::fault::Fault;
use crate::imports::call::Call;
use crate::limits::{HOST_CALL_BYTES, Limits, MemoryMeter, TICK};
use crate::log_lines::LogLines;

/// What an instance's store holds for the host functions.
pub(crate) struct HostState {
    pub memory: MemoryMeter,
    pub log: Arc<LogLines>,
    /// What the guest said of its panic, before it trapped.
    pub panic: Option<String>,
    /// What the call under way works with and leaves behind; none while no rows are processed.
    pub call: Option<Call>,
    /// Ticks that the call under way has been running for.
    ticks: u32,
    /// How many it may.
    budget: u32,
}

impl HostState {
    /// The CPU time that the call under way may take.
    pub fn cpu_budget(&self) -> Duration {
        TICK * self.budget
    }
}

/// Ticks that a CPU time stands for, at least one.
fn ticks(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u32::MAX).max(1)
}

/// A live instance of a component with these exports. After a call has failed it must be dropped.
pub(crate) struct Instance<Exports> {
    pub(crate) store: Store<HostState>,
    pub(crate) exports: Exports,
    per_call: u32,
    /// Those of a start, or of what goes on beside calls.
    per_start: u32,
}

/// A store with the limits of a start.
fn store(component: &Component, limits: &Limits, log: Arc<LogLines>) -> Store<HostState> {
    let state = HostState {
        memory: MemoryMeter::new(limits.memory),
        log,
        panic: None,
        call: None,
        ticks: 0,
        budget: ticks(limits.cpu_per_start),
    };
    let mut store = Store::new(component.sandbox.engine(), state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(HOST_CALL_BYTES);
    store.set_max_component_handles(1_000);
    store.epoch_deadline_callback(|mut store| {
        let state = store.data_mut();
        state.ticks += 1;
        Ok(if state.ticks > state.budget { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
    });
    store.set_epoch_deadline(1);
    store
}

impl<Exports> Instance<Exports> {
    fn started(store: Store<HostState>, exports: wasmtime::Result<Exports>, limits: &Limits) -> Result<Self, Fault> {
        let exports = exports.map_err(|error| Fault::thrown(&error, store.data()))?;
        Ok(Self { store, exports, per_call: ticks(limits.cpu_per_call), per_start: ticks(limits.cpu_per_start) })
    }

    /// The linear memory and tables it has, in bytes.
    pub fn memory(&self) -> usize {
        self.store.data().memory.used
    }

    /// Begins a call: it has the CPU time of one, and what it stages goes to `call`.
    pub fn begin(&mut self, call: Option<Call>) {
        let state = self.store.data_mut();
        state.call = call;
        state.ticks = 0;
        state.budget = self.per_call;
        self.store.set_epoch_deadline(1);
    }

    /// What a call has come to.
    pub fn outcome<T>(&self, answer: wasmtime::Result<Result<T, GuestError>>) -> Result<T, Fault> {
        match answer {
            Ok(answer) => answer.map_err(Fault::returned),
            Err(error) => Err(Fault::thrown(&error, self.store.data())),
        }
    }
}

impl Instance<AggregateFunction> {
    /// Instantiates an aggregate, within the limits of a start.
    pub async fn start(
        component: &Component,
        pre: &AggregateFunctionPre<HostState>,
        limits: &Limits,
        log: Arc<LogLines>,
    ) -> Result<Self, Fault> {
        let mut store = store(component, limits, log);
        let exports = pre.instantiate_async(&mut store).await;
        Self::started(store, exports, limits)
    }
}

impl Instance<WindowFunction> {
    /// Instantiates a window function, within the limits of a start.
    pub async fn start(
        component: &Component,
        pre: &WindowFunctionPre<HostState>,
        limits: &Limits,
        log: Arc<LogLines>,
    ) -> Result<Self, Fault> {
        let mut store = store(component, limits, log);
        let exports = pre.instantiate_async(&mut store).await;
        Self::started(store, exports, limits)
    }
}

impl Instance<StreamOperator> {
    /// Instantiates an operator, within the limits of a start.
    pub async fn start(
        component: &Component,
        pre: &StreamOperatorPre<HostState>,
        limits: &Limits,
        log: Arc<LogLines>,
    ) -> Result<Self, Fault> {
        let mut store = store(component, limits, log);
        let exports = pre.instantiate_async(&mut store).await;
        Self::started(store, exports, limits)
    }

    /// Asks what the plugin does with these settings and inputs. Within the limits of a start.
    pub async fn describe(&mut self, settings: &str, inputs: &[InputShape]) -> Result<WitPlan, Fault> {
        let held = WitInputs::hold(inputs);
        let guest = self.exports.wasmill_plugin_operator();
        let answer = guest.call_describe(&mut self.store, settings, &held.params()).await;
        self.outcome(answer)
    }

    /// Opens it, within the limits of a start.
    pub async fn open(&mut self, settings: &str, inputs: &[InputShape], instance: WitInstance) -> Result<(), Fault> {
        let held = WitInputs::hold(inputs);
        let guest = self.exports.wasmill_plugin_operator();
        let answer = guest.call_open(&mut self.store, settings, &held.params(), instance).await;
        self.outcome(answer)
    }

    /// Hands it some rows.
    pub async fn process(
        &mut self,
        call: Call,
        input: u32,
        rows: Batch<'_>,
        keys: Option<Keys<'_>>,
    ) -> (Result<(), Fault>, Option<Call>) {
        self.begin(Some(call));
        let guest = self.exports.wasmill_plugin_operator();
        let answer = guest.call_process(&mut self.store, input, rows, keys).await;
        (self.outcome(answer), self.store.data_mut().call.take())
    }

    /// Hands it timers that are due, one of each key.
    pub async fn timers(
        &mut self,
        call: Call,
        domain: TimeDomain,
        keys: Keys<'_>,
        at: &[i64],
    ) -> (Result<(), Fault>, Option<Call>) {
        self.begin(Some(call));
        let guest = self.exports.wasmill_plugin_operator();
        let answer = guest.call_on_timers(&mut self.store, domain, keys, at).await;
        (self.outcome(answer), self.store.data_mut().call.take())
    }

    /// Has it turn values of another version of a state into those of its own; `entries` are a map's.
    pub async fn migrate(
        &mut self,
        state: u32,
        from: u32,
        entries: Option<BinaryArrayParam<'_>>,
        values: BinaryArrayParam<'_>,
    ) -> Result<BinaryArrayResult, Fault> {
        self.begin(None);
        self.store.data_mut().budget = self.per_start;
        let guest = self.exports.wasmill_plugin_operator();
        let answer = guest.call_migrate_state(&mut self.store, state, from, entries, values).await;
        self.outcome(answer)
    }

    /// Tells it that there are no more rows.
    pub async fn end(&mut self, call: Call) -> (Result<(), Fault>, Option<Call>) {
        self.begin(Some(call));
        let guest = self.exports.wasmill_plugin_operator();
        let answer = guest.call_on_end(&mut self.store).await;
        (self.outcome(answer), self.store.data_mut().call.take())
    }
}
