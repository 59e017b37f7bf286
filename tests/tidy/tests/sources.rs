//! Source files say what they are for, are named by what they hold, and stay small.

use std::path::{Path, PathBuf};

/// The most lines that a source file has without a reason.
const LINES: usize = 500;

/// Files that may be longer, and why.
const LONG: &[(&str, &str)] = &[];

/// Where generated code lies: it is checked in so that no plugin compiles a generator, and is nobody's to shorten.
const GENERATED: &[&str] = &["sdk/rust/src/bindings"];

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager", "mod"];

/// The source files that people write.
fn written() -> Vec<PathBuf> {
    let files = wasmill_tidy::files("rs").expect("the tree can be read");
    assert!(files.len() > 100, "only {} source files found", files.len());
    files.into_iter().filter(|path| !GENERATED.iter().any(|folder| path.starts_with(folder))).collect()
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests") || path.components().any(|part| part.as_os_str() == "tests")
}

fn lines(path: &Path) -> usize {
    wasmill_tidy::text(path).expect("a source file is text").lines().count()
}

fn assert_none(found: &[PathBuf], what: &str) {
    let found: Vec<_> = found.iter().map(|path| path.display().to_string()).collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_source_file_says_first_what_it_is_for() {
    let silent = |path: &PathBuf| {
        let text = wasmill_tidy::text(path).expect("a source file is text");
        text.lines().next().and_then(|line| line.strip_prefix("//! ")).is_none_or(|said| said.trim().is_empty())
    };
    let found: Vec<_> = written().into_iter().filter(silent).collect();
    assert_none(&found, "the first line of these is not a `//!` that says what they are for");
}

#[test]
fn no_source_file_has_a_name_that_says_nothing() {
    let says_nothing = |path: &PathBuf| {
        path.with_extension("").components().any(|part| EMPTY_NAMES.iter().any(|name| part.as_os_str() == *name))
    };
    let found: Vec<_> = written().into_iter().filter(says_nothing).collect();
    assert_none(&found, "name these by what they hold");
}

#[test]
fn no_source_file_is_long_without_a_reason() {
    let long = |path: &PathBuf| !is_test(path) && !LONG.iter().any(|(name, _)| path == Path::new(name)) && lines(path) > LINES;
    let found: Vec<_> = written().into_iter().filter(long).collect();
    assert_none(&found, &format!("these have more than {LINES} lines: split them, or say in LONG why not"));
}

#[test]
fn the_list_of_long_files_is_true() {
    for (name, reason) in LONG {
        assert!(lines(Path::new(name)) > LINES, "{name} is not long any more: take it from the list");
        assert!(!reason.trim().is_empty(), "{name} needs a reason");
    }
}
