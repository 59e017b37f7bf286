//! What an aggregate function says it makes of some settings and arguments.

use std::sync::Arc;

use arrow_schema::{Field, Schema};
use wasmill_flow::column_type;

use crate::bindings::aggregate_function::AggregateFunction;
use crate::bindings::aggregate_function::exports::wasmill::plugin::aggregate::AggregatePlan as WitPlan;
use crate::compiled::Component;
use crate::declaration::field;
use crate::error::{Code, PluginError};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log_lines::LogLines;

/// The most bytes of accumulators that all have as many.
const MOST_FIXED_BYTES: usize = 1_024;

/// What an aggregate function makes of some settings and arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregatePlan {
    /// The name and type of its result. A column is called as the job calls it.
    pub result: Field,
    /// The version of its accumulators' bytes.
    pub version: u32,
    /// Parts may be combined.
    pub merges: bool,
    /// Rows may be taken back.
    pub retracts: bool,
    /// Where all accumulators have the same number of bytes, those of one that has seen nothing.
    pub initial: Option<Vec<u8>>,
}

impl AggregatePlan {
    /// The identity of its accumulators' bytes in snapshots.
    #[must_use]
    pub fn format(&self) -> String {
        format!("plugin {}:{} version {}", self.result.name(), column_type::name(self.result.data_type()), self.version)
    }
}

impl Component {
    /// Asks the aggregate function what it makes of these settings (JSON) and arguments, in an instance of its own.
    ///
    /// # Errors
    /// Where the plugin is an operator, refuses them, traps or takes too long, or declares what makes no sense.
    pub async fn describe_aggregate(
        &self,
        settings: &str,
        arguments: &Schema,
        limits: &Limits,
    ) -> Result<AggregatePlan, PluginError> {
        let pre = self.aggregate()?;
        if let Some(nested) = arguments.fields().iter().find(|field| column_type::is_nested(field.data_type())) {
            let message = format!(
                "plugin {}: column `{}` is {}: lists and structs that plugins read are not in this version",
                self.name,
                nested.name(),
                column_type::name(nested.data_type())
            );
            return Err(
                PluginError::new(Code::NotInThisVersion, message).with_hint("take parts of it before with `select` or `with`")
            );
        }
        let log = Arc::new(LogLines::new(&self.name, 0, limits.log_rate));
        let refused = |fault| self.refused(&fault, std::iter::empty());
        let mut instance = Instance::<AggregateFunction>::start(self, pre, limits, log).await.map_err(refused)?;
        let plan = instance.describe(settings, arguments).await.map_err(refused)?;
        let result = field(&plan.result)
            .map_err(|what| PluginError::new(Code::BadPlan, format!("plugin {}: its plan makes no sense: {what}", self.name)))?;
        if let Some(initial) = plan.initial.as_ref().filter(|initial| !(1..=MOST_FIXED_BYTES).contains(&initial.len())) {
            let message = format!(
                "plugin {}: its plan makes no sense: `initial` has {} bytes, expected 1 to {MOST_FIXED_BYTES}",
                self.name,
                initial.len()
            );
            return Err(PluginError::new(Code::BadPlan, message));
        }
        let WitPlan { version, merges, retracts, initial, .. } = plan;
        Ok(AggregatePlan { result, version, merges, retracts, initial })
    }
}
