//! Job files whose parts don't fit together, and what is said about them.

use crate::catalog::{around, brief, job, loaded, problem, problems};

fn operator(text: &str) -> String {
    problem(&around(&format!("  out: {text}")))
}

/// A job of a generator and these sinks and other keys; the first stands in line 4.
fn sinks(text: &str) -> String {
    format!("name: t\nsources: {{ s: {{ connector: generator, workload: micro }} }}\nsinks:\n{text}")
}

#[test]
fn inputs_are_sources_and_operators() {
    assert_eq!(
        operator("{ input: quaks, filter: mag > 1 }"),
        "error[unknown-input]: found `quaks`, expected the name of a source or operator\n  --> jobs/job.yaml:4:17 (operators.out.input)\n   = did you mean `quakes`?"
    );
    assert_eq!(
        operator("{ inputs: [quakes, sink], filter: mag > 1 }"),
        "error[unknown-input]: found `sink`, expected the name of a source or operator\n  --> jobs/job.yaml:4:27 (operators.out.inputs[1])\n   = `sink` is a sink; read what it reads"
    );
    assert_eq!(
        problem(&around("  out: { input: graded.brokn, filter: why = 1 }\n  graded: { input: quakes, plugin: grade }")),
        "error[unknown-input]: found `graded.brokn`, expected an output of `graded`: main, broken\n  --> jobs/job.yaml:4:17 (operators.out.input)\n   = did you mean `graded.broken`?"
    );
    assert_eq!(
        operator("{ input: quakes.late, filter: mag > 1 }"),
        "error[unknown-input]: found `quakes.late`, expected an output of `quakes`: main\n  --> jobs/job.yaml:4:17 (operators.out.input)"
    );
}

#[test]
fn a_cycle_is_named_whole() {
    assert_eq!(
        problem(&around(
            "  a: { input: c, filter: mag > 1 }\n  b: { inputs: [quakes, a] }\n  c: { input: b, filter: mag > 1 }\n  out: { input: c, filter: nonsense > 1 }"
        )),
        "error[cycle]: found a -> b -> c -> a, expected operators that don't read what they write\n  --> jobs/job.yaml:4:15 (operators.a.input)\n   = let one of them read a source instead"
    );
    assert_eq!(
        operator("{ input: out, filter: mag > 1 }"),
        "error[cycle]: found out -> out, expected operators that don't read what they write\n  --> jobs/job.yaml:4:17 (operators.out.input)\n   = let one of them read a source instead"
    );
}

#[test]
fn columns_are_those_of_the_input() {
    assert_eq!(
        operator("{ input: quakes, key-by: [net, nett], aggregate: { n: count(*) } }"),
        "error[unknown-column]: found `nett`, expected a column of quakes\n  --> jobs/job.yaml:4:39 (operators.out.key-by[1])\n   = did you mean `net`?"
    );
    assert_eq!(
        operator("{ input: quakes, drop: [elsewhere] }"),
        "error[unknown-column]: found `elsewhere`, expected a column of quakes\n  --> jobs/job.yaml:4:32 (operators.out.drop[0])\n   = its columns are id, net, mag"
    );
    assert_eq!(
        operator("{ input: quakes, key-by: [net], aggregate: { top: 'max(magg)' } }"),
        "error[unknown-column]: found `magg`, expected a column of quakes\n  --> jobs/job.yaml:4:63 (operators.out.aggregate.top)\n   = did you mean `mag`?"
    );
    assert_eq!(
        operator("{ input: quakes, key-by: [net, net], aggregate: { n: count(*) } }"),
        "error[duplicate-column]: found `net`, expected each column of a key once\n  --> jobs/job.yaml:4:39 (operators.out.key-by[1])"
    );
    assert_eq!(
        operator("{ input: quakes, key-by: [net], aggregate: { net: count(*) } }"),
        "error[duplicate-column]: found `net`, expected a name that no column of the key has: those come out too\n  --> jobs/job.yaml:4:53 (operators.out.aggregate.net)"
    );
    assert_eq!(
        operator("{ input: quakes, with: { mag: 1 }, drop: [mag] }"),
        "error[duplicate-column]: found `mag`, expected a column in `with` or in `drop`, not in both\n  --> jobs/job.yaml:4:50 (operators.out.drop[0])"
    );
    assert_eq!(
        operator("{ input: quakes, drop: [mag, net, id] }"),
        "error[invalid-value]: found no columns left, expected at least one column that isn't dropped\n  --> jobs/job.yaml:4:32 (operators.out.drop[0])"
    );
}

