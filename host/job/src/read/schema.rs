//! The columns of a source: `{ id: utf8 not null, mag: float64 }`.

use std::sync::Arc;

use arrow_schema::{Field as ColumnField, Schema, SchemaRef};
use wasmill_flow::column_type::{self, TypeError};

use crate::nearest::nearest;
use crate::place::At;
use crate::problem::{Problems, code, one_of};
use crate::read::field::Field;
use crate::read::mapping::Mapping;

/// Names that other systems have for our types.
const ELSEWHERE: &[(&str, &str)] = &[
    ("string", "utf8"),
    ("str", "utf8"),
    ("text", "utf8"),
    ("varchar", "utf8"),
    ("int", "int32"),
    ("integer", "int32"),
    ("long", "int64"),
    ("bigint", "int64"),
    ("float", "float64"),
    ("double", "float64"),
    ("real", "float32"),
    ("number", "float64"),
    ("bool", "boolean"),
    ("datetime", "timestamp"),
    ("bytes", "binary"),
    ("numeric", "decimal(p,s)"),
];

/// Reads columns. `None` where one of them is wrong, or there is none.
pub fn read(field: &Field<'_>, problems: &mut Problems) -> Option<SchemaRef> {
    let columns = Mapping::open(field, "columns: a mapping from name to type", problems)?;
    let read: Vec<_> = columns.entries().map(|(name, value)| read_column(&name, &value, problems)).collect();
    if read.is_empty() {
        problems.error(code::INVALID_VALUE, &field.spot).found_to_be("no columns").expected("at least one column");
        return None;
    }
    let columns: Option<Vec<ColumnField>> = read.into_iter().collect();
    Some(Arc::new(Schema::new(columns?)))
}

fn read_column(name: &At<String>, field: &Field<'_>, problems: &mut Problems) -> Option<ColumnField> {
    let expected = one_of(column_type::NAMES);
    let written = match &field.node.value {
        crate::document::Value::Scalar(_) => field.text(&expected, problems)?,
        _ => {
            field.wrong_type(&expected, problems);
            return None;
        }
    };
    match column_type::parse_field(&name.value, &written.value) {
        Ok(column) => return Some(column),
        Err(TypeError::Unknown { found }) => {
            let meant = ELSEWHERE
                .iter()
                .find(|(theirs, _)| found.eq_ignore_ascii_case(theirs))
                .map(|(_, ours)| *ours)
                .or_else(|| nearest(&found, column_type::NAMES.iter().copied()));
            problems.error(code::UNKNOWN_TYPE, &written.spot).found(found).expected(expected).meant(meant);
        }
        Err(TypeError::NotYet { found }) => {
            problems.error(code::NOT_IN_THIS_VERSION, &written.spot).found(found).expected(expected);
        }
        Err(TypeError::Decimal { found }) => {
            let cut = !found.contains(')');
            let problem = problems.error(code::INVALID_VALUE, &written.spot).found(found);
            problem.expected("decimal(p,s) with p from 1 to 38 and s from 0 to p");
            if cut {
                problem.advice("within { } a comma ends a value: write \"decimal(p,s)\" in quotes");
            }
        }
    }
    None
}
