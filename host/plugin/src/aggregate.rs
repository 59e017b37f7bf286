//! A plugin as an aggregate: calls, what becomes of calls that fail, and instances that come and go.

mod calls;
mod declaration;

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{Array, ArrayRef, RecordBatch, new_empty_array, new_null_array};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use wasmill_connector::json::row_object;
use wasmill_flow::TaskIndex;
use wasmill_operator::{ForeignAggregate, Held, OperatorError, PluginCounts};

use crate::bindings::aggregate_function::AggregateFunction;
use crate::compiled::Component;
use crate::fault::{Fault, FaultKind};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log_lines::LogLines;
use crate::poison::{Failures, Next, Part};

pub use declaration::AggregatePlan;

/// What an aggregate's tasks have in common.
#[derive(Debug, Clone)]
pub struct AggregateDefinition {
    /// The operator's name in the job.
    pub operator: String,
    /// The column that it computes.
    pub column: String,
    /// The component.
    pub component: Component,
    /// Its settings, as JSON.
    pub settings: String,
    /// The columns that it is over.
    pub arguments: SchemaRef,
    /// What it answered.
    pub plan: AggregatePlan,
    /// Its limits.
    pub limits: Limits,
}

/// One task's aggregate.
pub struct PluginAggregate {
    definition: Arc<AggregateDefinition>,
    log: Arc<LogLines>,
    instance: Option<Instance<AggregateFunction>>,
    failures: Failures,
    counts: PluginCounts,
}

/// What is asked of an aggregate, of as many rows or keys as there are.
enum Work<'a> {
    /// Rows into their keys' accumulators, with the values after each of them where they are wanted.
    Take { held: &'a mut Held, keys: &'a [u32], rows: &'a RecordBatch, wanted: bool },
    /// Rows back out of their keys' accumulators.
    Retract { held: &'a mut Held, keys: &'a [u32], rows: &'a RecordBatch },
    /// Others' accumulators of the same keys into these.
    Merge { held: &'a Held, others: &'a Held, merged: &'a mut Held },
    /// The value of each key's accumulator.
    Finish { held: &'a Held },
}

impl Work<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Take { rows, .. } | Self::Retract { rows, .. } => rows.num_rows(),
            Self::Finish { held } | Self::Merge { held, .. } => held.len(),
        }
    }

    /// One call with a part of them. One that fails has changed nothing.
    async fn call(
        &mut self,
        instance: &mut Instance<AggregateFunction>,
        part: &Part,
        definition: &AggregateDefinition,
    ) -> Result<Option<ArrayRef>, Fault> {
        let AggregateDefinition { plan: AggregatePlan { result, .. }, limits, .. } = definition;
        let of = part.start..part.start + part.rows;
        match self {
            Self::Take { held, keys, rows, wanted } => {
                let rows = rows.slice(part.start, part.rows);
                let done = instance.accumulate(held, &keys[of], &rows, wanted.then_some(result), limits).await?;
                **held = done.held;
                Ok(done.values)
            }
            Self::Retract { held, keys, rows } => {
                **held = instance.retract(held, &keys[of], &rows.slice(part.start, part.rows)).await?;
                Ok(None)
            }
            Self::Merge { held, others, merged } => {
                let done = instance.merge(&held.slice(of.clone()), &others.slice(of)).await?;
                (0..done.len()).for_each(|index| merged.push(done.get(index)));
                Ok(None)
            }
            Self::Finish { held } if of == (0..held.len()) => instance.finish(held, result, limits).await.map(Some),
            Self::Finish { held } => instance.finish(&held.slice(of), result, limits).await.map(Some),
        }
    }

    /// A row as people read it.
    fn row(&self, row: usize) -> Option<String> {
        match self {
            Self::Take { rows, .. } | Self::Retract { rows, .. } => Some(row_object(rows, row)),
            Self::Finish { .. } | Self::Merge { .. } => None,
        }
    }
}

impl AggregateDefinition {
    async fn open(&self, log: Arc<LogLines>) -> Result<Instance<AggregateFunction>, OperatorError> {
        let stopped = |fault: Fault| self.error(&fault, " while it was opened", None);
        let world = self.component.aggregate().map_err(|error| stopped(Fault::contract(error.message)))?;
        let mut instance =
            Instance::<AggregateFunction>::start(&self.component, world, &self.limits, log).await.map_err(stopped)?;
        instance.open(&self.settings, &self.arguments).await.map_err(stopped)?;
        Ok(instance)
    }

    fn error(&self, fault: &Fault, more: &str, row: Option<String>) -> OperatorError {
        let of = format!("operator `{}`, aggregate `{}` (plugin {})", self.operator, self.column, self.component.name);
        fault.stops(&of, more, row, "mend the plugin, or keep such rows away with a `filter` before it".to_owned())
    }
}

impl PluginAggregate {
    /// The aggregate of one task. No instance is made before the first rows come.
    #[must_use]
    pub fn new(definition: AggregateDefinition, task: TaskIndex) -> Self {
        Self {
            log: Arc::new(LogLines::new(&definition.operator, task.index, definition.limits.log_rate)),
            instance: None,
            failures: Failures::none(Instant::now()),
            counts: PluginCounts::default(),
            definition: Arc::new(definition),
        }
    }

