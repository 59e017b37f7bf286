//! Job files with keys, values and names that can't be, and what is said about them.

use crate::catalog::{around, problem, problems};

/// A job with these keys added.
fn with(keys: &str) -> String {
    format!("{}{keys}\n", around("  out: { input: quakes, filter: mag > 1 }"))
}

/// A job with this operator.
fn operator(text: &str) -> String {
    problem(&around(&format!("  out: {text}")))
}

/// A job with this source, and nothing wrong with its name.
fn source(text: &str) -> String {
    problem(&format!("name: t\nsources:\n  s: {text}\nsinks: {{ k: {{ input: s, connector: blackhole }} }}"))
}

/// A job with this sink.
fn sink(text: &str) -> String {
    problem(&format!("name: t\nsources: {{ s: {{ connector: generator, workload: micro }} }}\nsinks:\n  k: {text}"))
}

#[test]
fn what_is_no_mapping_is_no_job() {
    let expected = "expected a mapping with name, sources and sinks\n  --> jobs/job.yaml:1:1";
    assert_eq!(problem(""), format!("error[wrong-type]: found nothing, {expected}"));
    assert_eq!(problem("- a"), format!("error[wrong-type]: found a list, {expected}"));
    assert_eq!(problem("just text"), format!("error[wrong-type]: found the text `just text`, {expected}"));
}

#[test]
fn everything_that_is_missing_is_named() {
    let missing = problems("parallelism: 1");
    let first: Vec<&str> = missing.iter().filter_map(|problem| problem.lines().next()).collect();
    assert_eq!(
        first,
        [
            "error[missing-key]: expected `name`, the job's name",
            "error[missing-key]: expected `sinks`, at least one sink",
            "error[missing-key]: expected `sources`, at least one source",
        ]
    );
}

