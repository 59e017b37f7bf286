//! Rows of lists.

use arrow_array::{Int64Array, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};

use super::*;
use crate::testing::{batch_of, emitted, ints, run, texts};

fn list_of(item: DataType, nullable: bool) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, nullable)))
}

fn schema(item: DataType, nullable: bool) -> SchemaRef {
    let lists = Field::new("tags", list_of(item, nullable), true);
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true), lists, Field::new("name", DataType::Utf8View, true)]))
}

fn lists(values: ArrayRef, nullable: bool, offsets: &[i32], valid: Option<Vec<bool>>) -> ArrayRef {
    let item = Arc::new(Field::new("item", values.data_type().clone(), nullable));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets.to_vec()));
    Arc::new(ListArray::new(item, offsets, values, valid.map(NullBuffer::from)))
}

/// Three rows: [x, null], null (over a value that is nobody's), [y].
fn rows() -> Batch {
    let lists = lists(texts([Some("x"), None, Some("hidden"), Some("y")]), true, &[0, 2, 3, 4], Some(vec![true, false, true]));
    batch_of(
        &schema(DataType::Utf8View, true),
        vec![ints([Some(1), Some(2), None]), lists, texts([Some("a"), Some("b"), Some("c")])],
    )
}

fn unnest(name: &str, schema: &SchemaRef, most_rows: usize) -> Unnest {
    Unnest::new("tags", name, schema, most_rows).expect("an unnest")
}

#[test]
fn each_item_is_a_row_in_the_place_of_its_list_and_null_lists_give_none() {
    let mut operator = unnest("tag", &schema(DataType::Utf8View, true), 1024);
    let output = &operator.declaration().ports[0].schema;
    assert_eq!(*output.field(1), Field::new("tag", DataType::Utf8View, true));
    let mut cx = Context::stateless();
    run(&mut operator, 0, rows(), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["1 x a", "1 - a", "- y c"]);
}

#[test]
fn lists_without_hidden_values_are_not_copied_wherever_they_start() {
    let schema = schema(DataType::Int64, false);
    let values: ArrayRef = Arc::new(Int64Array::from(vec![7, 8, 9, 10]));
    let column = lists(Arc::clone(&values), false, &[0, 1, 1, 3, 4], None);
    let batch = batch_of(&schema, vec![ints((1..=4).map(Some)), column, texts([None; 4])]);
    let mut cx = Context::stateless();
    run(&mut unnest("tags", &schema, 1024), 0, batch.slice(1, 3), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["3 8 -", "3 9 -", "4 10 -"]);
    let items = cx.emitted[0].batch.rows.column(1).to_data();
    assert_eq!(items.buffers()[0].as_ptr().wrapping_sub(8), values.to_data().buffers()[0].as_ptr());
}

#[test]
fn structs_stay_structs() {
    let fields = vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8View, true)];
    let structs = StructArray::new(fields.clone().into(), vec![ints([Some(1), None]), texts([Some("x"), Some("y")])], None);
    let schema = schema(DataType::Struct(fields.into()), true);
    let batch = batch_of(&schema, vec![ints([Some(5)]), lists(Arc::new(structs), true, &[0, 2], None), texts([None])]);
    let mut cx = Context::stateless();
    run(&mut unnest("tag", &schema, 1024), 0, batch, &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["5 {a: 1, b: x} -", "5 {a: -, b: y} -"]);
}

#[test]
fn long_lists_leave_in_several_batches() {
    let mut cx = Context::stateless();
    run(&mut unnest("tag", &schema(DataType::Utf8View, true), 2), 0, rows(), &mut cx).expect("a step");
    assert_eq!(cx.emitted.iter().map(|emitted| emitted.batch.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(emitted(&cx), ["1 x a", "1 - a", "- y c"]);
}

#[test]
fn batches_of_empty_lists_only_give_nothing() {
    let schema = schema(DataType::Int64, true);
    let batch = batch_of(&schema, vec![ints([Some(1)]), lists(ints([]), true, &[0, 0], None), texts([None])]);
    let mut cx = Context::stateless();
    run(&mut unnest("tag", &schema, 1024), 0, batch, &mut cx).expect("a step");
    assert!(cx.emitted.is_empty() && cx.dead.is_empty());
}

#[test]
fn what_is_no_list_and_names_that_clash_are_refused() {
    let problem = |column: &str, name: &str| {
        let problems = Unnest::new(column, name, &schema(DataType::Int64, true), 1024).expect_err("a problem");
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(problem("id", "id"), "unnest: expected a list, found int64");
    assert_eq!(problem("tag", "tag"), "unnest: unknown column `tag`; there are `id`, `tags`, `name` (did you mean `tags`?)");
    assert_eq!(problem("tags", "id"), "as: column `id` is there already");
}
