//! What strangers use of the SDK: each item of it has an example that compiles, and its bindings are those of the contract.

use wasmill_tidy::{files, text};

/// Parts of the SDK that no operator's author names.
const INNER: &[&str] = &["bindings", "derive", "host", "tests", "template"];
const INNER_FILES: &[&str] = &[
    "component.rs",
    "instance.rs",
    "describe.rs",
    "panic_message.rs",
    "harness/cases/",
    "settings/",
    "state/fixed.rs",
    "state/varying.rs",
];

/// What an item begins with, at the beginning of a line.
const ITEMS: &[&str] = &["pub struct ", "pub enum ", "pub trait ", "pub type ", "pub const ", "pub fn ", "#[macro_export]"];

/// Public items whose documentation has no example.
fn without_example(source: &str) -> Vec<&str> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| ITEMS.iter().any(|item| line.starts_with(item))) {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
        let above: Vec<&&str> = above.collect();
        if !above.iter().any(|line| line.starts_with("/// ```") || line.contains("doc(hidden)")) {
            found.push(*line);
        }
    }
    found
}

#[test]
fn every_item_has_an_example() {
    let inner = |path: &str| {
        INNER.iter().any(|part| path.split('/').any(|name| name == *part)) || INNER_FILES.iter().any(|file| path.contains(file))
    };
    let mut found = Vec::new();
    let mut seen = 0;
    for path in files("rs").expect("the tree can be read").into_iter().filter(|path| path.starts_with("sdk/rust")) {
        let name = path.display().to_string();
        if inner(&name) {
            continue;
        }
        let source = text(&path).expect("a source file is text");
        seen += 1;
        found.extend(without_example(&source).into_iter().map(|item| format!("{name}: {item}")));
    }
    assert!(seen > 20, "only {seen} files of the SDK found");
    assert!(found.is_empty(), "these need an example:\n{}", found.join("\n"));
}

#[test]
fn an_item_without_an_example_is_found() {
    let source = "/// Said.\npub struct Bare;\n\n/// Said.\n///\n/// ```\n/// let x = 1;\n/// ```\n#[derive(Debug)]\npub struct Shown;\n\n\
                  #[doc(hidden)]\npub fn hidden() {}\n";
    assert_eq!(without_example(source), ["pub struct Bare;"]);
}