#[test]
fn the_whole_complaint_shows_the_line() {
    let text = around("  strong: { input: quakes, filter: \"magg >= 1.0\" }\n  out: { input: strong, filter: mag > 1 }");
    assert_eq!(
        problems(&text),
        [
            "error[unknown-column]: found `magg`, expected a column of quakes\n  --> jobs/job.yaml:4:37 (operators.strong.filter)\n  |\n4 |   strong: { input: quakes, filter: \"magg >= 1.0\" }\n  |                                     ^\n   = did you mean `mag`?"
        ]
    );
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_one() {
    assert_eq!(
        problem(&with("checkpont: { store: x }")),
        "error[unknown-key]: found `checkpont`, expected one of name, parallelism, max-parallelism, mode, batch, sources, operators, sinks, dead-letters, checkpoint, restart, limits, state\n  --> jobs/job.yaml:6:1 (checkpont)\n   = did you mean `checkpoint`?"
    );
    assert_eq!(
        operator("{ input: quakes, filter: mag > 1, fliter: x }"),
        "error[unknown-key]: found `fliter`, expected one of input, inputs, filter, select, with, drop, unnest, as, split, emit, key-by, broadcast, window, aggregate, retract-where, plugin, settings, limits, on-poison\n  --> jobs/job.yaml:4:42 (operators.out.fliter)\n   = did you mean `filter`?"
    );
    assert_eq!(
        sink("{ input: s, connector: blackhole, path: x }"),
        "error[unknown-key]: found `path`, expected one of input, connector\n  --> jobs/job.yaml:4:40 (sinks.k.path)"
    );
    assert_eq!(
        source("{ connector: generator, workload: micro, schema: { a: int64 } }"),
        "error[unknown-key]: found `schema`, expected one of connector, workload, fields, rows, rate, seed, limit, event-time, kind, event-rate\n  --> jobs/job.yaml:3:47 (sources.s.schema)"
    );
    assert_eq!(
        problem(&with("limits: { memry: 1MiB }")),
        "error[unknown-key]: found `memry`, expected one of memory, cpu-per-call, cpu-per-start, output-rows, output-bytes, log-rate\n  --> jobs/job.yaml:6:11 (limits.memry)\n   = did you mean `memory`?"
    );
}

#[test]
fn what_later_versions_bring_is_not_ignored() {
    let first = |problem: String| problem.lines().next().map(str::to_owned).expect("a line");
    for (keys, found) in [
        ("mode: batch", "`batch`"),
        ("state: { tier: disk }", "`disk`"),
        ("state: { memory: 1GiB }", "`memory`"),
        ("checkpoint: { store: \"hdfs://host/x\" }", "`hdfs://host/x`"),
        ("dead-letters: { connector: kafka, topic: x }", "`kafka`"),
        ("limits: { stack: 1MiB }", "`stack`"),
    ] {
        assert!(
            first(problem(&with(keys))).starts_with(&format!("error[not-in-this-version]: found {found}, expected ")),
            "{keys}"
        );
    }
    for (operator, found) in [
        ("{ join: { left: quakes, right: quakes }, on: { left: [id], right: [id] } }", "`join`"),
        ("{ input: quakes, key-by: [net], aggregate: { n: { plugin: energy, of: [mag], on-poison: skip } } }", "`skip`"),
    ] {
        let all = problems(&around(&format!("  out: {operator}")));
        assert!(
            first(all[0].clone()).starts_with(&format!("error[not-in-this-version]: found {found}, expected ")),
            "{operator}: {all:?}"
        );
        assert!(all.iter().all(|problem| problem.contains("[not-in-this-version]")), "{operator}: {all:?}");
    }
    for (text, found) in [
        ("{ connector: kafka, topic: x }", "`kafka`"),
        ("{ connector: stdio, format: { type: parquet }, schema: { a: int64 } }", "columns from standard input"),
        (
            "{ connector: file, path: x.gz, follow: true, format: json, schema: { a: int64 } }",
            "a compressed file that is followed",
        ),
        (
            "{ connector: file, path: x/, follow: true, parallel-files: true, format: json, schema: { a: int64 } }",
            "`follow` with `parallel-files`",
        ),
        (
            "{ connector: file, path: x/, parallel-files: true, limit: 3, format: json, schema: { a: int64 } }",
            "`parallel-files` with `limit`",
        ),
        ("{ connector: file, path: \"s3://b/x\", format: json, schema: { a: int64 } }", "`s3://b/x`"),
    ] {
        assert!(first(source(text)).starts_with(&format!("error[not-in-this-version]: found {found}, expected ")), "{text}");
    }
    assert_eq!(
        sink("{ input: s, connector: stdio, format: arrow }"),
        "error[not-in-this-version]: found columns to standard output, expected `connector: file`, or rows as json\n  --> jobs/job.yaml:4:44 (sinks.k.format)"
    );
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    assert_eq!(
        problem(&with("parallelism: many")),
        "error[wrong-type]: found the text `many`, expected a whole number from 1 to 32768\n  --> jobs/job.yaml:6:14 (parallelism)"
    );
    assert_eq!(
        problem(&with("parallelism: \"2\"")),
        "error[wrong-type]: found the text `2`, expected a whole number from 1 to 32768\n  --> jobs/job.yaml:6:14 (parallelism)"
    );
    assert_eq!(
        problem(&with("max-parallelism: 99999999999999999999")),
        "error[invalid-value]: found `99999999999999999999`, expected a whole number from 1 to 32768\n  --> jobs/job.yaml:6:18 (max-parallelism)"
    );
    assert_eq!(
        problem(&with("parallelism: 200")),
        "error[invalid-value]: found `200`, expected 1 to 128 tasks, the number of key groups\n  --> jobs/job.yaml:6:14 (parallelism)\n   = `max-parallelism` says how many key groups there are; it is fixed for the life of the state"
    );
    assert_eq!(
        problem(&with("batch: { max-rows: 0 }")),
        "error[invalid-value]: found `0`, expected a whole number from 1 to 1000000\n  --> jobs/job.yaml:6:20 (batch.max-rows)"
    );
    assert_eq!(
        problem(&with("batch: { max-bytes: 1MB }")),
        "error[invalid-value]: found `1MB`, expected a size, as 512B, 64KiB, 1MiB or 2GiB\n  --> jobs/job.yaml:6:21 (batch.max-bytes)"
    );
    assert_eq!(
        problem(&with("batch: { max-bytes: 2GiB }")),
        "error[invalid-value]: found `2GiB`, expected a size from 1B to 1GiB\n  --> jobs/job.yaml:6:21 (batch.max-bytes)"
    );
    assert_eq!(
        problem(&with("checkpoint: { every: 1, store: x }")),
        "error[wrong-type]: found the number 1, expected a duration, as 250ms, 1s, 10min, 2h or 7d\n  --> jobs/job.yaml:6:22 (checkpoint.every)"
    );
    assert_eq!(
        problem(&with("checkpoint: { every: 0s, store: x }")),
        "error[invalid-value]: found `0s`, expected a duration of at least 1ms\n  --> jobs/job.yaml:6:22 (checkpoint.every)"
    );
    assert_eq!(
        problem(&with("checkpoint: {}")),
        "error[missing-key]: expected `store`, the directory or the URL of the bucket that checkpoints are kept in\n  --> jobs/job.yaml:6:1 (checkpoint.store)"
    );
    assert_eq!(
        sink("{ input: s, connector: file, path: \"s3:///x/\", format: json }"),
        "error[invalid-value]: found `s3:///x/`, expected a bucket behind `//`, as in s3://bucket/prefix\n  --> jobs/job.yaml:4:41 (sinks.k.path)"
    );
    assert_eq!(
        sink("{ input: s, connector: file, path: \"ftp://x/\", format: json }"),
        "error[not-in-this-version]: found `ftp://x/`, expected a path of the local file system, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix\n  --> jobs/job.yaml:4:41 (sinks.k.path)"
    );
    assert_eq!(
        problem(&with("checkpoint:")),
        "error[wrong-type]: found nothing, expected a mapping with store\n  --> jobs/job.yaml:6:1 (checkpoint)"
    );
    assert_eq!(
        source("{ connector: file, path: 7, format: json, schema: { a: int64 } }"),
        "error[wrong-type]: found the number 7, expected the path of a file\n  --> jobs/job.yaml:3:31 (sources.s.path)\n   = put it in quotes: \"7\""
    );
    assert_eq!(
        source("{ connector: fil, path: x, format: json, schema: { a: int64 } }"),
        "error[invalid-value]: found `fil`, expected one of file, stdio, generator\n  --> jobs/job.yaml:3:19 (sources.s.connector)\n   = did you mean `file`?"
    );
    assert_eq!(
        operator("{ input: quakes, key-by: net, aggregate: { n: count(*) } }"),
        "error[wrong-type]: found the text `net`, expected a list of columns: [net]\n  --> jobs/job.yaml:4:33 (operators.out.key-by)"
    );
    assert_eq!(
        operator("{ input: quakes, select: [mag] }"),
        "error[wrong-type]: found a list, expected columns: a mapping from name to expression\n  --> jobs/job.yaml:4:33 (operators.out.select)"
    );
    assert_eq!(
        operator("{ input: quakes, plugin: grade, settings: { a: [1, .nan] } }"),
        "error[invalid-value]: found the number .nan, expected a number that JSON can have: an integer of 64 bits or a finite number\n  --> jobs/job.yaml:4:59 (operators.out.settings.a[1])\n   = put it in quotes"
    );
}

#[test]
fn sources_say_what_they_need() {
    let all = problems("name: t\nsources:\n  s: { connector: file }\nsinks: { k: { input: s, connector: blackhole } }");
    let first: Vec<&str> = all.iter().filter_map(|problem| problem.lines().next()).collect();
    assert_eq!(
        first,
        [
            "error[missing-key]: expected `path`, the file, its folder with a / at the end, or a pattern",
            "error[missing-key]: expected `format`, how rows are read: json, csv, parquet or arrow",
            "error[missing-key]: expected `schema`, its columns: a mapping from name to type",
        ]
    );
    assert_eq!(
        source("{ connector: generator }"),
        "error[missing-key]: expected `workload` or `fields`, what rows it makes\n  --> jobs/job.yaml:3:3 (sources.s)"
    );
    assert_eq!(
        source("{ connector: generator, workload: micro, fields: { a: sequence } }"),
        "error[misplaced-key]: found `workload`, expected `workload` or `fields`, not both\n  --> jobs/job.yaml:3:30 (sources.s.workload)"
    );
    assert_eq!(
        source("{ connector: generator, fields: { a: { uniform: [5, 1] } } }"),
        "error[invalid-value]: found `[5, 1]`, expected two whole numbers, the first not the greater: [0, 99999]\n  --> jobs/job.yaml:3:54 (sources.s.fields.a.uniform)"
    );
    assert_eq!(
        source("{ connector: generator, fields: { a: { every: 1s, start: yesterday } } }"),
        "error[invalid-value]: found `yesterday`, expected a moment, as 2024-01-01T00:00:00Z\n  --> jobs/job.yaml:3:63 (sources.s.fields.a.start)"
    );
    assert_eq!(
        source("{ connector: generator, fields: { a: sequenc } }"),
        "error[invalid-value]: found `sequenc`, expected sequence\n  --> jobs/job.yaml:3:43 (sources.s.fields.a)\n   = did you mean `sequence`?"
    );
    assert_eq!(
        source("{ connector: generator, workload: micro, rate: 0 }"),
        "error[invalid-value]: found the number 0, expected a number greater than 0\n  --> jobs/job.yaml:3:53 (sources.s.rate)"
    );
}

#[test]
fn column_types_are_those_of_the_contract() {
    let schema = |schema: &str| source(&format!("{{ connector: stdio, format: json, schema: {schema} }}"));
    let known = "expected one of boolean, int32, int64, uint64, float32, float64, decimal(p,s), date, timestamp, utf8, binary, list<T>, struct<a: T, b: T>";
    assert_eq!(
        schema("{ a: string }"),
        format!(
            "error[unknown-type]: found `string`, {known}\n  --> jobs/job.yaml:3:53 (sources.s.schema.a)\n   = did you mean `utf8`?"
        )
    );
    assert_eq!(
        schema("{ a: flaot64 not null }"),
        format!(
            "error[unknown-type]: found `flaot64`, {known}\n  --> jobs/job.yaml:3:53 (sources.s.schema.a)\n   = did you mean `float64`?"
        )
    );
    assert_eq!(
        schema("{ a: \"decimal(50,2)\" }"),
        "error[invalid-value]: found `decimal(50,2)`, expected decimal(p,s) with p from 1 to 38 and s from 0 to p\n  --> jobs/job.yaml:3:53 (sources.s.schema.a)"
    );
    assert_eq!(
        schema("{ a: list<struct> }"),
        "error[invalid-value]: found `>` in `list<struct>`, expected `<` and the fields: struct<a: T, b: T>\n  --> jobs/job.yaml:3:64 (sources.s.schema.a)"
    );
    assert_eq!(
        schema("{ a: 'struct<x: list<array>>' }"),
        format!(
            "error[unknown-type]: found `array`, {known}\n  --> jobs/job.yaml:3:69 (sources.s.schema.a)\n   = did you mean `list<T>`?"
        )
    );
    assert_eq!(
        schema("{ a: list<int64 }"),
        "error[invalid-value]: found its end in `list<int64`, expected `>` behind the type of the items\n  --> jobs/job.yaml:3:63 (sources.s.schema.a)\n   = within { } a comma ends a value: write the type in quotes"
    );
    assert_eq!(
        schema("{}"),
        "error[invalid-value]: found no columns, expected at least one column\n  --> jobs/job.yaml:3:48 (sources.s.schema)"
    );
    let cut = problems(
        "name: t\nsources:\n  s: { connector: stdio, format: json, schema: { a: decimal(10,2) } }\nsinks: { k: { input: s, connector: blackhole } }",
    );
    assert!(cut[0].ends_with("= within { } a comma ends a value: write \"decimal(p,s)\" in quotes"), "{}", cut[0]);
}

#[test]
fn names_are_those_of_the_contract() {
    assert_eq!(
        problem(&with("").replace("name: t", "name: My Job")),
        "error[invalid-name]: found `My Job`, expected a name: a letter a-z, then up to 62 of a-z, 0-9, _ and -\n  --> jobs/job.yaml:1:7 (name)\n   = did you mean `my-job`?"
    );
    assert_eq!(
        problem(&around("  Out: { input: quakes, filter: mag > 1 }").replace("input: out", "input: Out")),
        "error[invalid-name]: found `Out`, expected a name: a letter a-z, then up to 62 of a-z, 0-9, _ and -\n  --> jobs/job.yaml:4:3 (operators.Out)\n   = did you mean `out`?"
    );
    assert_eq!(
        problem(&around("  out: { input: quakes, filter: mag > 1 }\n  quakes: { input: out, filter: mag > 1 }")),
        "error[duplicate-name]: found `quakes`, expected a name of its own among sources, operators and sinks\n  --> jobs/job.yaml:5:3 (operators.quakes)\n   = a source has it already in line 2"
    );
}

#[test]
fn an_aggregate_by_a_plugin_says_what_it_is_over() {
    let aggregate = |by: &str| operator(&format!("{{ input: quakes, key-by: [net], aggregate: {{ e: {by} }} }}"));
    assert_eq!(
        aggregate("{ plugin: energy }"),
        "error[missing-key]: expected `of`, the columns that it is over: [mag]\n  --> jobs/job.yaml:4:53 (operators.out.aggregate.e.of)"
    );
    assert_eq!(
        aggregate("{ plugin: energy, of: [] }").lines().next(),
        Some("error[invalid-value]: found an empty list, expected a list of columns: [mag]")
    );
    assert_eq!(
        aggregate("{ plugin: other, of: [mag] }").lines().next(),
        Some("error[plugin-not-found]: there is no jobs/other; expected a plugin that is an aggregate of these columns")
    );
}

#[test]
fn an_operator_has_one_verb_and_what_goes_with_it() {
    let verbs = "expected one verb: filter, select, with (and drop), unnest, split, aggregate (with key-by) or plugin";
    assert_eq!(operator("{ input: quakes }"), format!("error[missing-verb]: {verbs}\n  --> jobs/job.yaml:4:3 (operators.out)"));
    assert_eq!(
        operator("{ input: quakes, filter: mag > 1, select: { a: mag } }"),
        format!(
            "error[several-verbs]: found `filter` and `select`, {verbs}\n  --> jobs/job.yaml:4:3 (operators.out)\n   = make an operator of each, one reading the other"
        )
    );
    assert_eq!(
        operator("{ input: quakes, filter: mag > 1, key-by: [net] }"),
        "error[misplaced-key]: found `key-by`, expected `aggregate` or `plugin` beside it\n  --> jobs/job.yaml:4:42 (operators.out.key-by)"
    );
    assert_eq!(
        operator("{ input: quakes, filter: mag > 1, on-poison: skip }"),
        "error[misplaced-key]: found `on-poison`, expected `plugin` beside it\n  --> jobs/job.yaml:4:42 (operators.out.on-poison)"
    );
    assert_eq!(
        operator("{ input: quakes, aggregate: { n: count(*) } }"),
        "error[missing-key]: expected `key-by`, the columns that rows are grouped by: [net]\n  --> jobs/job.yaml:4:3 (operators.out.key-by)"
    );
    assert_eq!(
        operator("{ filter: mag > 1 }"),
        "error[missing-key]: expected `input`, the source or operator whose rows it takes\n  --> jobs/job.yaml:4:3 (operators.out.input)"
    );
    assert_eq!(
        operator("{ input: quakes, inputs: [quakes], filter: mag > 1 }"),
        "error[misplaced-key]: found `inputs`, expected `input` or `inputs`, not both\n  --> jobs/job.yaml:4:25 (operators.out.inputs)"
    );
    assert_eq!(
        operator("{ inputs: [] }"),
        "error[invalid-value]: found an empty list, expected a list of sources and operators: [x, y]\n  --> jobs/job.yaml:4:18 (operators.out.inputs)"
    );
}