#[test]
fn a_split_has_the_outputs_that_it_names_and_no_main_one() {
    let split = |reader: &str| {
        problem(&around(&format!(
            "  parts: {{ input: quakes, split: {{ big: mag > 5, small: mag < 2 }} }}\n  out: {{ input: {reader}, filter: mag > 1 }}"
        )))
    };
    assert_eq!(
        split("parts.bigg"),
        "error[unknown-input]: found `parts.bigg`, expected an output of `parts`: big, small, rest\n  --> jobs/job.yaml:5:17 (operators.out.input)\n   = did you mean `parts.big`?"
    );
    assert_eq!(
        split("parts"),
        "error[unknown-input]: found `parts`, expected an output of `parts`: big, small, rest\n  --> jobs/job.yaml:5:17 (operators.out.input)\n   = name the one that is meant, as in `parts.big`"
    );
    let parts = |split: &str| {
        problem(&around(&format!("  parts: {{ input: quakes, split: {split} }}\n  out: {{ input: parts.big, filter: mag > 1 }}")))
    };
    assert_eq!(
        parts("{ big: mag }"),
        "error[invalid-expression]: found `mag`, which is float64, expected a condition, which is boolean\n  --> jobs/job.yaml:4:41 (operators.parts.split.big)\n   = compare it with something, as in `mag >= 1`"
    );
    assert_eq!(
        parts("{ big: mag > 5, rest: mag > 1 }"),
        "error[duplicate-name]: found `rest`, expected another name: `rest` is the output of the rows for which no condition is true\n  --> jobs/job.yaml:4:50 (operators.parts.split.rest)"
    );
    assert_eq!(
        parts("{ big: mag > 5, Two: mag > 1 }"),
        "error[invalid-name]: found `Two`, expected a name: a letter a-z, then up to 62 of a-z, 0-9, _ and -\n  --> jobs/job.yaml:4:50 (operators.parts.split.Two)\n   = did you mean `two`?"
    );
}

#[test]
fn what_is_emitted_at_the_end_needs_an_end() {
    assert_eq!(
        operator("{ input: quakes, key-by: [net], aggregate: { n: count(*) }, emit: often }"),
        "error[invalid-value]: found `often`, expected final\n  --> jobs/job.yaml:4:74 (operators.out.emit)"
    );
    assert_eq!(
        operator("{ input: quakes, filter: mag > 1, emit: final }"),
        "error[misplaced-key]: found `emit`, expected `aggregate` beside it\n  --> jobs/job.yaml:4:42 (operators.out.emit)"
    );
    let job = |source: &str| {
        let text = format!(
            "name: t\nsources: {{ made: {{ connector: generator, workload: micro{source} }} }}\noperators:\n  f: {{ input: made, filter: key > 1 }}\n  out: {{ input: f, key-by: [key], aggregate: {{ n: count(*) }}, emit: final }}\nsinks: {{ sink: {{ input: out, connector: blackhole }} }}"
        );
        loaded(&text).expect("a job").1
    };
    assert_eq!(job(", rows: 10"), Vec::<String>::new());
    assert_eq!(job(", limit: 10"), Vec::<String>::new());
    let warnings = job("");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(
        brief(&warnings[0]),
        "warning[never-emits]: found `final`, expected input that ends\n  --> jobs/job.yaml:5:69 (operators.out.emit)\n   = `made` has no end, so that no row ever comes out; give it `rows` or `limit`, or leave `emit` out"
    );
}

