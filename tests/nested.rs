//! Lists and structs where jobs in folders can't show them: beside plugins, in files of columns, over a kill.

mod program;

use std::thread::sleep;
use std::time::Duration;

use program::{Folder, plugin};

const SOURCE: &str = "name: nested
sources:
  rows:
    connector: file
    path: rows.ndjson
    format: json
    schema: { id: int64, mag: float64, depth: float64, tags: list<utf8>, at: \"struct<lat: float64, more: list<int64>>\" }
";

const ROWS: &str = r#"{"id":1,"mag":2.5,"depth":10.0,"tags":["a",null],"at":{"lat":1.5,"more":[1,2]}}
{"id":2,"mag":null,"depth":null,"tags":null,"at":null}
{"id":3,"mag":5.0,"depth":1.0,"tags":[],"at":{"lat":null,"more":null}}
"#;

#[test]
fn a_plugin_passes_on_lists_and_structs_and_does_not_read_them() {
    let grade = plugin("plugins/quake-grade").display().to_string();
    let folder = Folder::of_job(&format!(
        "{SOURCE}operators: {{ op: {{ input: rows, plugin: {grade} }} }}
sinks: {{ out: {{ input: op, connector: file, path: out.ndjson, format: json }} }}
dead-letters: {{ connector: file, path: dead.ndjson, format: json }}
"
    ));
    folder.write("rows.ndjson", ROWS);
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    let out = folder.read("out.ndjson");
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with(r#"{"id":1,"mag":2.5,"depth":10.0,"tags":["a",null],"at":{"lat":1.5,"more":[1,2]},"grade":"#),
        "{out}"
    );
    assert!(lines[1].starts_with(r#"{"id":3,"mag":5.0,"depth":1.0,"tags":[],"at":{"lat":null,"more":null},"grade":"#), "{out}");
    let dead = folder.read("dead.ndjson");
    assert!(dead.contains(r#""row":{"id":2,"mag":null,"depth":null,"tags":null,"at":null}"#), "{dead}");
    let listed = SOURCE.replace("mag: float64", "mag: list<float64>");
    folder.write(
        "job.yaml",
        format!("{listed}operators: {{ op: {{ input: rows, plugin: {grade} }} }}\nsinks: {{ out: {{ input: op, connector: blackhole }} }}\n"),
    );
    folder.run(&["validate", "job.yaml"]).says(
        2,
        &[
            "error[plugin-refused]: plugin ",
            "column `mag` of input `main` is utf8, but the operator reads float64",
            "it is told that these columns are utf8, which it can't read: mag list<float64>, tags list<utf8>, at struct<lat: float64",
        ],
    );
}

#[test]
fn lists_and_structs_go_from_format_to_format_and_stay_what_they_are() {
    let folder = Folder::new();
    folder.write("rows.ndjson", ROWS);
    folder.write(
        "job.yaml",
        format!("{SOURCE}sinks: {{ out: {{ input: rows, connector: file, path: rows.parquet, format: parquet }} }}\n"),
    );
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    for (from, to, path, target) in [
        ("parquet", "arrow", "rows.parquet", "rows.arrow"),
        ("arrow", "parquet", "rows.arrow", "again.parquet"),
        ("parquet", "json", "again.parquet", "out.ndjson"),
    ] {
        folder.write(
            "job.yaml",
            format!(
                "name: copy
sources: {{ rows: {{ connector: file, path: {path}, format: {from} }} }}
sinks: {{ out: {{ input: rows, connector: file, path: {target}, format: {to} }} }}
"
            ),
        );
        folder.run(&["run", "job.yaml"]).says(0, &[]);
    }
    assert_eq!(folder.read("out.ndjson"), ROWS);
    for file in ["rows.parquet", "rows.arrow"] {
        let ended = folder.run(&["schema", "infer", file]);
        ended.says(0, &["brings these columns itself"]);
        let expected = "schema:\n  id: int64\n  mag: float64\n  depth: float64\n  tags: list<utf8>\n  \
                        at: \"struct<lat: float64, more: list<int64>>\"\n";
        assert_eq!(ended.out, expected);
    }
}

#[test]
fn only_what_somebody_reads_is_read_and_a_schema_may_name_some_fields_of_a_struct() {
    let folder = Folder::new();
    folder.write("rows.ndjson", ROWS);
    folder.write(
        "job.yaml",
        format!("{SOURCE}sinks: {{ out: {{ input: rows, connector: file, path: rows.parquet, format: parquet }} }}\n"),
    );
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    let job = |schema: &str| {
        format!(
            "name: some
sources: {{ rows: {{ connector: file, path: rows.parquet, format: parquet, {schema} }} }}
operators:
  known: {{ input: rows, filter: \"id <> 2\" }}
  op: {{ input: known, select: {{ id: id, second: \"at.more[2]\" }} }}
sinks: {{ out: {{ input: op, connector: file, path: out.ndjson, format: json }} }}
"
        )
    };
    for schema in ["limit: 3", "schema: { at: \"struct<more: list<int64>>\", id: int64 }"] {
        folder.write("job.yaml", job(schema));
        folder.run(&["run", "job.yaml"]).says(0, &[]);
        assert_eq!(folder.read("out.ndjson"), "{\"id\":1,\"second\":2}\n{\"id\":3,\"second\":null}\n", "{schema}");
    }
    folder.write("job.yaml", job("schema: { at: \"struct<more: list<utf8>>\", id: int64 }"));
    folder.run(&["run", "job.yaml"]).says(
        2,
        &["rows.parquet: column `at`: expected struct<more: list<utf8>>, as `schema` says, found struct<lat: float64, more: list<int64>>"],
    );
}

#[test]
fn what_is_printed_of_json_with_objects_and_arrays_reads_it() {
    let folder = Folder::new();
    folder.write("rows.ndjson", "{\"a\":[{\"x y\":1,\"z\":\"q\"},{\"z\":null}],\"b\":{\"c\":[[1.5]]},\"e\":{}}\n");
    let ended = folder.run(&["schema", "infer", "rows.ndjson"]);
    ended.says(0, &[]);
    let expected = "schema:\n  a: 'list<struct<\"x y\": int64, z: utf8>> not null'\n  b: \"struct<c: list<list<float64>>> not null\"\n  \
                    # e: struct<> not null   # no type of a column\n";
    assert_eq!(ended.out, expected);
    let schema = ended.out.replace('\n', "\n    ");
    folder.write(
        "job.yaml",
        format!(
            "name: read\nsources:\n  rows:\n    connector: file\n    path: rows.ndjson\n    format: json\n    {schema}\n\
             sinks: {{ out: {{ input: rows, connector: file, path: out.ndjson, format: json }} }}\n"
        ),
    );
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    assert_eq!(folder.read("out.ndjson"), "{\"a\":[{\"x y\":1,\"z\":\"q\"},{\"x y\":null,\"z\":null}],\"b\":{\"c\":[[1.5]]}}\n");
}

#[test]
fn lists_that_an_aggregate_gathers_survive_a_kill() {
    let job = |durable: bool| {
        let (rate, checkpoint) = match durable {
            true => (", rate: 3000", "checkpoint: { every: 50ms, store: ./store }\n"),
            false => ("", ""),
        };
        format!(
            "name: gathered
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 9] }} }}, rows: 4000{rate} }} }}
operators:
  paired: {{ input: rows, with: {{ pair: \"named_struct('id', id, 'near', [id, id + 1])\" }} }}
  gathered: {{ input: paired, key-by: [key], aggregate: {{ pairs: array_agg(pair), kinds: array_agg(distinct id % 5), least: min(id) }}, emit: final }}
sinks: {{ out: {{ input: gathered, connector: file, path: out.ndjson, format: json }} }}
{checkpoint}"
        )
    };
    let sorted = |folder: &Folder| {
        let text = folder.read("out.ndjson");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let whole = Folder::of_job(&job(false));
    whole.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let killed = Folder::of_job(&job(true));
    let mut running = killed.command(&["run", "job.yaml", "--parallelism", "1"]).spawn().expect("a process");
    sleep(Duration::from_millis(800));
    running.kill().expect("a kill");
    running.wait().expect("an end");
    killed.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &["going on from checkpoint"]);
    assert_eq!(sorted(&killed), sorted(&whole));
    assert_eq!(sorted(&whole).len(), 10);
}
