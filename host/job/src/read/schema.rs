//! The columns of a source: `{ id: utf8 not null, mag: float64, tags: list<utf8> }`.

use std::sync::Arc;

use arrow_schema::{Field as ColumnField, Schema, SchemaRef};
use wasmill_flow::column_type::{self, TypeError};

use crate::document::Value;
use crate::nearest::nearest;
use crate::place::{At, Spot};
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
    ("array", "list<T>"),
    ("row", "struct<a: T, b: T>"),
    ("object", "struct<a: T, b: T>"),
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
        Value::Scalar(_) => field.text(&expected, problems)?,
        _ => {
            field.wrong_type(&expected, problems);
            return None;
        }
    };
    let error = match column_type::parse_field(&name.value, &written.value) {
        Ok(column) => return Some(column),
        Err(error) => error,
    };
    let spot = part(field, &written, error.at());
    match error {
        TypeError::Unknown { found, .. } => {
            let meant = ELSEWHERE
                .iter()
                .find(|(theirs, _)| found.eq_ignore_ascii_case(theirs))
                .map(|(_, ours)| *ours)
                .or_else(|| nearest(&found, column_type::NAMES.iter().copied()));
            problems.error(code::UNKNOWN_TYPE, &spot).found(found).expected(expected).meant(meant);
        }
        TypeError::Decimal { found, .. } => {
            let cut = !found.contains(')');
            let problem = problems.error(code::INVALID_VALUE, &spot).found(found);
            problem.expected("decimal(p,s) with p from 1 to 38 and s from 0 to p");
            if cut {
                problem.advice("within { } a comma ends a value: write \"decimal(p,s)\" in quotes");
            }
        }
        TypeError::Parts { written, found, expected, at } => {
            let cut = at == written.len();
            let problem =
                problems.error(code::INVALID_VALUE, &spot).found_to_be(format!("{found} in `{written}`")).expected(expected);
            if cut {
                problem.advice("within { } a comma ends a value: write the type in quotes");
            }
        }
    }
    None
}

/// The spot of a part of a type, where the type stands in one line of the file as it is; otherwise of the whole type.
fn part(field: &Field<'_>, written: &At<String>, at: usize) -> Spot {
    let Value::Scalar(scalar) = &field.node.value else { return written.spot.clone() };
    if scalar.substituted || written.value.contains(['\n', '"']) {
        return written.spot.clone();
    }
    let quote = usize::from(!scalar.plain);
    let characters = written.value.get(..at).map_or(0, |before| before.chars().count());
    if characters == 0 {
        return written.spot.clone();
    }
    Spot { place: written.spot.place.right(quote + characters), path: written.spot.path.clone() }
}

/// Complains about columns of lists and structs, which CSV has no form for.
pub fn refuse_nested(field: &Field<'_>, schema: &Schema, problems: &mut Problems) {
    let Some(columns) = Mapping::open(field, "columns: a mapping from name to type", problems) else { return };
    for ((_, value), column) in columns.entries().zip(schema.fields()) {
        if column_type::is_nested(column.data_type()) {
            let problem = problems.error(code::TYPE_NOT_IN_CSV, &value.spot);
            problem.found(column_type::describe(column)).expected("a type that a field of CSV can have: no list and no struct");
            problem.advice("read the field as utf8, or leave the column out");
        }
    }
}
