//! What is written and what is read.

use std::sync::Arc;

use super::*;

fn parsed(written: &str) -> DataType {
    parse_field("c", written).expect("a type").data_type().clone()
}

fn refused(written: &str) -> String {
    parse_field("c", written).expect_err("no type").to_string()
}

#[test]
fn what_is_written_is_what_is_described() {
    for written in [
        "boolean",
        "int64 not null",
        "decimal(10,2)",
        "timestamp not null",
        "utf8",
        "binary",
        "date",
        "float32",
        "list<utf8>",
        "list<list<decimal(10,2)>> not null",
        "struct<lat: float64, lon: float64>",
        "struct<a-b: list<struct<x: int32>>, \"two words\": timestamp, \"a\"\"b\": date>",
        "struct<\"\": int64>",
    ] {
        let field = parse_field("c", written).expect("a type");
        assert_eq!(describe(&field), written);
        assert!(is_supported(field.data_type()), "{written}");
    }
}

#[test]
fn space_may_stand_between_the_parts_of_a_type() {
    assert_eq!(parsed("  list < struct < a :int64 ,b: decimal( 4 , 1 ) > > "), parsed("list<struct<a: int64, b: decimal(4,1)>>"));
    assert_eq!(describe(&parse_field("c", " utf8   not null ").expect("a type")), "utf8 not null");
}

#[test]
fn items_and_fields_may_be_null_and_have_no_metadata() {
    let item = Field::new("item", DataType::Int64, true);
    assert_eq!(parsed("list<int64>"), DataType::List(Arc::new(item.clone())));
    for other in [
        item.clone().with_nullable(false),
        item.clone().with_name("element"),
        item.clone().with_data_type(DataType::Int8),
        item.with_metadata([("a".to_owned(), "b".to_owned())].into()),
    ] {
        assert!(!is_supported(&DataType::List(Arc::new(other))));
    }
    assert!(!is_supported(&DataType::Struct(Fields::empty())));
    assert!(!is_supported(&struct_of([("a", DataType::Int64), ("a", DataType::Int64)])));
}

#[test]
fn what_is_no_type_is_said_to_be_none() {
    assert_eq!(refused("text"), "unknown type `text`");
    assert_eq!(
        refused("decimal(39,2)"),
        "`decimal(39,2)`: a decimal is written decimal(p,s) with p from 1 to 38 and s from 0 to p"
    );
    assert_eq!(refused("decimal"), "`decimal`: a decimal is written decimal(p,s) with p from 1 to 38 and s from 0 to p");
    assert_eq!(refused("array<utf8>"), "unknown type `array`");
    for (written, expected) in [
        ("list<utf8", "expected `>` behind the type of the items, found its end"),
        ("list<utf8>>", "expected the end of the type, found `>`"),
        ("list<>", "expected a type, found `>`"),
        ("list", "expected `<` and the type of the items: list<T>, found its end"),
        ("list<int64, utf8>", "expected `>` behind the type of the items, found `,`"),
        ("list<int64 not null>", "expected a type alone: items of lists and fields of structs may be null, found `not null`"),
        ("struct<>", "expected the name of a field, found `>`"),
        ("struct<lat", "expected `:` and a type behind the name of a field, found its end"),
        ("struct<a: int64, a: utf8>", "expected fields of different names, found `a` again"),
        ("struct<\"a: int64>", "expected the `\"` that ends the name of a field, found its end"),
        ("struct<a: int64,>", "expected the name of a field, found `>`"),
    ] {
        assert_eq!(refused(written), format!("`{written}`: {expected}"));
    }
}

#[test]
fn the_fault_is_where_it_stands() {
    let at = |written: &str| parse_field("c", written).expect_err("no type").at();
    assert_eq!(at("list<struct<a: text>>"), 15);
    assert_eq!(at("list<decimal(99,1)>"), 5);
    assert_eq!(at("list<int64 not null>"), 11);
    assert_eq!(at("struct<a: int64, a: utf8>"), 17);
    assert_eq!(at(" text"), 1);
}

#[test]
fn types_are_nested_so_deep_and_no_deeper() {
    let nested = |depth: usize| "list<".repeat(depth) + "int64" + &">".repeat(depth);
    assert!(is_supported(&parsed(&nested(DEEPEST))));
    assert!(refused(&nested(DEEPEST + 1)).ends_with("expected at most 16 within each other, found `list` within 16 others"));
    assert!(refused(&nested(100_000)).contains("within 16 others"));
    assert!(!is_supported(&list_of(parsed(&nested(DEEPEST)))));
}
