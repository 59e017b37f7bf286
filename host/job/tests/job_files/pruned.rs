//! What is left unread of files of columns.

use wasmill_flow::column_type::describe;
use wasmill_job::graph::{Job, Operator, SourceConnector};

use crate::catalog::job;

/// A job that reads a Parquet file with the columns `a` to `d`, with these operators and sinks.
fn reading(options: &str, operators: &str, sinks: &str) -> Job {
    job(&format!(
        "name: t\nsources:\n  read: {{ connector: file, path: x.parquet, format: parquet{options} }}\noperators: {operators}\nsinks: {sinks}"
    ))
}

fn names(schema: &arrow_schema::Schema) -> String {
    schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(" ")
}

fn operator<'a>(job: &'a Job, name: &str) -> &'a Operator {
    job.operators.iter().find(|operator| operator.name == name).expect("an operator")
}

const SINK: &str = "{ s: { input: out, connector: blackhole } }";

#[test]
fn columns_that_nobody_reads_are_not_columns_of_the_source() {
    let job = reading(
        "",
        "{ f: { input: read, filter: d > 1 }, g: { input: f, filter: b > 1 }, out: { input: g, key-by: [d], aggregate: { n: count(*) } } }",
        SINK,
    );
    assert_eq!(names(&job.sources[0].schema), "b d");
    assert_eq!(job.sources[0].predicate.as_deref(), Some("d > 1"));
    let (f, g, out) = (operator(&job, "f"), operator(&job, "g"), operator(&job, "out"));
    assert_eq!(
        (names(&f.input().schema), names(&f.ports[0].schema), names(&g.ports[0].schema)),
        ("b d".into(), "b d".into(), "b d".into())
    );
    assert_eq!((names(&out.input().schema), &out.input().key_by, &out.input().reads), ("b d".into(), &vec![1], &Some(vec![1])));
    assert_eq!(out.ports[0].schema.fields().iter().map(|field| describe(field)).collect::<Vec<_>>(), ["int64 not null"; 2]);

    let job = reading(
        "",
        "{ one: { input: read, select: { x: c } }, out: { input: read, select: { a: a, c: c } } }",
        "{ s: { input: out, connector: blackhole }, t: { input: one, connector: blackhole } }",
    );
    assert_eq!(names(&job.sources[0].schema), "a c");
    assert_eq!(job.sources[0].predicate, None, "two read it");
    assert_eq!((&operator(&job, "one").input().reads, &operator(&job, "out").input().reads), (&Some(vec![1]), &None));

    let job = reading("", "{ out: { input: read, select: { x: \"1\" } } }", SINK);
    assert_eq!(names(&job.sources[0].schema), "a", "rows have a number by one column at least");
}

#[test]
fn what_event_time_needs_is_read_though_nobody_else_does() {
    let columns = ", schema: { a: int64, b: int64, at: timestamp, mark: timestamp, d: int64 }";
    let source = |rule| {
        let options = format!("{columns}, event-time: {{ field: at, {rule} }}");
        reading(&options, "{ out: { input: read, select: { x: d } } }", SINK).sources.remove(0)
    };
    let bounded = source("max-out-of-orderness: 5s");
    assert_eq!((names(&bounded.schema), bounded.event_time.map(|time| time.column)), ("at d".into(), Some(0)));
    let marked = source("watermark: mark");
    assert_eq!((names(&marked.schema), marked.event_time.map(|time| time.column)), ("at mark d".into(), Some(0)));
}

#[test]
fn what_passes_on_every_column_reads_every_column() {
    for (operators, sinks) in [
        ("{ out: { input: read, filter: d > 1 } }", SINK),
        ("{ out: { input: read, with: { x: a } } }", SINK),
        (
            "{ out: { input: read, select: { x: a } } }",
            "{ s: { input: out, connector: blackhole }, t: { input: read, connector: blackhole } }",
        ),
        (
            "{ f: { input: read, filter: a > 1 }, g: { input: read, filter: b > 1 }, u: { inputs: [f, g] }, out: { input: u, select: { x: a } } }",
            SINK,
        ),
    ] {
        assert_eq!(names(&reading("", operators, sinks).sources[0].schema), "a b c d", "{operators}");
    }
}

#[test]
fn rows_are_left_out_only_where_nobody_can_see_it() {
    let filter = "{ out: { input: read, filter: d > 1 } }";
    let predicate = |options, sinks| reading(options, filter, sinks).sources[0].predicate.clone();
    assert_eq!(predicate("", SINK).as_deref(), Some("d > 1"));
    assert_eq!(predicate(", limit: 5", SINK), None);
    assert_eq!(predicate("", "{ s: { input: out, connector: blackhole }, t: { input: read, connector: blackhole } }"), None);
    let timed = ", schema: { d: int64, at: timestamp }, event-time: { field: at, ascending: true }";
    assert_eq!(predicate(timed, SINK), None, "rows that are left out would raise no watermark");
    let json = job(&format!(
        "name: t\nsources:\n  read: {{ connector: file, path: x, format: json, schema: {{ d: int64, e: int64 }} }}\noperators: {{ f: {{ input: read, filter: d > 1 }}, out: {{ input: f, select: {{ x: d }} }} }}\nsinks: {SINK}"
    ));
    assert_eq!(
        (names(&json.sources[0].schema), &json.sources[0].predicate),
        ("d e".into(), &None),
        "every field of JSON is checked"
    );
}

#[test]
fn the_schema_of_a_file_of_columns_is_its_own_or_what_is_wanted_of_it() {
    let own = reading("", "{ out: { input: read, filter: d > 1 } }", SINK);
    assert!(matches!(own.sources[0].connector, SourceConnector::File { .. }));
    assert_eq!(names(&own.sources[0].schema), "a b c d");
    let wanted = reading(", schema: { d: int64, a: int64 }", "{ out: { input: read, filter: d > 1 } }", SINK);
    assert_eq!(names(&wanted.sources[0].schema), "d a");
}

#[test]
fn each_input_of_a_plugin_has_its_own_columns_of_a_file() {
    let job = reading(
        "",
        "{ some: { input: read, select: { x: c, y: d } }, out: { inputs: { one: read, two: some }, key-by: { one: [a], two: [x] }, \
         plugin: match } }",
        SINK,
    );
    assert_eq!(names(&job.sources[0].schema), "a c d");
    let inputs = &operator(&job, "out").inputs;
    assert_eq!((names(&inputs[0].schema), &inputs[0].key_by, &inputs[0].reads), ("a c d".into(), &vec![0], &Some(vec![0, 2])));
    assert_eq!((names(&inputs[1].schema), &inputs[1].key_by, &inputs[1].reads), ("x y".into(), &vec![0], &None));
}
