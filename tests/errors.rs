//! Every code that the program can print has a page, and each page's example gives its code.

mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use program::{Ended, Folder, from_root};
use wasmill_cli::error_codes::{PAGES, Page};

/// What stands right before a code where an error is made.
const MAKERS: &[&str] = &[
    "JobError::new(",
    "ConnectorError::new(",
    "OperatorError::new(",
    "code: ",
    "error.code = ",
    "problem(",
    "problem!(",
    "unfit(field, ",
];
/// Files in which each text on the right of `=>`, or of `&str =`, is a code.
const LISTS: &[&str] = &["job/src/problem/code.rs", "plugin/src/error.rs", "checkpoint/src/error.rs"];

/// Files in which the first text of each tuple on the right of `=>` is a code.
const CHOSEN: &[&str] = &["plugin/src/fault.rs", "runtime/src/dead_letters.rs"];

/// The text in quotes that a piece of source begins with.
fn quoted(source: &str) -> Option<&str> {
    source.trim_start().strip_prefix('"')?.split('"').next()
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

/// The codes that a source file makes errors with.
fn codes(path: &str, source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut makers: Vec<&str> = MAKERS.to_vec();
    if LISTS.iter().any(|list| path.ends_with(list)) {
        makers.extend(["=> ", "&str = "]);
    }
    if CHOSEN.iter().any(|chosen| path.ends_with(chosen)) {
        makers.push("=> (");
    }
    let made = makers.iter().flat_map(|maker| source.split(maker).skip(1)).filter_map(quoted);
    made.filter(|text| is_code(text)).map(str::to_owned).collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "tests" | "benches" | "conformance" | "target") {
            sources(&path, into);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
            into.push(path);
        }
    }
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut files = Vec::new();
    sources(&from_root("host"), &mut files);
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let path = file.display().to_string();
        let source = fs::read_to_string(&file).expect("text");
        made.extend(codes(&path, &source).into_iter().map(|code| (code, path.clone())));
    }
    // What is wrong with an expression comes as `invalid-expression` or `unknown-column`; its own code stays in its crate.
    let pages: BTreeSet<&str> = PAGES.iter().map(|page| page.code).collect();
    assert_eq!(pages.len(), PAGES.len(), "a code has two pages");
    let without: Vec<_> = made.iter().filter(|(code, _)| !pages.contains(code.as_str())).collect();
    assert!(without.is_empty(), "these codes have no section in docs/guide/src/errors.md: {without:#?}");
    let stale: Vec<_> = pages.iter().filter(|code| !made.contains_key(**code)).collect();
    assert!(stale.is_empty(), "these sections in docs/guide/src/errors.md are of codes that nothing makes: {stale:?}");
    assert!(made.len() > 90, "only {} codes found", made.len());
}

#[test]
fn codes_are_found_where_errors_are_made() {
    let source = "JobError::new(\n \"a-code\", x); Y { code: \"other-code\" } format!(\"code: {x}\") \n#[cfg(test)]\nmod tests { JobError::new(\"test\")";
    assert_eq!(codes("x.rs", source), ["a-code", "other-code"].map(str::to_owned).into());
    assert_eq!(codes("plugin/src/error.rs", "Self::X => \"bad\","), ["bad"].map(str::to_owned).into());
}

/// A page's example: files with their names, and the command.
fn example(page: &Page) -> Option<(Vec<(&str, &str)>, &str)> {
    let mut files = Vec::new();
    let mut command = None;
    for block in page.text.split("\n```").skip(1).step_by(2) {
        let (info, text) = block.split_once('\n').expect("a block has lines");
        match info.split_once(' ') {
            Some((_, name)) => files.push((name, text)),
            None if info == "console" => command = text.trim().strip_prefix("$ "),
            None => panic!("{}: what is ```{info} for?", page.code),
        }
    }
    command.map(|command| (files, command))
}

#[test]
fn each_example_gives_its_code() {
    let mut shown = 0;
    for page in PAGES.iter() {
        let Some((files, command)) = example(page) else {
            assert!(page.text.contains("\nNo example: "), "{}: an example, or why there is none", page.code);
            continue;
        };
        assert!(!page.text.contains("No example"), "{}: an example and none", page.code);
        let folder = Folder::new();
        for (name, text) in files {
            folder.write(name, format!("{text}\n"));
        }
        let words = command.strip_prefix("wasmill ").expect("a command of the program");
        let (words, out) = words.split_once(" > ").map_or((words, None), |(words, file)| (words, Some(file)));
        let mut run = folder.command(&words.split(' ').collect::<Vec<_>>());
        if let Some(file) = out {
            run.stdout(fs::OpenOptions::new().write(true).open(file).expect("there"));
        }
        let ended = Ended::of(run.output().expect("the program starts"));
        let (error, warning) = (format!("error[{}]: ", page.code), format!("warning[{}]: ", page.code));
        assert!(ended.err.contains(&error) || ended.err.contains(&warning), "{}: {command}: {ended:#?}", page.code);
        shown += 1;
    }
    assert!(shown > 40, "{shown} examples");
}

#[test]
fn a_code_is_explained_and_a_wrong_one_gets_the_nearest() {
    let folder = Folder::new();
    let page = folder.run(&["explain-error", "unknown-column"]);
    assert!(page.out.starts_with("unknown-column\n\nA column that the input doesn't have.\n"), "{page:?}");
    assert_eq!(folder.run(&["explain-error", "error[unknown-column]:"]).out, page.out);
    let all = folder.run(&["explain-error"]);
    assert_eq!((all.code, all.out.lines().count()), (Some(0), PAGES.len()));
    assert!(all.out.contains("unknown-column              A column that the input doesn't have.\n"), "{}", all.out);
    folder
        .run(&["explain-error", "unknown-colum"])
        .says(2, &["error[unknown-code]: there is no error `unknown-colum`\n   = hint: did you mean `unknown-column`?"]);
}