#[test]
fn state_that_grows_without_end_is_warned_of() {
    let job = |source: &str, operator: &str| {
        let text = format!(
            "name: t\nsources: {{ made: {{ connector: generator, workload: micro{source} }} }}\noperators:\n  out: {operator}\nsinks: {{ sink: {{ input: out, connector: blackhole }} }}"
        );
        loaded(&text).expect("a job").1
    };
    let counted = "{ input: made, key-by: [key], aggregate: { n: count(*), top: max(value) } }";
    assert_eq!(job(", rows: 10", counted), Vec::<String>::new());
    let warnings = job("", counted);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(
        brief(&warnings[0]),
        "warning[state-grows]: found `key`, expected a key that has only so many values, or state that is forgotten\n  --> jobs/job.yaml:4:32 (operators.out.key-by[0])\n   = `made` has no end, and n, top of each new key is kept for ever: count in a `window`, whose state is forgotten, or leave it so where they are few"
    );
    let plugin = job("", "{ input: made, key-by: [key], plugin: count }");
    assert!(
        plugin[0].contains("seen of each new key is kept for ever: have the plugin forget it (`ExpiringState`)"),
        "{plugin:?}"
    );
}

#[test]
fn keys_and_csv_have_no_lists_and_structs() {
    let listed = |operator: &str| around(&format!("  l: {{ input: quakes, select: {{ a: '[1]' }} }}\n  out: {operator}"));
    assert_eq!(
        problem(&listed("{ input: l, key-by: [a], aggregate: { n: count(*) } }")),
        "error[invalid-value]: found `a`, which is list<int64>, expected a column that a key can have: no list and no struct\n  --> jobs/job.yaml:5:29 (operators.out.key-by[0])\n   = make a column of a part of it with `with`, as its first item or a field, and key by that"
    );
    let sink = |connector: &str| listed("{ input: l, unnest: a }").replace("{ input: out, connector: blackhole }", connector);
    assert_eq!(
        problem(&sink("{ input: l, connector: file, path: x.csv, format: csv }")),
        "error[type-not-in-csv]: found column `a`, which is list<int64>, expected columns that CSV can have: no list and no struct\n  --> jobs/job.yaml:6:25 (sinks.sink.input)\n   = `drop` it or `select` parts of it before, `unnest` it, or write json, parquet or arrow"
    );
    job(&sink("{ input: out, connector: stdio, format: csv }"));
    job(&sink("{ input: l, connector: stdio, format: json }"));
    assert_eq!(
        problem(
            "name: t\nsources:\n  s: { connector: stdio, format: csv, schema: { a: int64, b: list<utf8> } }\nsinks: { k: { input: s, connector: blackhole } }"
        ),
        "error[type-not-in-csv]: found `list<utf8>`, expected a type that a field of CSV can have: no list and no struct\n  --> jobs/job.yaml:3:62 (sources.s.schema.b)\n   = read the field as utf8, or leave the column out"
    );
}

#[test]
fn only_lists_are_unnested() {
    assert_eq!(
        operator("{ input: quakes, unnest: net, as: n }"),
        "error[invalid-value]: found `net`, which is utf8, expected a column of lists\n  --> jobs/job.yaml:4:33 (operators.out.unnest)"
    );
    assert_eq!(
        operator("{ input: quakes, unnest: nett }"),
        "error[unknown-column]: found `nett`, expected a column of quakes\n  --> jobs/job.yaml:4:33 (operators.out.unnest)\n   = did you mean `net`?"
    );
    assert_eq!(
        operator("{ input: quakes, filter: mag > 1, as: n }"),
        "error[misplaced-key]: found `as`, expected `unnest` beside it\n  --> jobs/job.yaml:4:42 (operators.out.as)"
    );
}

