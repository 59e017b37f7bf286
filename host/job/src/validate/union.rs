//! A union's inputs must have equal columns.

use arrow_schema::Schema;
use wasmill_flow::column_type;

use crate::place::At;
use crate::problem::{Problems, code};
use crate::validate::Output;

/// Complains about each input with other columns than the first's. Whether there is none.
pub fn check(names: &[At<String>], inputs: &[Output], problems: &mut Problems) -> bool {
    let (Some(first), Some(first_name)) = (inputs.first(), names.first()) else { return true };
    let mut equal = true;
    for (input, name) in inputs.iter().zip(names).skip(1) {
        if let Some((theirs, ours)) = difference(&input.schema, &first.schema) {
            equal = false;
            problems
                .error(code::UNEQUAL_SCHEMAS, &name.spot)
                .found_to_be(format!("{theirs} in `{}`", name.value))
                .expected(format!("{ours} as in `{}`", first_name.value))
                .advice("bring them into one shape with a `select` before");
        }
    }
    equal
}

/// The first difference between two schemas, in words about each of them.
fn difference(left: &Schema, right: &Schema) -> Option<(String, String)> {
    let describe = |schema: &Schema, index: usize| match schema.fields().get(index) {
        Some(field) => format!("column {}, `{}: {}`,", index + 1, field.name(), column_type::describe(field)),
        None => format!("no column {}", index + 1),
    };
    let columns = left.fields().len().max(right.fields().len());
    (0..columns).map(|index| (describe(left, index), describe(right, index))).find(|(left, right)| left != right)
}
