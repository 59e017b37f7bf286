//! What a job's validation asks: the types of expressions of DataFusion, what a plugin declares of the sandbox, a file's columns of
//! its connector.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use serde_json::Value;
use wasmill_connector::columnar;
use wasmill_connector::file::FilePath;
use wasmill_job::Catalog;
use wasmill_job::catalog::{
    Checked, ColumnarFile, ExpressionProblem, FileProblem, InputSchema, PluginDeclared, PluginProblem, WindowDeclared,
};
use wasmill_job::graph::{self, Port};
use wasmill_operator::aggregate::Aggregate;
use wasmill_operator::{Expression, ExpressionProblem as OperatorProblem};
use wasmill_plugin::{AggregatePlan, InputShape};

use super::factory::columnar_in;
use super::{Composition, describe, describe_aggregate, describe_window};

impl Composition {
    /// What a plugin that was checked over these columns says of itself as an aggregate.
    fn plan_of(&self, by: &graph::AggregatePlugin, input: &Schema) -> Result<AggregatePlan, PluginProblem> {
        let graph::AggregatePlugin { plugin, of, .. } = by;
        let arguments = Schema::new(of.iter().map(|&column| input.field(column).clone()).collect::<Vec<_>>());
        let component = self.component(&plugin.path)?;
        describe_aggregate(&component, &plugin.settings.to_string(), &arguments, &super::limits(&plugin.limits))
    }
}

impl Catalog for Composition {
    fn expression(&self, text: &str, input: &Schema) -> Result<Checked, ExpressionProblem> {
        let parsed = Expression::parse(text, input).map_err(problem)?;
        Ok(Checked { field: parsed.field("value"), reads: parsed.reads().to_vec() })
    }

    fn aggregate(&self, text: &str, input: &Schema) -> Result<Checked, ExpressionProblem> {
        let parsed = Aggregate::parse(text, input).map_err(problem)?;
        Ok(Checked { field: parsed.field("value"), reads: parsed.reads().to_vec() })
    }

    fn plugin(
        &self,
        path: &Path,
        settings: &Value,
        inputs: &[InputSchema<'_>],
        limits: &graph::Limits,
    ) -> Result<PluginDeclared, PluginProblem> {
        let component = self.component(path)?;
        let plan = describe(&component, &settings.to_string(), &shapes(inputs), &super::limits(limits))?;
        let port = |port: wasmill_operator::Port| Port { name: port.name, schema: port.schema };
        let needs_event_time = plan.needs_event_time();
        let forgotten = |index: &usize| plan.expiring.iter().any(|(expiring, _)| expiring == index);
        let own = plan.declaration.states.iter().take(plan.own_states).enumerate();
        let of_keys = own.filter(|(index, need)| !forgotten(index) && !need.is_of_task());
        let keeps = of_keys.map(|(_, need)| need.name.clone()).collect();
        let ports = plan.declaration.ports.into_iter().map(port).collect();
        Ok(PluginDeclared { ports, reads: plan.declaration.reads, needs_event_time, keeps })
    }

    fn aggregate_plugin(
        &self,
        path: &Path,
        settings: &Value,
        arguments: &Schema,
        limits: &graph::Limits,
    ) -> Result<Field, PluginProblem> {
        let component = self.component(path)?;
        Ok(describe_aggregate(&component, &settings.to_string(), arguments, &super::limits(limits))?.result)
    }

    fn window_plugin(
        &self,
        path: &Path,
        settings: &Value,
        rows: &SchemaRef,
        limits: &graph::Limits,
    ) -> Result<WindowDeclared, PluginProblem> {
        let component = self.component(path)?;
        let plan = describe_window(&component, &settings.to_string(), rows, &super::limits(limits))?;
        Ok(WindowDeclared { gives: plan.gives, reads: plan.reads })
    }

    fn combines(&self, aggregate: &graph::Aggregate, input: &Schema) -> bool {
        match aggregate {
            graph::Aggregate::Sql(text) => Aggregate::parse(text, input).is_ok_and(|aggregate| aggregate.is_exact()),
            graph::Aggregate::Plugin(by) => self.plan_of(by, input).is_ok_and(|plan| plan.merges),
        }
    }

    fn retracts(&self, aggregate: &graph::Aggregate, input: &Schema) -> bool {
        match aggregate {
            graph::Aggregate::Sql(text) => Aggregate::parse(text, input).is_ok_and(|aggregate| aggregate.retracts()),
            graph::Aggregate::Plugin(by) => self.plan_of(by, input).is_ok_and(|plan| plan.retracts),
        }
    }

    /// A file that isn't there yet has the columns that the job says, where it says so: an earlier job may write it.
    fn columns(&self, file: &ColumnarFile<'_>, declared: Option<&SchemaRef>) -> Result<SchemaRef, FileProblem> {
        if let (Some(declared), false) = (declared, file.path.exists()) {
            return Ok(Arc::clone(declared));
        }
        let path = FilePath { written: file.written.to_owned(), path: file.path.to_owned() };
        columnar::columns(&path, columnar_in(file.format), declared.map(Arc::as_ref)).map_err(|error| FileProblem {
            code: error.code,
            message: error.message,
            hint: error.hint,
        })
    }
}

fn shapes(inputs: &[InputSchema<'_>]) -> Vec<InputShape> {
    let shape = |input: &InputSchema<'_>| InputShape {
        name: input.name.to_owned(),
        schema: Arc::clone(input.schema),
        key: input.key.to_vec(),
        broadcast: input.broadcast,
    };
    inputs.iter().map(shape).collect()
}

fn problem(problem: OperatorProblem) -> ExpressionProblem {
    let OperatorProblem { message, suggestion, position, column, .. } = problem;
    match column {
        Some(name) => ExpressionProblem::UnknownColumn { span: position.map(|at| at..at + name.len()), name },
        None => ExpressionProblem::Invalid {
            message,
            span: position.map(|at| at..at),
            suggestion: suggestion.map(|name| format!("did you mean `{name}`?")),
        },
    }
}
