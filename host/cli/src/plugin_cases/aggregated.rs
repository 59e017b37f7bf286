//! Runs a case of an aggregate function as a job would: over the columns that aren't its key, a row out for each row in.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use wasmill_connector::json::row_object;
use wasmill_flow::{Batch, TaskIndex};
use wasmill_job::catalog::PluginProblem;
use wasmill_operator::{Computation, Context, Emit, Operator as _, OperatorError, Port, RunningAggregate};
use wasmill_plugin::{AggregateDefinition, Component, InputShape, Limits, PluginAggregate};
use wasmill_runtime::JobError;
use wasmill_state::memory::MemoryState;

use super::case::{Case, DEAD, Outcome, Step, file_of, invalid};
use super::sandboxed::said;
use crate::composition;

/// The column of the value.
const VALUE: &str = "value";
/// The key of a case without one: all rows have the same.
const NO_KEY: &str = "@key";

/// An aggregate function over a case.
pub struct Aggregated<'a> {
    component: &'a Component,
    case: &'a Case,
    input: &'a InputShape,
    definition: AggregateDefinition,
    /// The case's columns, and where it has no key, one.
    schema: SchemaRef,
}

impl<'a> Aggregated<'a> {
    /// The function of a case's settings and columns.
    ///
    /// # Errors
    /// Where it refuses them, or the case is none of an aggregate.
    pub fn new(component: &'a Component, case: &'a Case, plugin: &str) -> Result<Self, PluginProblem> {
        let [input] = case.inputs.as_slice() else {
            return Err(invalid(&case.folder, "an aggregate function has one input: a case of it has `schema`, not `inputs`"));
        };
        let no_key = input.key.is_empty().then(|| Arc::new(Field::new(NO_KEY, DataType::Int64, false)));
        let schema = Schema::new(input.schema.fields().iter().cloned().chain(no_key).collect::<Vec<FieldRef>>());
        let arguments = input.schema.project(&arguments(input)).map_err(|error| invalid(&case.folder, error))?;
        let limits = Limits::default();
        let definition = AggregateDefinition {
            operator: plugin.to_owned(),
            column: VALUE.to_owned(),
            component: component.clone(),
            settings: case.settings.clone(),
            plan: composition::describe_aggregate(component, &case.settings, &arguments, &limits)?,
            arguments: Arc::new(arguments),
            limits,
        };
        Ok(Self { component, case, input, definition, schema: Arc::new(schema) })
    }

    /// What comes out: the key, and the value after each row.
    #[must_use]
    pub fn ports(&self) -> Vec<Port> {
        let key = self.input.key.iter().map(|&column| Arc::clone(&self.input.schema.fields()[column]));
        let value = Arc::new(self.definition.plan.result.clone().with_name(VALUE));
        vec![Port { name: "main".to_owned(), schema: Arc::new(Schema::new(key.chain([value]).collect::<Vec<FieldRef>>())) }]
    }

    /// What comes out with batches of at most `most` rows. To be called outside of any tokio runtime.
    ///
    /// # Errors
    /// Where the function traps, breaks a limit, or fails.
    pub fn run(&self, most: usize) -> Result<Outcome, JobError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| JobError::new("internal-runtime", error.to_string()))?;
        let context = runtime.block_on(self.process(most)).map_err(said)?;
        let from = usize::from(self.input.key.is_empty());
        let rows = |batch: &Batch| {
            let shown: Vec<usize> = (from..batch.rows.num_columns()).collect();
            let rows = batch.rows.project(&shown).unwrap_or_else(|_| batch.rows.clone());
            (0..rows.num_rows()).map(|row| row_object(&rows, row)).collect::<Vec<_>>()
        };
        let lines = context.emitted.iter().flat_map(|emitted| rows(&emitted.batch)).collect();
        Ok(vec![(file_of(0, "main"), lines), (DEAD.to_owned(), Vec::new())])
    }

    async fn process(&self, most: usize) -> Result<Context, OperatorError> {
        let bug = |message: String| OperatorError { code: "internal-definition", message, row: None, hint: None };
        let columns = self.input.schema.fields().len();
        let key = if self.input.key.is_empty() { vec![columns] } else { self.input.key.clone() };
        let foreign = Computation::Foreign {
            text: self.component.name.to_string(),
            format: self.definition.plan.format(),
            result: self.definition.plan.result.clone(),
            of: arguments(self.input),
            aggregate: Box::new(PluginAggregate::new(self.definition.clone(), TaskIndex::ONLY)),
        };
        let aggregate = RunningAggregate::of(&key, vec![(VALUE.to_owned(), foreign)], Emit::EachRow, &self.schema);
        let mut aggregate = aggregate.map_err(|problems| bug(problems.iter().map(ToString::to_string).collect()))?;
        let state = MemoryState::new(aggregate.declaration().states);
        let mut context = Context { state: Some(Box::new(state)), ..Context::stateless() };
        for step in self.case.steps.iter().flatten() {
            // Nothing goes by time.
            let Step::Rows(rows) = step else { continue };
            let no_key = self.input.key.is_empty().then(|| Arc::new(Int64Array::from(vec![0; rows.num_rows()])) as ArrayRef);
            let columns = rows.columns().iter().cloned().chain(no_key).collect();
            let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|error| bug(error.to_string()))?;
            let rows = Batch::unkeyed(rows);
            for start in (0..rows.len()).step_by(most) {
                aggregate.process(0, rows.slice(start, most.min(rows.len() - start)), &mut context).await?;
            }
        }
        Ok(context)
    }
}

/// The columns that a function is over: those that aren't the key.
fn arguments(input: &InputShape) -> Vec<usize> {
    (0..input.schema.fields().len()).filter(|column| !input.key.contains(column)).collect()
}
