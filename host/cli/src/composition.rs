//! The composition root: the one place that knows every connector and every kind of operator, and gives them to those that don't.

pub mod catalog;
pub mod factory;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use arrow_schema::{Schema, SchemaRef};
use wasmill_job::catalog::PluginProblem;
use wasmill_job::graph;
use wasmill_plugin::{AggregatePlan, Component, InputShape, Limits, Plan, PluginError, Sandbox, WindowPlan};

/// Makes a plugin's file of what a job names: the file itself, or what is built from a directory.
pub type Prepare = dyn Fn(&Path) -> Result<PathBuf, PluginProblem> + Send + Sync;

/// What jobs are put together from.
pub struct Composition {
    sandbox: Sandbox,
    prepare: Box<Prepare>,
    /// Components by the path that the job names, so that each is compiled once.
    components: Mutex<HashMap<PathBuf, Component>>,
}

impl Composition {
    /// With this sandbox for plugins, and this way to get at their files.
    #[must_use]
    pub fn new(sandbox: Sandbox, prepare: Box<Prepare>) -> Self {
        Self { sandbox, prepare, components: Mutex::default() }
    }

    /// A plugin's component, compiled and checked.
    pub(crate) fn component(&self, path: &Path) -> Result<Component, PluginProblem> {
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = components.get(path) {
            return Ok(component.clone());
        }
        let file = (self.prepare)(path)?;
        let component = self.sandbox.load(&file).map_err(problem)?;
        components.insert(path.to_owned(), component.clone());
        Ok(component)
    }
}

/// Asks a plugin what it does; outside of any tokio runtime.
pub(crate) fn describe(
    component: &Component,
    settings: &str,
    inputs: &[InputShape],
    limits: &Limits,
) -> Result<Plan, PluginProblem> {
    runtime()?.block_on(component.describe(settings, inputs, limits)).map_err(problem)
}

/// Asks an aggregate function what it makes of some columns; outside of any tokio runtime.
pub(crate) fn describe_aggregate(
    component: &Component,
    settings: &str,
    arguments: &Schema,
    limits: &Limits,
) -> Result<AggregatePlan, PluginProblem> {
    runtime()?.block_on(component.describe_aggregate(settings, arguments, limits)).map_err(problem)
}

/// Asks a window function what it makes of some rows; outside of any tokio runtime.
pub(crate) fn describe_window(
    component: &Component,
    settings: &str,
    rows: &SchemaRef,
    limits: &Limits,
) -> Result<WindowPlan, PluginProblem> {
    runtime()?.block_on(component.describe_window(settings, rows, limits)).map_err(problem)
}

fn runtime() -> Result<tokio::runtime::Runtime, PluginProblem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.map_err(|error| PluginProblem { code: "internal-runtime", message: error.to_string(), hint: None })
}

/// An operator's limits: as they are written, and by default where they aren't.
fn limits(written: &graph::Limits) -> Limits {
    let defaults = Limits::default();
    let bytes =
        |written: Option<u64>, default: usize| written.map_or(default, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    Limits {
        memory: bytes(written.memory, defaults.memory),
        cpu_per_call: written.cpu_per_call.unwrap_or(defaults.cpu_per_call),
        cpu_per_start: written.cpu_per_start.unwrap_or(defaults.cpu_per_start),
        output_rows: written.output_rows.unwrap_or(defaults.output_rows),
        output_bytes: written.output_bytes.unwrap_or(defaults.output_bytes),
        log_rate: written.log_rate.unwrap_or(defaults.log_rate),
    }
}

/// A plugin's error as a job has it.
pub(crate) fn problem(error: PluginError) -> PluginProblem {
    PluginProblem { code: error.code.name(), message: error.message, hint: error.hint }
}
