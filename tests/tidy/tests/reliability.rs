//! docs/reliability.md tells what is tried: each of its rows has a test that is named after it, and the tests that it names are there.

use std::collections::{BTreeMap, BTreeSet};

use wasmill_tidy::{files, text};

const RELIABILITY: &str = "docs/reliability.md";
/// What a row says that has no test.
const ABSENT: [&str; 2] = ["not in this version", "no test yet"];

/// The rows that there must be.
fn expected() -> Vec<String> {
    [1..=10, 18..=24, 29..=38, 41..=41].into_iter().flatten().map(|row| format!("F{row:02}")).collect()
}

/// What each row of the table says, by its name.
fn rows(document: &str) -> BTreeMap<&str, &str> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| F"));
    rows.filter_map(|row| row.split_once(" | ")).collect()
}

/// Names of tests of rows, in backticks, wherever they stand.
fn named(document: &str) -> BTreeSet<&str> {
    document.split('`').filter(|word| is_of_row(word)).collect()
}

/// Whether a function's name begins with a row, as `f06_` does.
fn is_of_row(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() > 4 && bytes[0] == b'f' && bytes[1].is_ascii_digit() && bytes[2].is_ascii_digit() && bytes[3] == b'_'
}

/// The tests of the tree that are named after rows.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in files("rs").expect("the tree can be read") {
        let source = text(&path).expect("a source is text");
        let functions = source.lines().filter_map(|line| {
            let line = line.trim_start();
            line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?.split('(').next()
        });
        found.extend(functions.filter(|name| is_of_row(name)).map(str::to_owned));
    }
    found
}

#[test]
fn every_row_has_a_test_of_its_name_or_says_that_there_is_none() {
    let document = text(RELIABILITY).expect("the document is text");
    let (rows, mut wrong) = (rows(&document), Vec::new());
    for row in expected() {
        let Some(says) = rows.get(&row[1..]) else {
            wrong.push(format!("{row} isn't there"));
            continue;
        };
        let is_tried = named(says).iter().any(|name| name.starts_with(&format!("{}_", row.to_lowercase())));
        let says_none = ABSENT.iter().any(|absent| says.contains(absent));
        if is_tried == says_none {
            wrong.push(format!("{row} names a test `{}_…`, or says one of {ABSENT:?}; found: {says}", row.to_lowercase()));
        }
    }
    assert!(wrong.is_empty(), "{RELIABILITY}:\n{}", wrong.join("\n"));
}

#[test]
fn the_rows_tests_and_what_the_document_names_are_the_same() {
    let document = text(RELIABILITY).expect("the document is text");
    let (tests, named) = (tests(), named(&document));
    let missing: Vec<_> = named.iter().filter(|name| !tests.contains(**name)).collect();
    let untold: Vec<_> = tests.iter().filter(|name| !named.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{RELIABILITY} names tests that aren't there: {missing:?}");
    assert!(untold.is_empty(), "{RELIABILITY} doesn't name these tests: {untold:?}");
}

#[test]
fn rows_and_names_are_found_in_text() {
    let document = "text\n| F06 | a file | `f06_it_is_named`; `kills` |\n| | other | `x` |\n";
    assert_eq!(rows(document), BTreeMap::from([("06", "a file | `f06_it_is_named`; `kills` |")]));
    assert_eq!(named(document), BTreeSet::from(["f06_it_is_named"]));
}
