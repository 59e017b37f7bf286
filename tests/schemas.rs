//! The schemas that `wasmill schema` prints are those of what is really read and written: job files, summaries, dead letters, results
//! of benchmarks, explanations.

mod json_schema;
mod program;

use std::collections::BTreeSet;
use std::fs;

use json_schema::faults;
use program::{Folder, from_root};
use serde_json::{Map, Value, json};
use wasmill_job::document::{self, Node, Plain, parse, substitute};
use wasmill_job::problem::Problems;
use wasmill_job::{Problem, read};

fn schema(object: &str) -> Value {
    let printed = Folder::new().run(&["schema", object]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let schema: Value = serde_json::from_str(&printed.out).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    schema
}

#[track_caller]
fn assert_fits(schema: &Value, value: &Value, what: &str) {
    assert_eq!(faults(schema, value), Vec::<String>::new(), "{what}");
}

fn as_json(node: &Node) -> Value {
    match &node.value {
        document::Value::Scalar(scalar) => match scalar.resolve() {
            Plain::Nothing => Value::Null,
            Plain::Boolean(value) => value.into(),
            Plain::Integer(value) => i64::try_from(value).map_or_else(|_| json!(value as f64), Value::from),
            Plain::Float(value) => value.into(),
            Plain::Text(text) => text.into(),
        },
        document::Value::List(items) => items.iter().map(as_json).collect(),
        document::Value::Mapping(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), as_json(&entry.value))).collect::<Map<_, _>>().into()
        }
        document::Value::Unknown => panic!("a value that couldn't be had"),
    }
}

fn job(text: &str) -> Value {
    let mut problems = Problems::new("job.yaml");
    let mut root = parse(text, None, &mut problems).expect("YAML");
    substitute(&mut root, &|_| Some("x".to_owned()), &mut problems);
    as_json(&root)
}

/// What reading a job complains about.
fn problems(job: &Value) -> Vec<Problem> {
    let mut problems = Problems::new("job.yaml");
    let root = parse(&job.to_string(), None, &mut problems).expect("JSON is YAML");
    read::read(&root, &mut problems);
    problems.into_sorted()
}

#[test]
fn every_job_of_the_repository_fits_the_schema() {
    let schema = schema("job");
    let mut jobs = 0;
    for folder in ["tests/jobs", "examples"] {
        for entry in fs::read_dir(from_root(folder)).expect("a folder") {
            let path = entry.expect("an entry").path().join("job.yaml");
            // A job that fails need not fit: it may be refused.
            if !path.exists() || path.with_file_name("expected-error").exists() {
                continue;
            }
            assert_fits(&schema, &job(&fs::read_to_string(&path).expect("text")), &path.display().to_string());
            jobs += 1;
        }
    }
    assert!(jobs > 5, "{jobs} jobs");
}

/// Where in a job each object of the schema stands.
const PLACES: &[(&str, &str)] = &[
    ("batch", "/batch"),
    ("file-source", "/sources/rows"),
    ("stdio-source", "/sources/rows"),
    ("generator", "/sources/rows"),
    ("rule-mapping", "/sources/made/fields/a"),
    ("json-in", "/sources/rows/format"),
    ("csv-in", "/sources/rows/format"),
    ("parquet-in", "/sources/rows/format"),
    ("arrow-in", "/sources/rows/format"),
    ("json-out", "/sinks/out/format"),
    ("csv-out", "/sinks/out/format"),
    ("parquet-out", "/sinks/out/format"),
    ("arrow-out", "/sinks/out/format"),
    ("operator", "/operators/op"),
    ("window", "/operators/op/window"),
    ("event-time", "/sources/rows/event-time"),
    ("limits", "/limits"),
    ("file-sink", "/sinks/out"),
    ("stdio-sink", "/sinks/out"),
    ("postgres-sink", "/sinks/out"),
    ("sqlite-sink", "/sinks/out"),
    ("blackhole", "/sinks/out"),
    ("file-dead-letters", "/dead-letters"),
    ("stdio-dead-letters", "/dead-letters"),
    ("postgres-dead-letters", "/dead-letters"),
    ("sqlite-dead-letters", "/dead-letters"),
    ("blackhole-dead-letters", "/dead-letters"),
    ("aggregate-plugin", "/operators/by-plugin/aggregate/n"),
    ("checkpoint", "/checkpoint"),
    ("restart", "/restart"),
    ("state", "/state"),
];

