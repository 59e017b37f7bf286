//! A plugin as an operator: calls, what becomes of calls that fail, and instances that come and go.

mod attempt;
mod migrate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef};
use chrono::{DateTime, SecondsFormat};
use wasmill_connector::json::row_object;
use wasmill_flow::dead_letter::Kind;
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Batch, TaskIndex, Watermark};
use wasmill_operator::{Context, Dead, Due, Firing, Operator, OperatorError, PluginCounts, Step};
use wasmill_state::CallKeys;

use crate::bindings::StreamOperator;
use crate::bindings::exports::wasmill::plugin::operator::Instance as WitInstance;
use crate::bindings::wasmill::plugin::plan::TimeDomain;
use crate::compiled::Component;
use crate::declaration::{InputShape, Plan, Taken};
use crate::expiry::Expiry;
use crate::fault::{Fault, FaultKind};
use crate::imports::call::{Call, CallOf, OtherTimes};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log_lines::LogLines;
use crate::migration::Migration;
use crate::poison::{Failures, Next, Part};
use crate::timers::Timers;

/// What becomes of rows that make a plugin trap or break a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPoison {
    /// The job fails.
    Halt,
    /// They become dead letters.
    DeadLetter,
    /// They are dropped and counted.
    Skip,
}

/// What an operator's tasks have in common.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The operator's name in the job.
    pub operator: String,
    /// The component.
    pub component: Component,
    /// Its settings, as JSON.
    pub settings: String,
    /// Its inputs as the plugin was told of them.
    pub inputs: Vec<InputShape>,
    /// What it answered.
    pub plan: Plan,
    /// For each input, indices of the columns that the operator is handed; `None` for all.
    pub handed: Vec<Option<Vec<usize>>>,
    /// Its limits.
    pub limits: Limits,
    /// What becomes of poison.
    pub on_poison: OnPoison,
    /// The most timers that are handed over in a call.
    pub batch_rows: usize,
    /// Whether its rows have event times.
    pub timed: bool,
}

/// One task's plugin.
pub struct PluginOperator {
    definition: Arc<Definition>,
    /// The plan with columns counted among those that are handed over.
    plan: Arc<Plan>,
    /// The key's columns of each input, counted likewise.
    keys: Vec<Vec<usize>>,
    task: TaskIndex,
    log: Arc<LogLines>,
    instance: Option<Instance<StreamOperator>>,
    failures: Failures,
    counts: PluginCounts,
    /// Bytes that the last call staged.
    staged: u64,
    metrics: BTreeMap<String, f64>,
    encoded: EncodedKeys,
    call_keys: CallKeys,
    /// The timers of each domain that the plan wants.
    timers: Vec<Timers>,
    /// The states whose values are forgotten.
    expiring: Vec<Expiry>,
    /// State of other versions, until it is the plugin's own.
    migration: Migration,
    /// A key's columns, named as those of the first input that has one.
    key_schema: SchemaRef,
    /// The latest event time of the rows so far.
    latest: i64,
}

impl Definition {
    /// A new instance, opened. An error stops the job.
    async fn open(&self, task: TaskIndex, log: Arc<LogLines>) -> Result<Instance<StreamOperator>, OperatorError> {
        let stopped = |fault: Fault| self.error(&fault, " while it was opened", None);
        let world = self.component.operator().map_err(|error| stopped(Fault::contract(error.message)))?;
        let mut instance = Instance::<StreamOperator>::start(&self.component, world, &self.limits, log).await.map_err(stopped)?;
        let task = WitInstance { task: task.index, parallelism: task.of };
        instance.open(&self.settings, &self.inputs, task).await.map_err(stopped)?;
        Ok(instance)
    }

    fn error(&self, fault: &Fault, more: &str, row: Option<String>) -> OperatorError {
        let of = format!("operator `{}` (plugin {})", self.operator, self.component.name);
        fault.stops(&of, more, row, poison_hint(self.on_poison))
    }
}

