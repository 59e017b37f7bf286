//! Whatever the text, loading a job ends soon, with a job or with problems, and never with a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use wasmill_job::explain::explain;
use wasmill_job::plan::plan;

use crate::accepted::EARTHQUAKES;
use crate::catalog::loaded_with;

const GENERATED: &str = r#"{ name: g, max-parallelism: 8, sources: { s: { connector: generator, fields: { a: sequence, b: { uniform: [0, 9] },
 c: { one-of: [x, y] }, d: { every: 1s, start: "2024-01-01T00:00:00" } }, rate: 1e3 } }, operators: { u: { inputs: [s, s] },
 k: { input: u, key-by: [a, c], plugin: count, settings: { x: [1, 2.5, null, ~, {}] }, limits: { memory: 1KiB } } },
 sinks: { z: { input: k, connector: file, path: "${HOME_TOWN:-x}", format: { type: json } }, y: { input: k, connector: stdio, format: json } } }"#;

/// Loads, and where there is a job plans and explains it. There are problems or a job.
fn survives(text: &str) {
    match loaded_with(text, &[], None) {
        Ok((job, _)) => assert!(!explain(&job, &plan(&job)).is_empty()),
        Err(problems) => assert!(problems.iter().any(|problem| problem.starts_with("error[")), "{problems:?}"),
    }
}

/// Words and signs that mean something in a job file, or in YAML.
const PIECES: &[&str] = &[
    "name",
    "sources",
    "operators",
    "sinks",
    "input",
    "inputs",
    "filter",
    "select",
    "with",
    "drop",
    "key-by",
    "aggregate",
    "plugin",
    "settings",
    "limits",
    "quakes",
    "strong",
    "count(*)",
    "mag",
    "grade",
    "file",
    "json",
    "path",
    "1s",
    "1MiB",
    "0",
    "-1",
    "1e99",
    "null",
    "~",
    "true",
    "${X}",
    "${X:-1}",
    "${",
    "$${",
    ": ",
    "- ",
    ", ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "\n",
    "\n  ",
    "\t",
    "#",
    "&a ",
    "*a",
    "!x ",
    "|",
    ">",
    "? ",
    "---",
    "...",
    "%",
    "@",
    "`",
    "\u{feff}",
    "\u{0}",
    "é",
    "\u{1f600}",
    "\\",
    "<<: ",
    ".",
    "..",
    "/",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_yaml_like_text_is_survived(pieces in prop::collection::vec(piece(), 0..60)) {
        survives(&pieces.concat());
    }

    #[test]
    fn good_files_gone_bad_are_survived(
        good in prop::sample::select(&[EARTHQUAKES, GENERATED][..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, piece()), 1..5),
    ) {
        let mut text: Vec<char> = good.chars().collect();
        for (at, removed, piece) in changes {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + removed);
            text.splice(at..end, piece.chars());
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_override_is_survived(path in "[a-z.]{0,12}|operators\\.strong\\.(filter|input)|sinks\\.report", pieces in prop::collection::vec(piece(), 0..6)) {
        let value = pieces.concat();
        drop(loaded_with(EARTHQUAKES, &[(path.as_str(), value.as_str())], None));
    }
}

#[test]
fn the_good_files_are_good() {
    for text in [EARTHQUAKES, GENERATED] {
        loaded_with(text, &[], None).unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    }
}

#[test]
fn large_hostile_files_take_no_time() {
    let names: String = (0..2_000).map(|n| format!("  a{n}: {{ input: b{n}x, filter: x{n} }}\n")).collect();
    let chain: String = (0..2_000).map(|n| format!("  a{n}: {{ input: a{}, filter: mag > 1 }}\n", (n + 1) % 2_000)).collect();
    let tail: String = (0..2_000)
        .map(|n| {
            format!("  b{n}: {{ input: {}, filter: mag > 1 }}\n", if n == 0 { "a0".to_owned() } else { format!("b{}", n - 1) })
        })
        .collect();
    let columns: String = (0..5_000).map(|n| format!("column{n}: int64, ")).collect();
    let select: String = (0..5_000).map(|n| format!("x{n}: colum{n}, ")).collect();
    let texts = [
        format!("operators:\n{names}"),
        format!("operators:\n{chain}{tail}"),
        format!(
            "name: x\nsources: {{ s: {{ connector: stdio, format: json, schema: {{ {columns} }} }} }}\noperators: {{ o: {{ input: s, select: {{ {select} }} }} }}\nsinks: {{ k: {{ input: o, connector: blackhole }} }}"
        ),
        "a: ".repeat(1 << 18),
        "&a ".repeat(1 << 18),
        "\"\\u".repeat(1 << 18),
        "${".repeat(1 << 18),
        format!("name: \"{}\"", "${A:-".repeat(1 << 16)),
        format!("name: |\n{}", "  x\n".repeat(1 << 17)),
        "%TAG ! x\n".repeat(1 << 16),
        "'".repeat(1 << 20),
        "\n".repeat(1 << 20),
        "{a".repeat(1 << 18),
        "- - - x\n".repeat(1 << 16),
    ];
    for text in texts {
        let start = Instant::now();
        survives(&text);
        let head: String = text.chars().take(30).collect();
        assert!(start.elapsed() < Duration::from_secs(20), "{head:?} took {:?}", start.elapsed());
    }
}
