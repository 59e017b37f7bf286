//! Every dependency may be shipped with a program under Apache-2.0: its licence is one of a short list. `deny.toml` has the same list,
//! for `cargo deny`.

use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};
use wasmill_tidy::root;

/// Licences that ask for no more than to be named.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether one of the ways that a licence offers asks for nothing but what is allowed; an error where it is no licence.
fn is_allowed(licence: &str) -> Result<bool, String> {
    let expression = Expression::parse_mode(licence, ParseMode::LAX).map_err(|error| error.to_string())?;
    Ok(expression.evaluate(|needed| ALLOWED.contains(&needed.to_string().as_str())))
}

#[test]
fn every_dependency_may_be_shipped() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 200, "{} packages", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter_map(|package| {
            let name = &package["name"];
            match package["license"].as_str() {
                None => Some(format!("{name} has no licence")),
                Some(licence) => match is_allowed(licence) {
                    Ok(true) => None,
                    Ok(false) => Some(format!("{name} has licence {licence}")),
                    Err(error) => Some(format!("{name} has a licence that can't be read: {error}")),
                },
            }
        })
        .collect();
    assert!(refused.is_empty(), "{}\nexpected one of {}", refused.join("\n"), ALLOWED.join(", "));
}

#[test]
fn the_list_for_cargo_deny_is_the_same() {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let list = text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).expect("a list");
    let listed: Vec<&str> = list.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty()).collect();
    assert_eq!(listed, ALLOWED);
}

#[test]
fn a_licence_that_asks_for_more_is_refused() {
    assert_eq!(is_allowed("GPL-3.0-only"), Ok(false));
    assert_eq!(is_allowed("MIT AND LGPL-2.1-or-later"), Ok(false));
    assert_eq!(is_allowed("MIT OR LGPL-2.1-or-later"), Ok(true));
    assert_eq!(is_allowed("MIT/Apache-2.0"), Ok(true));
    assert!(is_allowed("whatever").is_err());
}
