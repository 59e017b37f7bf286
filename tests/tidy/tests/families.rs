//! No family of crates comes twice: two versions of one would be compiled twice, and their types don't fit each other.

use std::collections::{BTreeMap, BTreeSet};

/// How a family's members carry their versions.
enum Versions {
    /// All members are released together, under one version.
    Shared,
    /// Each member has a version of its own.
    Own,
}

/// Families by the beginning of their members' names, up to a `-`.
const FAMILIES: &[(&str, Versions)] = &[
    ("arrow", Versions::Shared),
    ("parquet", Versions::Shared),
    ("datafusion", Versions::Shared),
    ("wasmtime", Versions::Shared),
    ("cranelift", Versions::Shared),
    ("wasmparser", Versions::Own),
    ("wit-component", Versions::Own),
    ("wit-parser", Versions::Own),
    ("wasm-encoder", Versions::Own),
    ("tokio", Versions::Own),
    ("hyper", Versions::Own),
    ("rustls", Versions::Own),
    ("object_store", Versions::Own),
];

/// Names and versions of a lock file's packages, in its order.
fn packages(lock: &str) -> Vec<(&str, &str)> {
    lock.split("[[package]]").skip(1).filter_map(|package| Some((field(package, "name")?, field(package, "version")?))).collect()
}

/// The text of a field of a package.
fn field<'a>(package: &'a str, key: &str) -> Option<&'a str> {
    package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

/// Families that come more than once, in words.
fn doubled(lock: &str) -> Vec<String> {
    let packages = packages(lock);
    let mut found = Vec::new();
    for (family, versions) in FAMILIES {
        let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, version) in &packages {
            let rest = name.strip_prefix(family);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
                let group = if matches!(versions, Versions::Shared) { family } else { name };
                by_name.entry(group).or_default().insert(version);
            }
        }
        for (name, versions) in by_name.into_iter().filter(|(_, versions)| versions.len() > 1) {
            let versions: Vec<_> = versions.into_iter().collect();
            found.push(format!("{name} comes in versions {}", versions.join(" and ")));
        }
    }
    found
}

#[test]
fn no_family_comes_twice_in_the_host() {
    let lock = wasmill_tidy::text("Cargo.lock").expect("the lock file is checked in");
    assert!(packages(&lock).len() > 100, "the lock file was not understood");
    assert_eq!(doubled(&lock), Vec::<String>::new());
}

#[test]
fn no_family_comes_twice_in_the_plugins() {
    let lock = wasmill_tidy::text("plugins/Cargo.lock").expect("the lock file is checked in");
    assert!(packages(&lock).len() > 5, "the lock file was not understood");
    assert_eq!(doubled(&lock), Vec::<String>::new());
}

#[test]
fn a_family_that_comes_twice_is_named() {
    let package = |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n");
    let lock = package("arrow-array", "58.0.0") + &package("arrow-schema", "59.1.0") + &package("arrowhead", "1.0.0");
    let lock = lock
        + &package("tokio", "1.0.0")
        + &package("tokio-util", "0.7.0")
        + &package("hyper", "0.14.0")
        + &package("hyper", "1.0.0");
    assert_eq!(doubled(&lock), ["arrow comes in versions 58.0.0 and 59.1.0", "hyper comes in versions 0.14.0 and 1.0.0"]);
}
