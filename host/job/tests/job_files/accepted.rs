//! Job files that are fine, and what they become.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use wasmill_flow::column_type::describe;
use wasmill_job::graph::*;

use crate::catalog::{around, job, loaded};

/// The job of DESIGN.md, as far as this version goes.
pub const EARTHQUAKES: &str = r#"
name: earthquakes
sources:
  quakes:
    connector: file
    path: quakes.ndjson
    format: json
    schema: { id: utf8 not null, time: timestamp not null, net: utf8, mag: float64, place: utf8 }
operators:
  strong:  { input: quakes, filter: "mag >= 1.0" }
  graded:  { input: strong, plugin: ../plugins/grade, settings: { felt-from: 2.5 }, on-poison: dead-letter }
  per_net:
    input: strong
    key-by: [net]
    aggregate: { quakes: count(*), strongest: max(mag) }
sinks:
  report:  { input: per_net, connector: file, path: out/nets.ndjson, format: json }
  grades:  { input: graded, connector: file, path: out/grades.ndjson, format: { type: json, timestamps: ms } }
  broken:  { input: graded.broken, connector: stdio, format: json }
dead-letters: { connector: file, path: out/dead.ndjson, format: json, limit: 10 }
checkpoint: { every: 2s, store: ./out/checkpoints }
limits: { memory: 64MiB, cpu-per-call: 100ms }
"#;

fn columns(schema: &arrow_schema::Schema) -> Vec<String> {
    schema.fields().iter().map(|field| format!("{} {}", field.name(), describe(field))).collect()
}

#[test]
fn the_whole_job_is_read() {
    let (job, warnings) = loaded(EARTHQUAKES).expect("a job");
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((job.name.as_str(), job.parallelism, job.key_groups.count()), ("earthquakes", 4, 128));
    assert_eq!(job.batch, BatchLimits { max_rows: 1024, max_bytes: 1 << 20 });
    let SourceConnector::File { written, path, format, .. } = &job.sources[0].connector else { panic!("a file") };
    assert_eq!((written.as_str(), path), ("quakes.ndjson", &PathBuf::from("jobs/quakes.ndjson")));
    let defaults = JsonIn { timestamps: TimestampUnit::Milliseconds, reject_unknown_fields: false, max_row_bytes: 16 << 20 };
    assert_eq!(*format, FormatIn::Json(defaults));

    let names: Vec<&str> = job.operators.iter().map(|operator| operator.name.as_str()).collect();
    assert_eq!(names, ["strong", "graded", "per_net"]);
    assert_eq!(job.operators[0].verb, Verb::Filter("mag >= 1.0".to_owned()));
    assert_eq!(job.operators[0].input().from, [Upstream { node: NodeId::Source(0), port: 0 }]);
    assert_eq!(job.operators[0].input().reads, None);
    let plugin = Plugin {
        path: PathBuf::from("jobs/../plugins/grade"),
        settings: json!({ "felt-from": 2.5 }),
        on_poison: OnPoison::DeadLetter,
        limits: Limits { memory: Some(64 << 20), cpu_per_call: Some(Duration::from_millis(100)), ..Limits::default() },
    };
    assert_eq!(job.operators[1].verb, Verb::Plugin(plugin));
    assert_eq!(job.operators[2].input().key_by, [2]);
    assert_eq!(columns(&job.operators[2].ports[0].schema), ["net utf8", "quakes int64 not null", "strongest float64"]);

    assert_eq!(job.sinks[2].input, Upstream { node: NodeId::Operator(1), port: 1 });
    assert_eq!(columns(&job.sinks[2].schema), ["why utf8 not null"]);
    assert!(matches!(
        &job.sinks[1].connector,
        SinkConnector::File { format: FormatOut::Json(JsonOut { timestamps_as_millis: true }), .. }
    ));
    assert_eq!(job.dead_letters.as_ref().and_then(|letters| letters.limit), Some(10));
    let checkpoint = Checkpoint {
        every: Duration::from_secs(2),
        store: StorePlace::Directory("jobs/./out/checkpoints".into()),
        retain: 3,
        base_every: NonZero::new(10).expect("not 0"),
        timeout: Duration::from_mins(10),
        verify: Duration::from_hours(24),
    };
    assert_eq!(job.checkpoint, Some(checkpoint));
}

#[test]
fn a_source_and_a_sink_are_a_job() {
    let job = job(
        "{\"name\": \"copy\", \"sources\": {\"in\": {\"connector\": \"stdio\", \"format\": \"json\", \"schema\": {\"a\": \"int64\"}}}, \"sinks\": {\"out\": {\"input\": \"in\", \"connector\": \"stdio\", \"format\": \"json\"}}}",
    );
    assert!(job.operators.is_empty());
    assert_eq!(job.sinks[0].input, Upstream { node: NodeId::Source(0), port: 0 });
}

