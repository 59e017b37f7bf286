//! A plugin as a window function: calls, what becomes of calls that fail, and instances that come and go.

mod calls;
mod declaration;

use std::sync::Arc;
use std::time::Instant;

use arrow_array::UInt32Array;
use arrow_schema::SchemaRef;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use wasmill_connector::json::row_object;
use wasmill_flow::TaskIndex;
use wasmill_flow::dead_letter::Kind;
use wasmill_operator::window::{FiredWindows, ForeignWindow, Given};
use wasmill_operator::{OperatorError, PluginCounts};

use crate::bindings::window_function::WindowFunction;
use crate::compiled::Component;
use crate::fault::{Fault, FaultKind};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log_lines::LogLines;
use crate::operator::OnPoison;
use crate::poison::{Failures, Next, Part};

pub use declaration::WindowPlan;

/// What a window function's tasks have in common.
#[derive(Debug, Clone)]
pub struct WindowDefinition {
    /// The operator's name in the job.
    pub operator: String,
    /// The component.
    pub component: Component,
    /// Its settings, as JSON.
    pub settings: String,
    /// The columns of the rows that it was told of.
    pub rows: SchemaRef,
    /// What it answered.
    pub plan: WindowPlan,
    /// Its limits.
    pub limits: Limits,
    /// What becomes of windows that make it trap.
    pub on_poison: OnPoison,
}

/// One task's window function.
pub struct PluginWindow {
    definition: Arc<WindowDefinition>,
    log: Arc<LogLines>,
    instance: Option<Instance<WindowFunction>>,
    failures: Failures,
    counts: PluginCounts,
}

impl WindowDefinition {
    async fn open(&self, log: Arc<LogLines>) -> Result<Instance<WindowFunction>, OperatorError> {
        let stopped = |fault: Fault| self.error(&fault, " while it was opened", None);
        let world = self.component.window().map_err(|error| stopped(Fault::contract(error.message)))?;
        let mut instance = Instance::<WindowFunction>::start(&self.component, world, &self.limits, log).await.map_err(stopped)?;
        instance.open(&self.settings, &self.rows).await.map_err(stopped)?;
        Ok(instance)
    }

    fn error(&self, fault: &Fault, more: &str, window: Option<String>) -> OperatorError {
        let of = format!("operator `{}` (plugin {})", self.operator, self.component.name);
        let hint = match self.on_poison {
            OnPoison::Halt => "mend the plugin, or set `on-poison: dead-letter` (or `skip`) to go on without such windows",
            OnPoison::DeadLetter | OnPoison::Skip => "mend the plugin: too many of its calls fail",
        };
        fault.stops(&of, more, window, hint.to_owned())
    }
}

impl PluginWindow {
    /// The function of one task. No instance is made before the first result comes out.
    #[must_use]
    pub fn new(definition: WindowDefinition, task: TaskIndex) -> Self {
        Self {
            log: Arc::new(LogLines::new(&definition.operator, task.index, definition.limits.log_rate)),
            instance: None,
            failures: Failures::none(Instant::now()),
            counts: PluginCounts::default(),
            definition: Arc::new(definition),
        }
    }

    /// Hands over windows in as few calls as can be: one, unless a call fails. Then it is made once more on a new instance, and then in
    /// halves, so that the window that can't be taken is known.
    async fn hand_over(&mut self, windows: &FiredWindows) -> Result<Given, OperatorError> {
        self.failures.new_batch();
        let definition = Arc::clone(&self.definition);
        let all = windows.len();
        let mut given = Given::default();
        let mut parts = vec![Part::whole(all)];
        while let Some(mut part) = parts.pop() {
            let some = if part.rows == all { windows.clone() } else { windows.slice(part.start, part.rows) };
            #[expect(clippy::cast_possible_truncation, reason = "the windows of a call are counted in a u32")]
            let first = part.start as u32;
            let mut instance = self.opened().await?;
            let fault = match instance.fire(&some, &definition.plan.gives, &definition.limits).await {
                Ok((of, columns)) => {
                    let of =
                        if first == 0 { of } else { of.values().iter().map(|window| window + first).collect::<UInt32Array>() };
                    given.rows.push((of, columns));
                    self.keep(instance);
                    continue;
                }
                Err(fault) => fault,
            };
            self.counts.traps += u64::from(matches!(fault.kind, FaultKind::Trap | FaultKind::Limit));
            part.failed += 1;
            let window = || (part.rows == 1).then(|| row_object(&some.windows, 0));
            match self.failures.next(fault.kind, part.rows, part.failed, part.rows == all, Instant::now()) {
                Next::Again(pause) => {
                    self.counts.retries += 1;
                    tokio::time::sleep(pause).await;
                    parts.push(part);
                }
                Next::Halve => parts.extend(part.halves()),
                Next::Poison => {
                    let kind = if fault.kind == FaultKind::Limit { Kind::Limit } else { Kind::Trap };
                    match definition.on_poison {
                        OnPoison::Halt => return Err(definition.error(&fault, &rows_of(&some), window())),
                        OnPoison::DeadLetter => drop(given.dead.insert(first, (fault.message, kind))),
                        OnPoison::Skip => self.counts.skipped += 1,
                    }
                }
                Next::Halt(reason) => {
                    let reason = reason.map_or_else(String::new, |reason| format!("; {reason}"));
                    return Err(definition.error(&fault, &reason, window()));
                }
            }
        }
        Ok(given)
    }

    async fn opened(&mut self) -> Result<Instance<WindowFunction>, OperatorError> {
        if let Some(instance) = self.instance.take() {
            return Ok(instance);
        }
        self.counts.instances += 1;
        // The future must not hold `self`: an instance is `Send`, but not `Sync`.
        let (definition, log) = (Arc::clone(&self.definition), Arc::clone(&self.log));
        definition.open(log).await
    }

    /// Keeps an instance for the next call, unless its memory has grown near its limit: some languages' runtimes leak.
    fn keep(&mut self, instance: Instance<WindowFunction>) {
        if instance.memory() <= self.definition.limits.memory / 4 * 3 {
            self.instance = Some(instance);
        }
    }
}

/// How many rows a window has that stands alone.
fn rows_of(window: &FiredWindows) -> String {
    format!(" on a window of {} rows", window.starts.last().copied().unwrap_or(0))
}

impl ForeignWindow for PluginWindow {
    fn fire<'a>(&'a mut self, windows: FiredWindows) -> BoxFuture<'a, Result<Given, OperatorError>> {
        async move { self.hand_over(&windows).await }.boxed()
    }

    fn idle(&mut self) {
        self.instance = None;
    }

    fn counts(&self) -> PluginCounts {
        PluginCounts { memory: self.instance.as_ref().map_or(0, Instance::memory) as u64, ..self.counts }
    }
}
