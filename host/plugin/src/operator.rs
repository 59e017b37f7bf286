//! A plugin as an operator: calls, what becomes of calls that fail, and instances that come and go.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arrow_array::{ArrayRef, UInt32Array};
use arrow_select::take::take;
use wasmill_connector::json::row_object;
use wasmill_flow::dead_letter::Kind;
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Batch, TaskIndex, Watermark};
use wasmill_operator::{Context, Dead, Operator, OperatorError, PluginCounts, Step};
use wasmill_state::CallKeys;

use crate::bindings::StreamOperator;
use crate::bindings::exports::wasmill::plugin::operator::{Batch as WitBatch, Instance as WitInstance, Keys};
use crate::columns_in::ColumnsIn;
use crate::compiled::Component;
use crate::declaration::{InputShape, Plan, Taken};
use crate::fault::{Fault, FaultKind};
use crate::imports::call::{Call, Keyed, OtherTimes};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log_lines::LogLines;
use crate::poison::{Failures, Next, Part};

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
            definition: Arc::new(definition),
        }
    }

    async fn batch(&mut self, input: usize, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        self.failures.new_batch();
        let all = batch.len();
        let mut parts = vec![Part::whole(all)];
        while let Some(mut part) = parts.pop() {
            let rows = if part.rows == all { batch.clone() } else { batch.slice(part.start, part.rows) };
            let Err(fault) = self.attempt(input, &rows, cx).await? else { continue };
            part.failed += 1;
            let whole = part.rows == all;
            match self.failures.next(fault.kind, part.rows, part.failed, whole, Instant::now()) {
                Next::Again(pause) => {
                    self.counts.retries += 1;
                    tokio::time::sleep(pause).await;
                    parts.push(part);
                }
                Next::Halve => parts.extend(part.halves()),
                Next::Poison => self.poison(input, rows, &fault, cx)?,
                Next::Halt(reason) => return Err(self.halt(&fault, reason.as_deref(), &rows)),
            }
        }
        Ok(())
    }

    /// One call. `Ok(Err(_))` is a call that failed and of which nothing is left.
    async fn attempt(&mut self, input: usize, rows: &Batch, cx: &mut Context) -> Result<Result<(), Fault>, OperatorError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.open().await?,
        };
        let keyed = self.resolve(input, rows, cx);
        let row_key = self.call_keys_rows(keyed.is_some());
        let reads = ColumnsIn::hold(self.plan.reads[input].iter().map(|&column| rows.rows.column(column)));
        let key_columns = ColumnsIn::hold(self.key_columns(input, rows, keyed.as_ref()).iter());
        let (read_params, key_params) = (reads.params(), key_columns.params());
        #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer than 2^32 rows")]
        let (count, batch) = (
            keyed.as_ref().map_or(0, |keyed| keyed.keys.count() as u32),
            WitBatch { rows: rows.len() as u32, columns: &read_params },
        );
        let keys = keyed.is_some().then_some(Keys { count, columns: &key_params, row_key: &row_key });
        let call = Call {
            input,
            batch: Some(rows.clone()),
            key: self.keys[input].clone(),
            keyed,
            times: rows.times.as_deref().map(|times| other_times(times, &row_key, count as usize)),
            ..Call::new(Arc::clone(&self.plan), self.definition.limits, now())
        };
        #[expect(clippy::cast_possible_truncation, reason = "an operator has few inputs")]
        let (outcome, call) = instance.process(call, input as u32, batch, keys).await;
        if let Some(call) = call {
            self.settle(call, outcome.is_ok(), input, rows, cx);
        }
        self.call_keys.row_key = row_key;
        match &outcome {
            Ok(()) => self.keep(instance),
            Err(fault) => self.count(fault),
        }
        Ok(outcome)
    }

    /// Finds the rows' keys, where the input is keyed, and borrows the state for the call.
    fn resolve(&mut self, input: usize, rows: &Batch, cx: &mut Context) -> Option<Keyed> {
        let mut state = if self.keys[input].is_empty() { None } else { cx.state.take() }?;
        let columns: Vec<ArrayRef> = self.keys[input].iter().map(|&column| Arc::clone(rows.rows.column(column))).collect();
        self.encoded.encode(&columns);
        let mut keys = mem::take(&mut self.call_keys);
        match &rows.hashes {
            Some(hashes) => state.resolve(&self.encoded, hashes, &mut keys),
            None => state.resolve(&self.encoded, &self.encoded.hashes(), &mut keys),
        }
        self.call_keys.row_key = mem::take(&mut keys.row_key);
        Some(Keyed { keys, state, writes: Vec::new(), written_bytes: 0 })
    }

    fn call_keys_rows(&mut self, keyed: bool) -> Vec<u32> {
        let rows = mem::take(&mut self.call_keys.row_key);
        if keyed { rows } else { Vec::new() }
    }

    fn key_columns(&self, input: usize, rows: &Batch, keyed: Option<&Keyed>) -> Vec<ArrayRef> {
        let Some(keyed) = keyed.filter(|_| self.plan.wants_key_columns) else { return Vec::new() };
        let first = UInt32Array::from(keyed.keys.first_row.clone());
        #[expect(
            clippy::expect_used,
            reason = "the first rows lie within the batch; another is a bug that must not pass silently"
        )]
        let of = |&column: &usize| take(rows.rows.column(column), &first, None).expect("first rows are rows");
        self.keys[input].iter().map(of).collect()
    }

    /// Keeps, or drops, what a call has staged.
    fn settle(&mut self, call: Call, happened: bool, input: usize, rows: &Batch, cx: &mut Context) {
        if let Some(Keyed { keys, mut state, writes, .. }) = call.keyed {
            if happened {
                state.apply(&keys, &writes);
            }
            state.finish(&keys);
            cx.state = Some(state);
            self.call_keys = keys;
        }
        if !happened {
            return;
        }
        self.staged = call.emitted_bytes;
        cx.emitted.extend(call.emitted);
        if !call.rejected.is_empty() {
            let (dead, reasons): (Vec<u32>, Vec<String>) = call.rejected.into_iter().unzip();
            cx.dead.push(Dead { input, rows: rows.take(&UInt32Array::from(dead)), reasons, kind: Kind::Rejected });
        }
        for (name, add) in call.counters {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            self.metric(name, |value| value + add as f64);
        }
        for (name, value) in call.gauges {
            self.metric(name, |_| value);
        }
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

    fn poison(&mut self, input: usize, rows: Batch, fault: &Fault, cx: &mut Context) -> Result<(), OperatorError> {
        match self.definition.on_poison {
            OnPoison::Halt => return Err(self.halt(fault, None, &rows)),
            OnPoison::DeadLetter => {
                let kind = if fault.kind == FaultKind::Limit { Kind::Limit } else { Kind::Trap };
                cx.dead.push(Dead { input, reasons: vec![fault.message.clone(); rows.len()], rows, kind });
            }
            OnPoison::Skip => self.counts.skipped += rows.len() as u64,
        }
        Ok(())
    }

    fn halt(&self, fault: &Fault, reason: Option<&str>, rows: &Batch) -> OperatorError {
        let row = (rows.len() == 1).then(|| row_object(&rows.rows, 0));
        let reason = reason.map_or_else(String::new, |reason| format!("; {reason}"));
        self.definition.error(fault, &reason, row)
    }

    async fn finish(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        if !self.plan.wants_end {
            return Ok(());
        }
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.open().await?,
        };
        let at_end = || OtherTimes { of_keys: Vec::new(), latest: Watermark::END.0 };
        let times = (cx.watermark == Watermark::END).then(at_end);
        let call = Call { times, ..Call::new(Arc::clone(&self.plan), self.definition.limits, now()) };
        let (outcome, call) = instance.end(call).await;
        outcome.map_err(|fault| self.definition.error(&fault, " at the end of input", None))?;
        if let Some(call) = call {
            cx.emitted.extend(call.emitted);
        }
        Ok(())
    }
}

impl Operator for PluginOperator {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(self.batch(input, batch, cx))
    }

    fn end<'a>(&'a mut self, cx: &'a mut Context) -> Step<'a> {
        Box::pin(self.finish(cx))
    }

    fn idle(&mut self) {
        self.instance = None;
    }

    fn plugin_counts(&self) -> PluginCounts {
        let instance = self.instance.as_ref().map_or(0, Instance::memory) as u64;
        PluginCounts { memory: instance + self.staged, ..self.counts }
    }

    fn author_metrics(&self) -> BTreeMap<String, f64> {
        self.metrics.clone()
    }
}

fn poison_hint(on_poison: OnPoison) -> String {
    match on_poison {
        OnPoison::Halt => "mend the plugin, or set `on-poison: dead-letter` (or `skip`) to go on without such rows".to_owned(),
        OnPoison::DeadLetter | OnPoison::Skip => "mend the plugin: too many of its calls fail".to_owned(),
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

/// The host's clock, in milliseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