#[test]
fn every_setting_has_its_place() {
    let job = job(r#"
name: all
parallelism: 2
max-parallelism: 16
mode: streaming
batch: { max-rows: 10, max-bytes: 2KiB }
state: { tier: memory }
sources:
  made:
    connector: generator
    fields: { id: sequence, k: { uniform: [-5, 5] }, n: { one-of: [a, "1"] }, at: { every: 60us, disorder: 499ms, start: 2024-01-01T00:00:00Z } }
    rows: 100
    rate: 2.5
    seed: 7
    limit: 50
  micro: { connector: generator, workload: micro }
  bids: { connector: generator, workload: nexmark, kind: bid, event-rate: 10 }
  read:
    connector: file
    path: /abs.ndjson
    compression: gzip
    parallel-files: true
    format: { type: json, timestamps: us, unknown-fields: reject, max-row-bytes: 1KiB }
    schema:
      amount: decimal(10,2)
      day: date
operators:
  p:
    input: made
    key-by: [k]
    plugin: count
    limits: { memory: 1MiB, cpu-per-start: 2s, output-rows: 10, output-bytes: 1KiB, log-rate: 64KiB }
    on-poison: skip
sinks:
  a: { input: p, connector: file, path: a, format: json, existing: append }
  b: { input: micro, connector: file, path: b, format: json, existing: refuse }
  c: { input: read, connector: blackhole }
  d: { input: p, connector: file, path: d, format: { type: csv, header: false, delimiter: "\t", timestamps: ms }, compression: zstd }
checkpoint: { store: here, retain: 7 }
limits: { memory: 9MiB, cpu-per-call: 5ms }
"#);
    assert_eq!((job.parallelism, job.key_groups.count()), (2, 16));
    assert_eq!(job.batch, BatchLimits { max_rows: 10, max_bytes: 2048 });
    let generator = Generator {
        workload: Workload::Fields(vec![
            ("id".to_owned(), FieldRule::Sequence),
            ("k".to_owned(), FieldRule::Uniform(-5, 5)),
            ("n".to_owned(), FieldRule::OneOf(vec!["a".to_owned(), "1".to_owned()])),
            (
                "at".to_owned(),
                FieldRule::At { every_nanos: 60_000, disorder: Duration::from_millis(499), start_millis: 1_704_067_200_000 },
            ),
        ]),
        rows: Some(100),
        rate: Some(2.5),
        seed: 7,
    };
    assert_eq!(job.sources[0].connector, SourceConnector::Generator(generator));
    assert_eq!(job.sources[0].limit, Some(50));
    assert_eq!(
        columns(&job.sources[0].schema),
        ["id int64 not null", "k int64 not null", "n utf8 not null", "at timestamp not null"]
    );
    assert_eq!(
        columns(&job.sources[1].schema),
        ["id int64 not null", "key int64 not null", "ts timestamp not null", "value float64 not null", "payload utf8 not null"]
    );
    assert_eq!(
        job.sources[2].connector,
        SourceConnector::Generator(Generator {
            workload: Workload::Nexmark { kind: Some(NexmarkKind::Bid), event_rate: 10.0 },
            rows: None,
            rate: None,
            seed: 0
        })
    );
    let json = JsonIn { timestamps: TimestampUnit::Microseconds, reject_unknown_fields: true, max_row_bytes: 1024 };
    assert_eq!(
        job.sources[3].connector,
        SourceConnector::File {
            written: "/abs.ndjson".to_owned(),
            path: PathBuf::from("/abs.ndjson"),
            format: FormatIn::Json(json),
            compression: Some(Compression::Gzip),
            parallel_files: true,
            follow: false,
        }
    );
    assert_eq!(columns(&job.sources[3].schema), ["amount decimal(10,2)", "day date"]);
    let Verb::Plugin(plugin) = &job.operators[0].verb else { panic!("a plugin") };
    assert_eq!(plugin.on_poison, OnPoison::Skip);
    let limits = Limits {
        memory: Some(1 << 20),
        cpu_per_call: Some(Duration::from_millis(5)),
        cpu_per_start: Some(Duration::from_secs(2)),
        output_rows: Some(10),
        output_bytes: Some(1024),
        log_rate: Some(64 << 10),
    };
    assert_eq!(plugin.limits, limits);
    assert_eq!(job.checkpoint.as_ref().map(|checkpoint| checkpoint.retain), Some(7));
}

#[test]
fn operators_stand_after_what_they_read() {
    let job = job(&around(
        "  out: { input: b, filter: mag > 2 }\n  b: { inputs: [a, quakes], filter: mag > 1 }\n  a: { input: quakes, filter: mag > 0 }",
    ));
    let names: Vec<&str> = job.operators.iter().map(|operator| operator.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "out"]);
    assert_eq!(
        job.operators[1].input().from,
        [Upstream { node: NodeId::Operator(0), port: 0 }, Upstream { node: NodeId::Source(0), port: 0 }]
    );
    assert_eq!(job.sinks[0].input, Upstream { node: NodeId::Operator(2), port: 0 });
}

