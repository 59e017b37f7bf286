//! What documents point at is there: links between files, and the source files that docs/ARCHITECTURE.md names.

use std::path::{Path, PathBuf};

use wasmill_tidy::{files, root, text};

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// The targets of `[text](target)` that are files.
fn links(document: &str) -> Vec<&str> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    targets.map(|target| target.split('#').next().unwrap_or(target)).collect()
}

/// Paths of source files, as `flow/src/key.rs`.
fn sources(document: &str) -> Vec<&str> {
    let words = document.split(|part: char| !part.is_ascii_alphanumeric() && !"_/.-".contains(part));
    words.filter(|word| word.contains('/') && word.ends_with(".rs")).collect()
}

/// Whether a source file is there, its path beginning at the root or with the name of a host's crate.
fn is_source(path: &str) -> bool {
    ["", "host"].iter().any(|folder| root().join(folder).join(path).is_file())
}

#[test]
fn every_link_leads_to_a_file() {
    let mut broken = Vec::new();
    for path in files("md").expect("the tree can be read") {
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let document = text(&path).expect("a document is text");
        let dead = links(&document).into_iter().filter(|target| !root().join(&folder).join(target).exists());
        broken.extend(dead.map(|target| format!("{}: {target}", path.display())));
    }
    assert!(broken.is_empty(), "these lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_source_file_that_the_architecture_names_is_there() {
    let document = text(ARCHITECTURE).expect("the architecture is text");
    let named = sources(&document);
    assert!(named.len() > 20, "only {} source files named", named.len());
    let missing: Vec<_> = named.into_iter().filter(|path| !is_source(path)).collect();
    assert!(missing.is_empty(), "{ARCHITECTURE} names files that aren't there:\n{}", missing.join("\n"));
}

#[test]
fn links_and_sources_are_found_in_text() {
    let document = "See [this](a/b.md#part), [that](https://example.org/x) and `flow/src/key.rs`, or key.rs.";
    assert_eq!(links(document), ["a/b.md"]);
    assert_eq!(sources(document), ["flow/src/key.rs"]);
}
