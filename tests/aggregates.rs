//! Aggregates by plugin: what hostile ones end with, what is refused, and what `plugin inspect` says of one.

mod program;

use std::path::Path;

use program::{Folder, from_root, plugin};

/// A job that sums the numbers from 0 to 9 by the guest, which does something else where it is told to.
fn job(guest: &Path, settings: &str, more: &str) -> String {
    format!(
        "name: hostile
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 1] }} }}, rows: 10 }} }}
operators:
  op:
    input: rows
    key-by: [key]
    aggregate: {{ n: count(*), sum: {{ plugin: \"{}\", of: [id], settings: {{ {settings} }}, limits: {{ cpu-per-call: 30ms }} }} }}
{more}sinks: {{ out: {{ input: op, connector: file, path: out.ndjson, format: json }} }}
",
        guest.display()
    )
}

#[test]
fn what_a_hostile_aggregate_does_ends_the_job_with_an_error_that_names_it() {
    let guest = plugin("tests/guests/hostile-aggregate");
    let ends = |settings: &str, texts: &[&str]| {
        Folder::of_job(&job(&guest, settings, "")).run(&["run", "job.yaml", "--parallelism", "1"]).says(1, texts);
    };
    let trapped = "trapped: wasm trap: wasm `unreachable` instruction executed";
    ends("do: trap, equals: 7", &["error[plugin-trap]: operator `op`, aggregate `sum` (plugin ", trapped, "{\"id\":7}"]);
    ends("do: trap, equals: 7", &["mend the plugin, or keep such rows away with a `filter` before it"]);
    ends("do: trap-in-open", &["error[plugin-trap]", trapped, " while it was opened"]);
    ends("do: loop, equals: 3", &["error[plugin-limit]", "took more than 30 ms of CPU time", "{\"id\":3}"]);
    ends("do: fail, equals: 3", &["error[plugin-failed]", ": enough"]);
    ends("do: retry, equals: 3", &["error[plugin-retry]", ": later; it asked for a retry 6 times in a row"]);
    let broken = |settings: &str, text: &str| ends(settings, &["error[plugin-trap]", "broke the contract: ", text]);
    broken("do: too-few-accumulators", "it returned 1 accumulators for 2 keys");
    broken("do: too-many-accumulators", "it returned 3 accumulators for 2 keys");
    broken("do: offsets-fall", "accumulators: its offsets start with 9, expected 0");
    broken("do: offsets-past-end", "accumulators: its offsets end with 1016, but it has 16 bytes");
    let narrow = "it returned accumulators with 15 bytes and 0 offsets, expected 2 of 8 bytes each and no offsets";
    broken("do: narrow-accumulators", narrow);
    broken("do: too-few-results", "column `sum`: has 0 values for 1 rows");
    broken("do: wrong-type", "column `sum`: expected int64, as the plan declares, found float64");
    broken("do: null-where-none", "column `sum`: a null in row 0, but the plan declares it as not nullable");
    let long = "an accumulator has 1048577 bytes, at most 1048576 are kept of a key";
    ends("do: long-accumulator", &["error[plugin-limit]", long]);
}

#[test]
fn a_hostile_aggregate_is_refused_before_the_job_starts_where_it_can_be() {
    let guest = plugin("tests/guests/hostile-aggregate");
    let refused = |settings: &str, texts: &[&str]| {
        Folder::of_job(&job(&guest, settings, "")).run(&["validate", "job.yaml"]).says(2, texts);
    };
    refused("do: trap-in-describe", &["error[plugin-trap]", "while it was asked what it does"]);
    refused("do: nameless-result", &["error[plugin-bad-plan]", "its plan makes no sense: a column is called \"\""]);
    refused("do: long-initial", &["error[plugin-bad-plan]", "`initial` has 1025 bytes, expected 1 to 1024"]);
    refused("do: nonsense", &["error[plugin-refused]", "settings: unknown variant `nonsense`"]);
}

#[test]
fn an_aggregate_that_fails_at_the_end_ends_the_job_and_one_that_does_not_gives_its_sums() {
    let guest = plugin("tests/guests/hostile-aggregate");
    let at_end = |settings: &str| Folder::of_job(&job(&guest, settings, "    emit: final\n"));
    at_end("do: trap-in-finish").run(&["run", "job.yaml"]).says(1, &["error[plugin-trap]", "aggregate `sum` (plugin "]);
    let folder = at_end("do: pass");
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    let written = folder.read("out.ndjson");
    let sums = written.lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row");
        row["sum"].as_i64().expect("a sum")
    });
    assert_eq!(sums.sum::<i64>(), 45);
}

#[test]
fn an_aggregate_is_inspected_as_one() {
    let built = plugin("plugins/quake-energy");
    let inspected = Folder::new().run(&["plugin", "inspect", &built.display().to_string()]);
    assert_eq!(inspected.code, Some(0), "{}", inspected.err);
    assert!(inspected.out.contains("wasmill:plugin/aggregate-function@0.1.0"), "{}", inspected.out);
    let folder = from_root("plugins/quake-energy").display().to_string();
    let asked = Folder::new().run(&["plugin", "inspect", &folder, "--schema", "{\"mag\": \"float64\"}"]);
    assert_eq!(asked.code, Some(0), "{}", asked.err);
    assert!(asked.out.contains("float64") && asked.out.contains("quake-energy"), "{}", asked.out);
}