#[test]
fn columns_come_out_in_the_order_of_the_contract() {
    let out = |operator: &str| columns(&job(&around(operator)).operators[0].ports[0].schema);
    assert_eq!(
        out("  out: { input: quakes, select: { mag: mag, big: mag > 5, one: 1 } }"),
        ["mag float64", "big boolean", "one float64 not null"]
    );
    assert_eq!(
        out("  out: { input: quakes, with: { more: id, net: mag > 5 }, drop: [id] }"),
        ["net boolean", "mag float64", "more utf8 not null"]
    );
    assert_eq!(out("  out: { input: quakes, drop: [net] }"), ["id utf8 not null", "mag float64"]);
    assert_eq!(
        out("  out: { input: quakes, key-by: [net, id], aggregate: { top: max(mag), n: count(*) } }"),
        ["net utf8", "id utf8 not null", "top float64", "n int64 not null"]
    );
    assert_eq!(out("  out: { inputs: [quakes, quakes] }"), ["id utf8 not null", "net utf8", "mag float64"]);
}

#[test]
fn only_columns_that_are_needed_are_read() {
    let reads = |operator: &str| job(&around(operator)).operators[0].input().reads.clone();
    assert_eq!(reads("  out: { input: quakes, select: { m: mag } }"), Some(vec![2]));
    assert_eq!(reads("  out: { input: quakes, select: { a: mag, b: id, c: net, d: mag } }"), None);
    assert_eq!(reads("  out: { input: quakes, select: { one: 1 } }"), Some(vec![0]));
    assert_eq!(reads("  out: { input: quakes, key-by: [net], aggregate: { n: count(*) } }"), Some(vec![1]));
    assert_eq!(reads("  out: { input: quakes, key-by: [mag], plugin: count }"), Some(vec![2]));
    assert_eq!(reads("  out: { input: quakes, plugin: grade }"), Some(vec![2]));
    assert_eq!(reads("  out: { input: quakes, with: { m: mag } }"), None);
}

#[test]
fn variables_stand_for_values() {
    let text = around("  out: { input: quakes, filter: \"net = ${HOME_TOWN}\" }").replace("q.ndjson", "\"${HOME_TOWN}/${N:-1}\"");
    let job = job(&text);
    assert_eq!(job.operators[0].verb, Verb::Filter("net = Delft".to_owned()));
    assert!(matches!(&job.sources[0].connector, SourceConnector::File { written, .. } if written == "Delft/1"));
}

#[test]
fn what_is_probably_an_oversight_is_a_warning() {
    let text =
        around("  out: { input: quakes, filter: mag > 1 }\n  idle: { input: quakes, plugin: grade, on-poison: dead-letter }");
    let text = text
        .replace("name: t", "name: t # and a source that nobody reads")
        .replace("sources: {", "sources: { forgotten: { connector: generator, workload: micro },");
    let (_, warnings) = loaded(&text).expect("a job");
    let warnings: Vec<_> = warnings.iter().map(|warning| crate::catalog::brief(warning)).collect();
    assert_eq!(
        warnings,
        [
            "warning[unread-output]: found `forgotten`, expected an operator or a sink that reads it\n  --> jobs/job.yaml:2:12 (sources.forgotten)\n   = its rows are dropped",
            "warning[unread-output]: found `idle`, expected an operator or a sink that reads it\n  --> jobs/job.yaml:5:3 (operators.idle)\n   = its rows are dropped",
            "warning[unread-output]: found `idle.broken`, expected an operator or a sink that reads it\n  --> jobs/job.yaml:5:3 (operators.idle)\n   = its rows are dropped",
            "warning[no-dead-letters]: found `dead-letter`, expected `dead-letters` in the job, to take them\n  --> jobs/job.yaml:5:52 (operators.idle.on-poison)\n   = without it the first such row fails the job",
        ]
    );
}

#[test]
fn rows_to_a_bucket_are_written_by_each_task() {
    let text = "name: t
parallelism: 2
sources: { made: { connector: generator, fields: { id: sequence } } }
sinks:
  parts: { input: made, connector: file, path: \"s3://bucket/of/parts\", format: parquet, existing: append }
checkpoint: { store: here }
";
    let job = job(text);
    let SinkConnector::Bucket { url, existing, compression, .. } = &job.sinks[0].connector else { panic!("a bucket") };
    assert_eq!((url.as_str(), *existing, *compression), ("s3://bucket/of/parts", Existing::Append, None));
    let plan = wasmill_job::plan::plan(&job);
    assert_eq!((plan.stages.len(), plan.stages[0].parallelism), (1, 2), "in the tasks of its input");
    let explained = wasmill_job::explain::explain(&job, &plan);
    assert!(explained.contains("bucket s3://bucket/of/parts, beside parts that are there, parquet (zstd)"), "{explained}");
    assert!(explained.contains("parts: exactly once: rows are seen once their checkpoint is complete"), "{explained}");
}