impl PluginOperator {
    /// The operator of one task. No instance is made before the first rows come.
    #[must_use]
    pub fn new(definition: Definition, task: TaskIndex) -> Self {
        let plan = Arc::new(handed_plan(&definition.plan, &definition.handed));
        let domains = [(TimeDomain::EventTime, plan.event_timers), (TimeDomain::ProcessingTime, plan.processing_timers)];
        let timers = domains.into_iter().filter_map(|(domain, state)| Some(Timers::new(domain, state?))).collect();
        let states = &plan.declaration.states;
        let expiring = plan.expiring.iter().map(|&(state, domain)| Expiry::new(domain, state, &states[state])).collect();
        let keyed = definition.inputs.iter().find(|input| !input.key.is_empty());
        let key_fields: Vec<FieldRef> =
            keyed.iter().flat_map(|input| input.key.iter().map(|&column| Arc::clone(&input.schema.fields()[column]))).collect();
        let keys = definition
            .inputs
            .iter()
            .zip(&definition.handed)
            .map(|(input, handed)| input.key.iter().map(|&column| position(handed.as_deref(), column)).collect())
            .collect();
        Self {
            plan,
            keys,
            task,
            log: Arc::new(LogLines::new(&definition.operator, task.index, definition.limits.log_rate)),
            instance: None,
            failures: Failures::none(Instant::now()),
            counts: PluginCounts::default(),
            staged: 0,
            metrics: BTreeMap::new(),
            encoded: EncodedKeys::default(),
            call_keys: CallKeys::default(),
            timers,
            expiring,
            migration: Migration::default(),
            key_schema: Arc::new(Schema::new(key_fields)),
            latest: i64::MIN,
            definition: Arc::new(definition),
        }
    }

    /// Hands over rows, or timers, in as many calls as it takes.
    async fn hand_over(&mut self, of: CallOf, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        self.failures.new_batch();
        self.migrate_for(of, &batch, cx).await?;
        let all = batch.len();
        let mut parts = vec![Part::whole(all)];
        while let Some(mut part) = parts.pop() {
            let rows = if part.rows == all { batch.clone() } else { batch.slice(part.start, part.rows) };
            let Err(fault) = self.attempt(of, &rows, cx).await? else { continue };
            part.failed += 1;
            let whole = part.rows == all;
            match self.failures.next(fault.kind, part.rows, part.failed, whole, Instant::now()) {
                Next::Again(pause) => {
                    self.counts.retries += 1;
                    tokio::time::sleep(pause).await;
                    parts.push(part);
                }
                Next::Halve => parts.extend(part.halves()),
                Next::Poison => self.poison(of, rows, &fault, cx)?,
                Next::Halt(reason) => return Err(self.halt(of, &fault, reason.as_deref(), &rows)),
            }
        }
        Ok(())
    }

    /// Changes one of the author's figures; names over the first hundred are not kept.
    fn metric(&mut self, name: String, change: impl FnOnce(f64) -> f64) {
        if self.metrics.len() < 100 || self.metrics.contains_key(&name) {
            let value = self.metrics.entry(name).or_insert(0.0);
            *value = change(*value);
        }
    }

    async fn open(&mut self) -> Result<Instance<StreamOperator>, OperatorError> {
        self.counts.instances += 1;
        // The future must not hold `self`: an instance is `Send`, but not `Sync`.
        let (definition, task, log) = (Arc::clone(&self.definition), self.task, Arc::clone(&self.log));
        definition.open(task, log).await
    }

    /// Keeps an instance for the next call, unless its memory has grown near its limit: some languages' runtimes leak.
    fn keep(&mut self, instance: Instance<StreamOperator>) {
        if instance.memory() <= self.definition.limits.memory / 4 * 3 {
            self.instance = Some(instance);
        }
    }

    fn count(&mut self, fault: &Fault) {
        if matches!(fault.kind, FaultKind::Trap | FaultKind::Limit) {
            self.counts.traps += 1;
        }
    }

    fn poison(&mut self, of: CallOf, rows: Batch, fault: &Fault, cx: &mut Context) -> Result<(), OperatorError> {
        if self.definition.on_poison == OnPoison::Halt {
            return Err(self.halt(of, fault, None, &rows));
        }
        if let CallOf::Rows(input) = of
            && self.definition.inputs[input].broadcast
            && self.task.of > 1
        {
            let reason = "a row of a broadcast input that only some tasks can do without: their maps would differ";
            return Err(self.halt(of, fault, Some(reason), &rows));
        }
        if let CallOf::Timers(..) = of {
            self.forget(of, &rows, cx);
        }
        if self.definition.on_poison == OnPoison::Skip {
            self.counts.skipped += rows.len() as u64;
            return Ok(());
        }
        let (input, kind) = match of {
            CallOf::Timers(..) => (self.first_keyed(), Kind::Timer),
            CallOf::Rows(input) => (input, if fault.kind == FaultKind::Limit { Kind::Limit } else { Kind::Trap }),
            CallOf::End => return Err(self.halt(of, fault, None, &rows)),
        };
        cx.dead.push(Dead { input, reasons: vec![fault.message.clone(); rows.len()], rows, kind });
        Ok(())
    }