#[test]
fn expressions_are_checked_where_they_stand() {
    assert_eq!(
        operator("{ input: quakes, filter: mag > }"),
        "error[invalid-expression]: an operator without a right side; expected an SQL expression over the columns of quakes\n  --> jobs/job.yaml:4:37 (operators.out.filter)\n   = write what it is compared with"
    );
    assert_eq!(
        operator("{ input: quakes, key-by: [net], aggregate: { n: many(mag) } }"),
        "error[invalid-expression]: `many(mag)` is no aggregate; expected an SQL aggregate over the columns of quakes\n  --> jobs/job.yaml:4:56 (operators.out.aggregate.n)"
    );
    assert_eq!(
        operator("{ input: quakes, filter: mag }"),
        "error[invalid-expression]: found `mag`, which is float64, expected a condition, which is boolean\n  --> jobs/job.yaml:4:33 (operators.out.filter)\n   = compare it with something, as in `mag >= 1`"
    );
    assert_eq!(
        operator("{ input: quakes, select: { a: odd } }"),
        "error[unknown-type]: found `Int8`, expected a column's type: one of boolean, int32, int64, uint64, float32, float64, decimal(p,s), date, timestamp, utf8, binary\n  --> jobs/job.yaml:4:38 (operators.out.select.a)\n   = bring it into one of them with a cast"
    );
    assert_eq!(
        operator("{ input: quakes, filter: }"),
        "error[wrong-type]: found nothing, expected an SQL expression\n  --> jobs/job.yaml:4:25 (operators.out.filter)"
    );
    let cut = problems(&around("  out: { input: quakes, select: { a: coalesce(mag, 0) } }"));
    assert!(
        cut.iter()
            .any(|problem| problem.ends_with("= within { } a comma ends a value: put an expression with a comma in quotes")),
        "{cut:?}"
    );
}

#[test]
fn what_a_plugin_says_is_passed_on() {
    assert_eq!(
        operator("{ input: quakes, plugin: grade, settings: { unknown: 7 } }"),
        "error[plugin-settings]: the plugin refuses its settings: unknown field `unknown` (7); expected a plugin that fits this operator\n  --> jobs/job.yaml:4:33 (operators.out.plugin)\n   = known are: felt-from"
    );
    assert_eq!(
        operator("{ input: quakes, plugin: ../nowhere }"),
        "error[plugin-not-found]: there is no jobs/../nowhere; expected a plugin that fits this operator\n  --> jobs/job.yaml:4:33 (operators.out.plugin)"
    );
    assert_eq!(
        operator("{ input: quakes, plugin: odd-types }"),
        "error[unknown-type]: found column `c` of output `main`, which is UInt8, expected a column's type: boolean, int32, int64, uint64, float32, float64, decimal(p,s), date, timestamp, utf8, binary\n  --> jobs/job.yaml:4:33 (operators.out.plugin)"
    );
}

#[test]
fn unions_are_of_equal_columns() {
    assert_eq!(
        problem(&around("  a: { input: quakes, with: { mag: 1 } }\n  out: { inputs: [quakes, a] }")),
        "error[unequal-schemas]: found column 3, `mag: float64 not null`, in `a`, expected column 3, `mag: float64`, as in `quakes`\n  --> jobs/job.yaml:5:27 (operators.out.inputs[1])\n   = bring them into one shape with a `select` before"
    );
    assert_eq!(
        problem(&around("  a: { input: quakes, drop: [mag] }\n  out: { inputs: [a, quakes] }")),
        "error[unequal-schemas]: found column 3, `mag: float64`, in `quakes`, expected no column 3 as in `a`\n  --> jobs/job.yaml:5:22 (operators.out.inputs[1])\n   = bring them into one shape with a `select` before"
    );
}

