//! Union: the rows of all inputs, as they come. Inputs have the same columns.

use arrow_schema::SchemaRef;
use wasmill_flow::{Batch, column_type};

use crate::contract::{Context, Declaration, Operator, Step};
use crate::definition::one_output;

/// Passes on all rows. The order is kept within each input.
#[derive(Debug)]
pub struct Union {
    schema: SchemaRef,
}

impl Union {
    /// A union of inputs that all have these columns; [`difference`] says whether they do.
    #[must_use]
    pub fn new(input: &SchemaRef) -> Self {
        Self { schema: SchemaRef::clone(input) }
    }

    /// One output of the inputs' columns, all of which it passes on.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        one_output(SchemaRef::clone(&self.schema), None)
    }
}

impl Operator for Union {
    fn process<'a>(&'a mut self, _input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        cx.emit(0, Batch { hashes: None, ..batch });
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The first difference between the columns of two inputs that should have the same: names, order, types, `not null`.
#[must_use]
pub fn difference((left_name, left): (&str, &SchemaRef), (right_name, right): (&str, &SchemaRef)) -> Option<String> {
    for (index, pair) in left.fields().iter().zip(right.fields()).enumerate() {
        let (a, b) = pair;
        if a.name() != b.name() {
            return Some(format!("column {} is `{}` in {left_name} and `{}` in {right_name}", index + 1, a.name(), b.name()));
        }
        let (a_type, b_type) = (column_type::describe(a), column_type::describe(b));
        if a_type != b_type {
            return Some(format!("column `{}` is {a_type} in {left_name} and {b_type} in {right_name}", a.name()));
        }
    }
    let (longer, name, other) = match left.fields().len().cmp(&right.fields().len()) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => (left, left_name, right_name),
        std::cmp::Ordering::Less => (right, right_name, left_name),
    };
    let shorter = left.fields().len().min(right.fields().len());
    Some(format!("column `{}` is in {name} and not in {other}", longer.field(shorter).name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{batch_of, ints, run, schema_of};

    #[test]
    fn all_rows_of_all_inputs_pass_in_their_order_without_hashes() {
        let schema = schema_of(&[("a", "int64")]);
        let mut union = Union::new(&schema);
        assert_eq!(union.declaration().ports[0].schema, schema);
        let mut cx = Context::stateless();
        for (input, values) in [(0, [1, 2]), (1, [3, 4])] {
            let mut batch = batch_of(&schema, vec![ints(values.map(Some))]);
            batch.hashes = Some([7, 8].into());
            run(&mut union, input, batch, &mut cx).expect("a step");
        }
        assert_eq!(cx.emitted.len(), 2);
        assert!(cx.emitted.iter().all(|emitted| emitted.port == 0 && emitted.batch.hashes.is_none() && emitted.batch.len() == 2));
    }

    #[test]
    fn the_first_difference_of_two_inputs_is_named() {
        let plain = schema_of(&[("a", "int64"), ("b", "utf8")]);
        let found = |columns: &[(&str, &str)]| difference(("x", &plain), ("y", &schema_of(columns)));
        assert_eq!(found(&[("a", "int64"), ("b", "utf8")]), None);
        assert_eq!(found(&[("b", "utf8"), ("a", "int64")]).as_deref(), Some("column 1 is `a` in x and `b` in y"));
        assert_eq!(
            found(&[("a", "int64 not null"), ("b", "utf8")]).as_deref(),
            Some("column `a` is int64 in x and int64 not null in y")
        );
        assert_eq!(found(&[("a", "int64")]).as_deref(), Some("column `b` is in x and not in y"));
        assert_eq!(found(&[("a", "int64"), ("b", "utf8"), ("c", "date")]).as_deref(), Some("column `c` is in y and not in x"));
    }
}