    fn halt(&self, of: CallOf, fault: &Fault, reason: Option<&str>, rows: &Batch) -> OperatorError {
        let one = (rows.len() == 1).then(|| row_object(&rows.rows, 0));
        let reason = reason.map_or_else(String::new, |reason| format!("; {reason}"));
        match (of, one, rows.times.as_deref()) {
            (CallOf::Timers(..), Some(key), Some([at])) => {
                self.definition.error(fault, &format!(" on the timer of key {key} at {}{reason}", moment(*at)), None)
            }
            (CallOf::Timers(..), ..) => self.definition.error(fault, &format!(" on {} timers{reason}", rows.len()), None),
            (CallOf::Rows(_) | CallOf::End, one, _) => self.definition.error(fault, &reason, one),
        }
    }

    /// Hands over some of the timers that are due.
    async fn fire(&mut self, domain: TimeDomain, moment: i64, cx: &mut Context) -> Result<Due, OperatorError> {
        let Some(timers) = self.timers.iter_mut().find(|timers| timers.domain == domain) else {
            return Ok(self.forget_values(domain, moment, cx));
        };
        let due = timers.due(moment, self.definition.batch_rows);
        if due.is_empty() {
            drop(due);
            timers.moved_on();
            return Ok(self.forget_values(domain, moment, cx));
        }
        let mut keys = EncodedKeys::default();
        due.iter().for_each(|(_, key)| keys.push(key));
        let at: Vec<i64> = due.iter().map(|(at, _)| *at).collect();
        let types: Vec<DataType> = self.key_schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let columns = keys.decode(&types).ok_or_else(|| self.damaged("a key can't be read".to_owned()))?;
        let rows =
            RecordBatch::try_new(Arc::clone(&self.key_schema), columns).map_err(|error| self.damaged(error.to_string()))?;
        self.hand_over(CallOf::Timers(domain, moment), Batch::unkeyed(rows).at(Some(at.into())), cx).await?;
        Ok(Due::More)
    }

    /// Forgets some of the values whose moments have come.
    fn forget_values(&mut self, domain: TimeDomain, moment: i64, cx: &mut Context) -> Due {
        let Some(state) = &mut cx.state else { return Due::Done };
        let of_domain = self.expiring.iter_mut().filter(|expiry| expiry.domain == domain);
        let more = of_domain.fold(false, |more, expiry| more | expiry.forget(moment, self.definition.batch_rows, state.as_mut()));
        if more { Due::More } else { Due::Done }
    }

    fn damaged(&self, what: String) -> OperatorError {
        let message = format!("operator `{}`: its state is damaged: {what}", self.definition.operator);
        OperatorError { code: "internal-timers", message, row: None, hint: Some("this is a bug of Wasmill".to_owned()) }
    }

    /// The first input that has a key: timers' keys are named as its are.
    fn first_keyed(&self) -> usize {
        self.keys.iter().position(|key| !key.is_empty()).unwrap_or(0)
    }

    async fn finish(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        if let Some(state) = &mut cx.state {
            self.timers.iter_mut().for_each(|timers| timers.drop_all(state.as_mut()));
        }
        if !self.plan.wants_end {
            return Ok(());
        }
        let none = Batch::unkeyed(RecordBatch::new_empty(Arc::new(Schema::empty())));
        self.migrate_for(CallOf::End, &none, cx).await?;
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.open().await?,
        };
        let at_end = || OtherTimes { of_keys: Vec::new(), latest: Watermark::END.0 };
        let times = (cx.watermark == Watermark::END).then(at_end);
        let call = Call { times, keyed: self.resolve(&[], &none, cx), ..self.call(cx) };
        let (outcome, call) = instance.end(call).await;
        let outcome = match call {
            Some(call) => self.settle(call, outcome, &none, cx),
            None => outcome,
        };
        outcome.map_err(|fault| self.definition.error(&fault, " at the end of input", None))
    }
}