/// Words that are looked at only beside another key: that key, and a value of it as JSON.
const BESIDE: &[(&str, &str, &str)] = &[
    ("on-poison", "plugin", "\"p\""),
    ("emit", "aggregate", "{\"n\": \"count(*)\"}"),
    ("emit", "key-by", "[\"a\"]"),
    ("kind", "workload", "\"nexmark\""),
];

/// A job with an object at a place.
fn job_with(place: &str, object: Value) -> Value {
    let mut job = json!({
        "name": "x",
        "batch": {}, "limits": {}, "checkpoint": {}, "restart": {}, "state": {}, "dead-letters": {},
        "sources": {
            "rows": { "connector": "file", "path": "x", "format": {}, "schema": { "a": "int64" }, "event-time": {} },
            "made": { "connector": "generator", "fields": { "a": {} } }
        },
        "operators": {
            "op": { "aggregate": { "n": "count(*)" }, "key-by": ["a"], "window": {} },
            "by-plugin": { "input": "rows", "key-by": ["a"], "aggregate": { "n": {} } }
        },
        "sinks": { "out": { "input": "rows", "connector": "file", "path": "y", "format": {} } }
    });
    *job.pointer_mut(place).expect("a place") = object;
    job
}

/// The least of an object: its keys of one word, such as `connector`.
fn least(object: &Value) -> Map<String, Value> {
    let words = object["properties"].as_object().expect("properties").iter();
    let only = |of: &Value| of["enum"].as_array().filter(|words| words.len() == 1).map(|words| words[0].clone());
    let required = object["required"].as_array().cloned().unwrap_or_default();
    words.filter(|(key, _)| required.contains(&json!(key))).filter_map(|(key, of)| Some((key.clone(), only(of)?))).collect()
}

/// The names that a complaint about this word offers.
fn offered(job: &Value, found: &str) -> BTreeSet<String> {
    let problems = problems(job);
    let problem = problems.iter().find(|problem| problem.found.as_ref().is_some_and(|words| words.to_string() == found));
    let problem = problem.unwrap_or_else(|| panic!("no complaint about `{found}` in {job}: {problems:#?}"));
    problem.expected.trim_start_matches("one of ").split(", ").map(str::to_owned).collect()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object["properties"].as_object().expect("properties").keys().cloned().collect()
}

#[test]
fn the_job_s_schema_has_the_keys_that_are_read_and_no_others() {
    let schema = schema("job");
    let mut whole = job_with("/limits", json!({}));
    whole["zz"] = json!(1);
    assert_eq!(offered(&whole, "zz"), keys(&schema), "keys of a job");
    let objects = schema["$defs"].as_object().expect("definitions");
    for (name, object) in objects {
        if object["additionalProperties"] != json!(false) {
            continue;
        }
        let place = PLACES.iter().find(|(named, _)| named == name);
        let (_, place) = place.unwrap_or_else(|| panic!("say in PLACES where `{name}` stands in a job"));
        let mut with_more = least(object);
        with_more.insert("zz".to_owned(), json!(1));
        assert_eq!(offered(&job_with(place, with_more.into()), "zz"), keys(object), "keys of {name}");
    }
    for (name, _) in PLACES {
        assert!(objects.contains_key(*name), "`{name}` is no object of the schema");
    }
}