#[test]
fn a_file_is_written_by_one_only() {
    let file = |path: &str| format!("{{ input: s, connector: file, path: {path}, format: json }}");
    assert_eq!(
        problem(&sinks(&format!("  a: {}\n  b: {}", file("out/x"), file("./out/../out/x")))),
        "error[same-file]: found `./out/../out/x`, expected a file of its own: sink `a` writes it\n  --> jobs/job.yaml:5:41 (sinks.b.path)"
    );
    assert_eq!(
        problem(&sinks(&format!("  a: {}\ndead-letters: {{ connector: file, path: x, format: json }}", file("x")))),
        "error[same-file]: found `x`, expected a file of its own: sink `a` writes it\n  --> jobs/job.yaml:5:40 (dead-letters.path)"
    );
    assert_eq!(
        problem(
            &around("  out: { input: quakes, filter: mag > 1 }")
                .replace("connector: blackhole", "connector: file, path: q.ndjson, format: json")
        ),
        "error[same-file]: found `q.ndjson`, expected a file of its own: source `quakes` reads it\n  --> jobs/job.yaml:5:53 (sinks.sink.path)"
    );
    assert_eq!(
        problem(&sinks(&format!("  a: {}", file("job.yaml")))),
        "error[same-file]: found `job.yaml`, expected a file of its own: it is the job file\n  --> jobs/job.yaml:4:41 (sinks.a.path)"
    );
    assert_eq!(
        problem(&sinks(&format!("  a: {}\ncheckpoint: {{ store: x }}", file("x")))),
        "error[same-file]: found `x`, expected a file of its own: checkpoints are kept in it\n  --> jobs/job.yaml:4:41 (sinks.a.path)"
    );
    let stdio = "{ input: s, connector: stdio, format: json }";
    assert_eq!(
        problem(&sinks(&format!("  a: {stdio}\n  b: {stdio}"))),
        "error[same-file]: found `stdio`, expected a file of its own: sink `a` writes it\n  --> jobs/job.yaml:5:29 (sinks.b.connector)"
    );
}

#[test]
fn a_job_without_sinks_is_refused() {
    assert_eq!(
        problem(&sinks("").replace("sinks:", "sinks: {}")),
        "error[no-sink]: found no sinks, expected at least one: a job without a sink writes nothing\n  --> jobs/job.yaml:3:1 (sinks)"
    );
}

#[test]
fn all_problems_are_said_at_once_in_the_order_of_the_file() {
    let text = r#"name: Bad Name
paralelism: 2
sources:
  quakes: { connector: file, path: q.ndjson, format: jsn, schema: { id: utf8, mag: number } }
  good: { connector: generator, workload: micro }
operators:
  a: { input: good, filter: "valeu > 1", limit: 3 }
  b: { input: good, key-by: [kee], aggregate: { n: cuont(*) } }
  c: { input: missing, filter: x }
  d: { input: quakes, filter: "not checked" }
  e: { input: good, within: [0s, 1h] }
sinks:
  s: { input: b, connector: file, format: json }
  t: { input: nobody, connector: blackhole }
checkpoint: { every: soon, store: x }
"#;
    let found: Vec<String> = problems(text)
        .iter()
        .map(|problem| {
            let problem = brief(problem);
            let (first, rest) = problem.split_once('\n').expect("a place");
            let place = rest.lines().next().expect("a place").trim_start_matches("  --> jobs/job.yaml:").to_owned();
            format!("{place} {}", first.split(", expected").next().expect("a part").trim_start_matches("error"))
        })
        .collect();
    assert_eq!(
        found,
        [
            "1:7 (name) [invalid-name]: found `Bad Name`",
            "2:1 (paralelism) [unknown-key]: found `paralelism`",
            "4:54 (sources.quakes.format) [invalid-value]: found `jsn`",
            "4:84 (sources.quakes.schema.mag) [unknown-type]: found `number`",
            "7:30 (operators.a.filter) [unknown-column]: found `valeu`",
            "7:42 (operators.a.limit) [unknown-key]: found `limit`",
            "8:30 (operators.b.key-by[0]) [unknown-column]: found `kee`",
            "8:52 (operators.b.aggregate.n) [invalid-expression]: `cuont(*)` is no aggregate; expected an SQL aggregate over the columns of good",
            "9:15 (operators.c.input) [unknown-input]: found `missing`",
            "11:21 (operators.e.within) [not-in-this-version]: found `within`",
            "13:3 (sinks.s.path) [missing-key]: expected `path`, the file",
            "14:15 (sinks.t.input) [unknown-input]: found `nobody`",
            "15:22 (checkpoint.every) [invalid-value]: found `soon`",
        ]
    );
}