    /// Does the work, in as few calls as can be: one, unless a call fails. Then it is made once more on a new instance, and then in
    /// halves, so that the row that can't be taken is known.
    async fn work(&mut self, mut work: Work<'_>) -> Result<Vec<ArrayRef>, OperatorError> {
        self.failures.new_batch();
        let definition = Arc::clone(&self.definition);
        let all = work.len();
        let mut values = Vec::new();
        let mut parts = vec![Part::whole(all)];
        while let Some(mut part) = parts.pop() {
            let mut instance = self.opened().await?;
            let fault = match work.call(&mut instance, &part, &definition).await {
                Ok(some) => {
                    values.extend(some);
                    self.keep(instance);
                    continue;
                }
                Err(fault) => fault,
            };
            self.counts.traps += u64::from(matches!(fault.kind, FaultKind::Trap | FaultKind::Limit));
            part.failed += 1;
            let why = match self.failures.next(fault.kind, part.rows, part.failed, part.rows == all, Instant::now()) {
                Next::Again(pause) => {
                    self.counts.retries += 1;
                    tokio::time::sleep(pause).await;
                    parts.push(part);
                    continue;
                }
                Next::Halve => {
                    parts.extend(part.halves());
                    continue;
                }
                Next::Poison => String::new(),
                Next::Halt(reason) => reason.map_or_else(String::new, |reason| format!("; {reason}")),
            };
            let row = if part.rows == 1 { work.row(part.start) } else { None };
            return Err(definition.error(&fault, &why, row));
        }
        Ok(values)
    }

    async fn opened(&mut self) -> Result<Instance<AggregateFunction>, OperatorError> {
        if let Some(instance) = self.instance.take() {
            return Ok(instance);
        }
        self.counts.instances += 1;
        // The future must not hold `self`: an instance is `Send`, but not `Sync`.
        let (definition, log) = (Arc::clone(&self.definition), Arc::clone(&self.log));
        definition.open(log).await
    }

    /// Keeps an instance for the next call, unless its memory has grown near its limit: some languages' runtimes leak.
    fn keep(&mut self, instance: Instance<AggregateFunction>) {
        if instance.memory() <= self.definition.limits.memory / 4 * 3 {
            self.instance = Some(instance);
        }
    }

    /// The parts of a column, one after the other.
    fn column(&self, parts: &[ArrayRef]) -> Result<ArrayRef, OperatorError> {
        match parts {
            [] => Ok(new_empty_array(self.definition.plan.result.data_type())),
            [only] => Ok(Arc::clone(only)),
            several => {
                let several: Vec<&dyn Array> = several.iter().map(AsRef::as_ref).collect();
                concat(&several).map_err(|error| self.bug(&error))
            }
        }
    }

    /// What the host itself has got wrong.
    fn bug(&self, error: &ArrowError) -> OperatorError {
        let message = format!("aggregate `{}`: {error}", self.definition.column);
        OperatorError { code: "internal", message, row: None, hint: Some("this is a bug of Wasmill".to_owned()) }
    }
}

impl ForeignAggregate for PluginAggregate {
    fn take<'a>(
        &'a mut self,
        held: &'a mut Held,
        keys: &'a [u32],
        arguments: Vec<ArrayRef>,
        wanted: bool,
    ) -> BoxFuture<'a, Result<ArrayRef, OperatorError>> {
        async move {
            let rows =
                RecordBatch::try_new(Arc::clone(&self.definition.arguments), arguments).map_err(|error| self.bug(&error))?;
            let values = self.work(Work::Take { held, keys, rows: &rows, wanted }).await?;
            if wanted { self.column(&values) } else { Ok(new_null_array(self.definition.plan.result.data_type(), keys.len())) }
        }
        .boxed()
    }

    fn finish<'a>(&'a mut self, held: &'a Held) -> BoxFuture<'a, Result<ArrayRef, OperatorError>> {
        async move {
            let values = self.work(Work::Finish { held }).await?;
            self.column(&values)
        }
        .boxed()
    }

    fn initial(&self) -> Option<&[u8]> {
        self.definition.plan.initial.as_deref()
    }

    fn merges(&self) -> bool {
        self.definition.plan.merges
    }

    fn merge<'a>(&'a mut self, held: &'a mut Held, others: &'a Held) -> BoxFuture<'a, Result<(), OperatorError>> {
        async move {
            let mut merged = Held::new(held.width);
            self.work(Work::Merge { held, others, merged: &mut merged }).await?;
            *held = merged;
            Ok(())
        }
        .boxed()
    }

    fn retracts(&self) -> bool {
        self.definition.plan.retracts
    }

    fn retract<'a>(
        &'a mut self,
        held: &'a mut Held,
        keys: &'a [u32],
        arguments: Vec<ArrayRef>,
    ) -> BoxFuture<'a, Result<(), OperatorError>> {
        async move {
            let rows =
                RecordBatch::try_new(Arc::clone(&self.definition.arguments), arguments).map_err(|error| self.bug(&error))?;
            self.work(Work::Retract { held, keys, rows: &rows }).await.map(|_| ())
        }
        .boxed()
    }

    fn idle(&mut self) {
        self.instance = None;
    }

    fn counts(&self) -> PluginCounts {
        PluginCounts { memory: self.instance.as_ref().map_or(0, Instance::memory) as u64, ..self.counts }
    }
}
