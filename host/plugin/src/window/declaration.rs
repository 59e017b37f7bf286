//! What a window function says it makes of some settings and rows.

use std::sync::Arc;

use arrow_schema::{Field, SchemaRef};
use wasmill_flow::column_type;

use crate::bindings::window_function::WindowFunction;
use crate::bindings::window_function::exports::wasmill::plugin::window::WindowPlan as WitPlan;
use crate::compiled::Component;
use crate::declaration::{InputShape, columns_of, field, refuse_nested};
use crate::error::{Code, PluginError};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log_lines::LogLines;

/// What a window function makes of some settings and rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowPlan {
    /// The columns of rows that it reads, by index, in its order.
    pub reads: Vec<usize>,
    /// The columns that it gives.
    pub gives: Vec<Field>,
}

impl Component {
    /// Asks the window function what it makes of these settings (JSON) and rows, in an instance of its own.
    ///
    /// # Errors
    /// Where the plugin is no window function, refuses them, traps or takes too long, or declares what makes no sense.
    pub async fn describe_window(&self, settings: &str, rows: &SchemaRef, limits: &Limits) -> Result<WindowPlan, PluginError> {
        let pre = self.window()?;
        let log = Arc::new(LogLines::new(&self.name, 0, limits.log_rate));
        let refused = |fault| self.refused(&fault, rows.fields().iter());
        let mut instance = Instance::<WindowFunction>::start(self, pre, limits, log).await.map_err(refused)?;
        let plan = instance.describe(settings, rows).await.map_err(refused)?;
        let input = InputShape { name: "main".to_owned(), schema: Arc::clone(rows), key: Vec::new(), broadcast: false };
        let plan = resolve(&plan, &input)
            .map_err(|what| PluginError::new(Code::BadPlan, format!("plugin {}: its plan makes no sense: {what}", self.name)))?;
        refuse_nested(&self.name, std::slice::from_ref(&plan.reads), &[input])?;
        Ok(plan)
    }
}

fn resolve(plan: &WitPlan, input: &InputShape) -> Result<WindowPlan, String> {
    let reads = columns_of(input, plan.reads.as_deref())?;
    let gives = plan.gives.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    if gives.is_empty() {
        return Err("it gives no columns".to_owned());
    }
    for (index, given) in gives.iter().enumerate() {
        if gives[..index].iter().any(|other| other.name() == given.name()) {
            return Err(format!("it gives column `{}` twice", given.name()));
        }
        if !column_type::is_supported(given.data_type()) {
            return Err(format!("it gives column `{}` of type {}, which no column has", given.name(), given.data_type()));
        }
    }
    Ok(WindowPlan { reads, gives })
}
