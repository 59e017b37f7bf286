//! Windows whose rows a plugin is handed all together.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use wasmill_flow::TaskIndex;
use wasmill_job::catalog::PluginProblem;
use wasmill_job::graph::{self, Verb};
use wasmill_operator::DefinitionProblems;
use wasmill_operator::aggregate::Computation;
use wasmill_operator::window::WholeWindows;
use wasmill_plugin::{PluginWindow, WindowDefinition};

use super::on_poison;
use super::windows::windowed;
use crate::composition::{Composition, describe_window, limits};

/// What only the windows see: how many rows there are, and the rows.
const COUNT: &str = "@n";
const ROWS: &str = "@collected";

impl Composition {
    /// An operator's window function, where it is one.
    pub(super) fn window_function(&self, operator: &graph::Operator) -> Result<Option<WindowDefinition>, PluginProblem> {
        let Verb::Window { plugin, .. } = &operator.verb else { return Ok(None) };
        let component = self.component(&plugin.path)?;
        let settings = plugin.settings.to_string();
        let rows = Arc::clone(&operator.input().schema);
        let limits = limits(&plugin.limits);
        let plan = describe_window(&component, &settings, &rows, &limits)?;
        let (operator, on_poison) = (operator.name.clone(), on_poison(plugin.on_poison));
        Ok(Some(WindowDefinition { operator, component, settings, rows, plan, limits, on_poison }))
    }
}

/// A window function around the windows whose rows it is handed. `key_by` and `handed` count columns as the job does; rows have `schema`.
pub(crate) fn windows(
    function: WindowDefinition,
    window: &graph::Window,
    key_by: &[usize],
    handed: Option<&[usize]>,
    most_rows: usize,
    schema: &SchemaRef,
    task: TaskIndex,
) -> Result<WholeWindows, DefinitionProblems> {
    let place = |column: &usize| handed.map_or(Some(*column), |handed| handed.iter().position(|each| each == column));
    let key: Vec<usize> = key_by.iter().filter_map(place).collect();
    let mut kept: Vec<usize> = function.plan.reads.iter().filter_map(place).collect();
    let reads = kept.len();
    if kept.is_empty() {
        // Rows without columns have no number.
        kept.extend(key.first());
    }
    let columns = vec![(COUNT.to_owned(), Computation::Sql("count(*)".to_owned())), (ROWS.to_owned(), Computation::Rows(kept))];
    let (windows, declaration) = windowed(&key, window, columns, most_rows, schema)?;
    let gives = function.plan.gives.clone();
    let function = Box::new(PluginWindow::new(function, task));
    WholeWindows::new(windows, declaration, function, key.len(), window.shape.has_bounds(), reads, &gives)
}