/// The words that a value may be, also those of a mapping's alternative.
fn words(schema: &Value, of: &Value) -> BTreeSet<String> {
    let of = of["$ref"].as_str().and_then(|name| schema.pointer(&name[1..])).unwrap_or(of);
    let listed = of["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let alternatives = of["anyOf"].as_array().into_iter().flatten().filter(|each| each["$ref"].is_null());
    listed.chain(alternatives.flat_map(|each| words(schema, each))).collect()
}

#[test]
fn the_job_s_schema_has_the_words_that_are_read_and_no_others() {
    let schema = schema("job");
    let mut checked = 0;
    for (name, place) in PLACES {
        let object = &schema["$defs"][name];
        for (key, of) in object["properties"].as_object().expect("properties") {
            // Objects of one place are told apart by a word: what may stand there is what all of them say.
            let mut expected = BTreeSet::new();
            for (other, _) in PLACES.iter().filter(|(_, other)| other == place) {
                let of = &schema["$defs"][other]["properties"][key];
                let one_word = of["enum"].as_array().is_some_and(|words| words.len() == 1);
                if other == name || (one_word && !of.is_null()) {
                    expected.extend(words(&schema, of));
                }
            }
            if words(&schema, of).is_empty() {
                continue;
            }
            let mut with_word = least(object);
            with_word.insert(key.clone(), json!("zz-word"));
            for (_, other, value) in BESIDE.iter().filter(|(word, ..)| word == key) {
                with_word.insert((*other).to_owned(), serde_json::from_str(value).expect("JSON"));
            }
            assert_eq!(offered(&job_with(place, with_word.into()), "zz-word"), expected, "words of {name}.{key}");
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked} words");
}

#[test]
fn what_does_not_fit_is_found() {
    let schema = schema("job");
    let right = job(
        "name: x\nsources: { r: { connector: generator, workload: micro } }\nsinks: { o: { input: r, connector: blackhole } }\n",
    );
    assert_fits(&schema, &right, "right");
    for (pointer, wrong) in [("/name", json!("My")), ("/sources/r/workload", json!("macro")), ("/sinks", json!([]))] {
        let mut job = right.clone();
        *job.pointer_mut(pointer).expect("there") = wrong;
        assert!(!faults(&schema, &job).is_empty(), "{pointer}");
    }
}

const JOB: &str = "name: shown
sources: { rows: { connector: file, path: rows.ndjson, format: json, schema: { id: int64 not null, key: utf8 } } }
operators:
  some: { input: rows, with: { half: '10 / id' } }
  counted: { input: some, key-by: [key], aggregate: { n: count(*) } }
sinks: { out: { input: counted, connector: file, path: out.ndjson, format: json } }
";
const DEAD: &str = "dead-letters: { connector: file, path: dead.ndjson, format: json }\n";

#[test]
fn summaries_dead_letters_and_explanations_fit_their_schemas() {
    let folder = Folder::of_job(&format!("{JOB}{DEAD}"));
    folder.write("rows.ndjson", b"{\"id\":1}\n{\"id\":0,\"key\":\"x\"}\n{\"id\":\"7\"}\n\xff\n");
    folder.run(&["run", "job.yaml", "--summary", "summary.json"]).says(0, &[]);
    assert_fits(&schema("summary"), &folder.json("summary.json"), "a job that finished");
    let of_dead_letters = schema("dead-letter");
    let letters = folder.read("dead.ndjson");
    assert_eq!(letters.lines().count(), 3, "{letters}");
    for letter in letters.lines() {
        assert_fits(&of_dead_letters, &serde_json::from_str(letter).expect("JSON"), letter);
    }
    for job in [JOB.to_owned(), format!("{JOB}{DEAD}")] {
        folder.write("job.yaml", job);
        let explained = folder.run(&["explain", "job.yaml", "--format", "json"]);
        assert_fits(&schema("explain"), &serde_json::from_str(&explained.out).expect("JSON"), "an explanation");
    }
    folder.write("job.yaml", JOB);
    folder.run(&["run", "job.yaml", "--summary", "summary.json"]).says(1, &["error[row-"]);
    assert_fits(&schema("summary"), &folder.json("summary.json"), "a job that failed");
}

#[test]
fn results_of_benchmarks_fit_their_schema() {
    let schema = schema("bench");
    // As many as take some hundredths of a second of CPU time, which is counted in hundredths.
    for (workload, events) in [
        ("map-filter", "2M"),
        ("keyed-count", "1M"),
        ("latency", "50k"),
        ("nexmark-q0", "100k"),
        ("nexmark-q1", "100k"),
        ("nexmark-q2", "100k"),
        ("nexmark-q5", "100k"),
        ("nexmark-q7", "100k"),
        ("nexmark-q11", "100k"),
        ("nexmark-q12", "100k"),
    ] {
        let found = Folder::new().run(&["bench", workload, "--operators", "built-in", "--events", events]);
        assert_eq!(found.code, Some(0), "{found:?}");
        assert_fits(&schema, &serde_json::from_str(&found.out).expect("JSON"), workload);
    }
    for bench in [
        "keyed-count --operators built-in --events 3M --keys 1k --payload --checkpoint-every 20ms",
        "recovery --operators built-in --events 30k --keys 5k --payload --checkpoint-every 100ms --rate 20k",
    ] {
        let mut arguments = vec!["bench"];
        arguments.extend(bench.split(' '));
        let found = Folder::new().run(&arguments);
        assert_eq!(found.code, Some(0), "{found:?}");
        let result: Value = serde_json::from_str(&found.out).expect("JSON");
        assert_fits(&schema, &result, bench);
        assert_eq!((result["correct"].as_bool(), result["checkpoints"].as_u64() > Some(0)), (Some(true), true), "{result}");
    }
}
