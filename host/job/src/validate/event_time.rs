//! Which column of a source says when its rows happened.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use wasmill_flow::column_type::{self, TIMESTAMP};

use crate::graph;
use crate::nearest::nearest;
use crate::problem::{Problems, code};
use crate::written::EventTime;

/// Finds the column among a source's; with it the columns as rows then have them: a row without an event time is malformed.
pub fn resolve(time: &EventTime, schema: &SchemaRef, problems: &mut Problems) -> Option<(graph::EventTime, SchemaRef)> {
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let Ok(column) = schema.index_of(&time.field.value) else {
        let problem = problems.error(code::UNKNOWN_COLUMN, &time.field.spot).found(time.field.value.clone());
        problem.expected("a column of the source").meant(nearest(&time.field.value, names()));
        return None;
    };
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
    let EventTime { max_out_of_orderness, idle_after, .. } = *time;
    Some((graph::EventTime { column, max_out_of_orderness, idle_after }, schema))
}
