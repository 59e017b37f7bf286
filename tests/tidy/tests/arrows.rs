//! Which crate may use which: the arrows, and the one home of each heavy dependency.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What each of our crates may use of ours, in any role: built with, built by, tested with.
const MAY_USE: &[(&str, &[&str])] = &[
    ("failpoint", &[]),
    ("bucket", &[]),
    ("flow", &[]),
    ("job", &["flow"]),
    ("state", &["flow"]),
    ("time", &["flow"]),
    ("checkpoint", &["flow", "failpoint", "bucket", "faulty-store"]),
    ("operator", &["flow", "state", "time"]),
    ("connector", &["flow", "bucket", "faulty-store"]),
    ("plugin", &["flow", "state", "time", "operator", "connector"]),
    ("runtime", &["flow", "failpoint", "job", "state", "time", "checkpoint", "operator", "connector", "faulty-store"]),
    (
        "cli",
        &[
            "flow",
            "failpoint",
            "job",
            "state",
            "time",
            "checkpoint",
            "operator",
            "connector",
            "plugin",
            "runtime",
            "faulty-store",
        ],
    ),
    // A component's side knows nothing of the host's.
    ("sdk", &["sdk-derive"]),
    ("sdk-derive", &[]),
    ("faulty-store", &[]),
    ("tidy", &["sdk"]),
    ("fuzz", &["flow", "job", "state", "checkpoint", "operator", "connector", "plugin"]),
];

/// Who alone may use a dependency from outside, by the beginning of its name.
const HOMES: &[(&str, &[&str])] = &[
    ("wasmtime", &["plugin"]),
    ("wasmparser", &["plugin"]),
    ("wit-component", &["plugin", "cli"]),
    ("wit-bindgen", &["sdk"]),
    ("datafusion", &["operator"]),
    ("saphyr", &["job"]),
    ("object_store", &["bucket", "checkpoint", "connector", "faulty-store", "cli"]),
    ("sqlx", &["connector"]),
    ("tokio", &["checkpoint", "connector", "plugin", "runtime", "cli", "faulty-store", "fuzz"]),
    ("anyhow", &["cli"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
];

/// What each of our crates uses, ours and others', by name; ours without `wasmill-`.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn uses() -> Uses {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(wasmill_tidy::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let name = |of: &Value| of["name"].as_str().map(|name| name.trim_start_matches("wasmill-").to_owned()).expect("a name");
    let list = |of: &Value| of.as_array().cloned().expect("a list");
    list(&metadata["packages"]).iter().map(|it| (name(it), list(&it["dependencies"]).iter().map(name).collect())).collect()
}

/// Every use that the tables above don't allow, in words.
fn forbidden(uses: &Uses) -> Vec<String> {
    let mut found = Vec::new();
    for (user, used) in uses {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| name == user) else {
            found.push(format!("{user} is a crate without a place: add it to the arrows"));
            continue;
        };
        for name in used {
            if uses.contains_key(name) && !allowed.contains(&name.as_str()) {
                found.push(format!("{user} uses {name}, which no arrow allows"));
            }
            let home = HOMES.iter().find(|(prefix, _)| name.starts_with(prefix));
            if let Some((_, homes)) = home.filter(|(_, homes)| !homes.contains(&user.as_str())) {
                found.push(format!("{user} uses {name}, whose place is {}", homes.join(", ")));
            }
        }
    }
    found
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let found = forbidden(&uses());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_crate_of_the_arrows_is_there() {
    let uses = uses();
    let missing: Vec<_> = MAY_USE.iter().map(|(name, _)| name).filter(|name| !uses.contains_key(**name)).collect();
    assert!(missing.is_empty(), "the arrows name {missing:?}, which are no crates of the workspace");
}

#[test]
fn an_arrow_against_the_rules_is_named() {
    let uses = [("flow", vec!["arrow-array", "job"]), ("job", vec!["flow", "wasmtime"]), ("extra", vec![])];
    let uses = uses.into_iter().map(|(user, used)| (user.to_owned(), used.into_iter().map(str::to_owned).collect())).collect();
    let expected = [
        "extra is a crate without a place: add it to the arrows",
        "flow uses job, which no arrow allows",
        "job uses wasmtime, whose place is plugin",
    ];
    assert_eq!(forbidden(&uses), expected);
}
