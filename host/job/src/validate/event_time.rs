//! Which column of a source says when its rows happened, and what raises its watermark.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use wasmill_flow::column_type::{self, TIMESTAMP};

use crate::graph::{self, WatermarkRule};
use crate::place::At;
use crate::problem::{Problems, code};
use crate::validate::expression::Scope;
use crate::validate::{Given, Output};
use crate::written::{self, EventTime};

/// Finds the column among a source's; with it the columns as rows then have them: a row without an event time is malformed.
pub fn resolve(
    time: &EventTime,
    schema: &SchemaRef,
    given: &Given<'_>,
    problems: &mut Problems,
) -> Option<(graph::EventTime, SchemaRef)> {
    let scope = |schema| Scope { schema, of: "the source".to_owned(), aggregates: false };
    let column = scope(schema).column(&time.field, problems)?;
    let field = schema.field(column);
    if *field.data_type() != TIMESTAMP {
        let problem = problems.error(code::UNKNOWN_TYPE, &time.field.spot);
        problem
            .found_to_be(format!("`{}`, a column of type {}", field.name(), column_type::name(field.data_type())))
            .expected("a column of type timestamp")
            .advice("rows of JSON and CSV may have a timestamp as a number: `timestamps: s` in the format says of what");
        return None;
    }
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields[column] = Arc::new(field.clone().with_nullable(false));
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let watermarks = match &time.rule {
        written::WatermarkRule::Behind(bound) => WatermarkRule::Behind(*bound),
        written::WatermarkRule::Expression(expression) => {
            let checked = scope(&schema).check(expression, given, problems)?;
            if *checked.field.data_type() != TIMESTAMP {
                let problem = problems.error(code::INVALID_EXPRESSION, &expression.spot);
                problem
                    .found_to_be(format!("`{}`, which is {}", expression.value, column_type::name(checked.field.data_type())))
                    .expected("a timestamp, or null where a row says nothing of the watermark")
                    .advice("as in `case when kind = 'mark' then at end`, or `at - interval '5 seconds'`");
                return None;
            }
            WatermarkRule::Expression(expression.value.clone())
        }
    };
    let EventTime { idle_after, max_jump, max_drift, .. } = *time;
    Some((graph::EventTime { column, watermarks, idle_after, max_jump, max_drift }, schema))
}

/// Whether the rows of an operator with these inputs have event times: where all of them have. Warns where only some have.
pub fn of_inputs<'a>(inputs: impl Iterator<Item = (&'a At<String>, &'a Output)> + Clone, problems: &mut Problems) -> bool {
    let timed = inputs.clone().find(|(_, input)| input.timed);
    let untimed = inputs.clone().find(|(_, input)| !input.timed);
    if let (Some((timed, _)), Some((untimed, _))) = (timed, untimed) {
        let problem = problems.warning(code::EVENT_TIME_LOST, &untimed.spot);
        problem
            .found_to_be(format!("`{}`, whose rows have no event time", untimed.value))
            .expected(format!("event time, as the rows of `{}` have", timed.value))
            .advice("what comes out has none: no window can be behind it; give each source `event-time`, or read them apart");
    }
    untimed.is_none()
}