impl Operator for PluginOperator {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move {
            self.hand_over(CallOf::Rows(input), batch, cx).await?;
            self.migrate_some(cx).await
        })
    }

    fn restored(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let Some(state) = &cx.state else { return Ok(()) };
        let expires = |state| self.plan.expiring.iter().any(|(expiring, _)| *expiring == state);
        self.migration = Migration::of(state.as_ref(), self.plan.declaration.states.len(), expires);
        let restored = self.timers.iter_mut().try_for_each(|timers| timers.restore(state.as_ref()));
        let restored = restored.and_then(|()| self.expiring.iter_mut().try_for_each(|expiry| expiry.restore(state.as_ref())));
        restored.map_err(|what| self.damaged(what))
    }

    fn watermark<'a>(&'a mut self, watermark: Watermark, cx: &'a mut Context) -> Firing<'a> {
        Box::pin(self.fire(TimeDomain::EventTime, watermark.0, cx))
    }

    fn wakes_at(&self) -> Option<i64> {
        if !self.migration.is_done() {
            return Some(i64::MIN);
        }
        let timers = self.timers.iter().filter(|timers| timers.domain == TimeDomain::ProcessingTime).map(Timers::first);
        let values = self.expiring.iter().filter(|expiry| expiry.domain == TimeDomain::ProcessingTime).map(Expiry::first);
        timers.chain(values).flatten().min()
    }

    fn clock<'a>(&'a mut self, now: i64, cx: &'a mut Context) -> Firing<'a> {
        // A timer may always set the next for a moment that has passed: rows have their turn before it.
        Box::pin(async move {
            self.migrate_some(cx).await?;
            self.fire(TimeDomain::ProcessingTime, now, cx).await.map(|_| Due::Done)
        })
    }

    fn end<'a>(&'a mut self, cx: &'a mut Context) -> Step<'a> {
        Box::pin(self.finish(cx))
    }

    fn idle(&mut self) {
        self.instance = None;
    }

    fn plugin_counts(&self) -> PluginCounts {
        let instance = self.instance.as_ref().map_or(0, Instance::memory) as u64;
        let queues = self.timers.iter().map(Timers::bytes).chain(self.expiring.iter().map(Expiry::bytes)).sum::<usize>() as u64
            + self.migration.bytes() as u64;
        let timers_dropped = self.timers.iter().map(|timers| timers.dropped).sum();
        PluginCounts { memory: instance + self.staged + queues, timers_dropped, ..self.counts }
    }

    fn author_metrics(&self) -> BTreeMap<String, f64> {
        self.metrics.clone()
    }
}

/// A moment, as people write it.
fn moment(at: i64) -> String {
    DateTime::from_timestamp_millis(at).map_or_else(|| format!("{at} ms"), |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn poison_hint(on_poison: OnPoison) -> String {
    match on_poison {
        OnPoison::Halt => "mend the plugin, or set `on-poison: dead-letter` (or `skip`) to go on without such rows".to_owned(),
        OnPoison::DeadLetter | OnPoison::Skip => "mend the plugin: too many of its calls fail".to_owned(),
    }
}

/// The plan with the columns of inputs counted among those that are handed over.
fn handed_plan(plan: &Plan, handed: &[Option<Vec<usize>>]) -> Plan {
    let mut plan = plan.clone();
    for (reads, handed) in plan.reads.iter_mut().zip(handed) {
        reads.iter_mut().for_each(|column| *column = position(handed.as_deref(), *column));
    }
    for port in &mut plan.ports {
        if let Taken::Input { input, columns } = &mut port.takes {
            columns.iter_mut().for_each(|column| *column = position(handed[*input].as_deref(), *column));
        }
    }
    plan
}

/// The place of a column among those handed over.
fn position(handed: Option<&[usize]>, column: usize) -> usize {
    #[expect(
        clippy::expect_used,
        reason = "what is handed over is made from the same plan; a gap is a bug that must not pass silently"
    )]
    handed.map_or(column, |handed| {
        handed.iter().position(|&each| each == column).expect("every column that is read is handed over")
    })
}
