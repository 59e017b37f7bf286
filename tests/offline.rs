//! What is read out of a store without the job: what keys have, whether checkpoints are intact. And savepoints that go to another store.

mod json_schema;
mod program;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::{Ended, Folder};
use serde_json::{Value, json};
use wasmill_checkpoint::Manifest;

/// Waits until something is so.
#[track_caller]
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(20));
    }
}

/// Runs a job over files that may grow until it has read so many rows and written `lines` of them to `out.ndjson`; stops it then, with the savepoint `all`.
fn stopped(folder: &Folder, rows: u64, lines: usize) {
    let mut child: Child =
        folder.command(&["run", "job.yaml", "--parallelism", "2"]).stderr(Stdio::null()).spawn().expect("it starts");
    wait_for("the rows are read", || {
        let status = folder.run(&["status", "kinds", "--format", "json"]);
        let status: Value = serde_json::from_str(&status.out).unwrap_or_default();
        let read: u64 =
            status["sources"].as_object().into_iter().flatten().filter_map(|(_, source)| source["rows"].as_u64()).sum();
        let written = fs::read_to_string(folder.path("out.ndjson")).unwrap_or_default().lines().count();
        read == rows && written == lines
    });
    folder.run(&["stop", "kinds", "--savepoint", "all"]).says(0, &[]);
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}

/// What `state read` prints, as JSON, in the order of the lines' texts.
#[track_caller]
fn state(folder: &Folder, arguments: &[&str]) -> Vec<Value> {
    let read = folder.run(&[&["state", "read", "./store"], arguments, &["--format", "json"]].concat());
    assert_eq!((read.code, &*read.err), (Some(0), ""), "{arguments:?}");
    let mut lines: Vec<&str> = read.out.lines().collect();
    lines.sort_unstable();
    lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

const KINDS: &str = r#"
name: kinds
sources:
  rows:
    connector: file
    path: rows.ndjson
    follow: true
    format: json
    schema: { at: timestamp not null, net: utf8 not null, mag: float64, note: utf8 }
    event-time: { field: at, ascending: true }
operators:
  running:
    input: rows
    key-by: [net]
    aggregate:
      n: count(*)
      top: max(mag)
      mean: avg(mag)
      middle: median(mag)
      least: min(note)
      notes: count(distinct note)
      best: "max_by(note, mag, 2)"
      all: array_agg(note)
  pairs: { input: rows, key-by: [net, note], aggregate: { n: count(*) } }
  hourly: { input: rows, key-by: [net], window: { tumbling: 1h }, aggregate: { n: count(*) } }
  sliding: { input: rows, key-by: [net], window: { sliding: 1h, slide: 30min }, aggregate: { n: count(*) } }
  visits: { input: rows, key-by: [net], window: { session: 10min }, aggregate: { n: count(*) } }
  hundreds: { input: rows, key-by: [net], window: { count: 100 }, aggregate: { n: count(*) } }
  changes: { input: rows, key-by: [net], window: { tumbling: 1h, trigger: { every-rows: 1 }, results: retracting }, aggregate: { n: count(*) } }
  taken:
    input: changes
    key-by: [net]
    retract-where: "change in ('before', 'delete')"
    aggregate: { windows: count(*), rows: sum(n) }
sinks:
  out: { input: running, connector: file, path: out.ndjson, format: json }
  pairs-out: { input: pairs, connector: blackhole }
  hourly-out: { input: hourly, connector: blackhole }
  sliding-out: { input: sliding, connector: blackhole }
  visits-out: { input: visits, connector: blackhole }
  hundreds-out: { input: hundreds, connector: blackhole }
  taken-out: { input: taken, connector: blackhole }
checkpoint: { every: 20ms, store: ./store }
"#;

const ROWS: &str = r#"{"at":"2024-01-01T00:05:00Z","net":"ak","mag":1.5,"note":"b"}
{"at":"2024-01-01T00:10:00Z","net":"ak","mag":2.5,"note":"a"}
{"at":"2024-01-01T00:12:00Z","net":"nc","mag":null,"note":null}
{"at":"2024-01-01T00:40:00Z","net":"ak","mag":0.5,"note":"b"}
"#;

#[test]
fn what_keys_have_in_every_kind_of_state_is_read_without_the_job() {
    let folder = Folder::of_job(KINDS);
    folder.write("rows.ndjson", ROWS);
    stopped(&folder, 4, 4);

    // What was last printed of a key is what is kept of it.
    let mut printed: Vec<Value> = Vec::new();
    for line in folder.read("out.ndjson").lines().rev() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        if printed.iter().all(|other| other["net"] != row["net"]) {
            printed.push(row);
        }
    }
    printed.sort_by_key(|row| row["net"].to_string());
    assert_eq!(printed[0]["mean"], 1.5);
    let mut read = state(&folder, &["running", "aggregates"]);
    for line in &mut read {
        let net = line["net"].take();
        line["value"]["net"] = net;
    }
    assert_eq!(read.iter().map(|line| &line["value"]).collect::<Vec<_>>(), printed.iter().collect::<Vec<_>>());

    let hour = "2024-01-01T00:00:00.000Z";
    let half = "2024-01-01T00:30:00.000Z";
    let late = "2024-01-01T00:40:00.000Z";
    assert_eq!(
        state(&folder, &["pairs", "aggregates"]),
        [
            json!({"net": "ak", "note": "a", "value": {"n": 1}}),
            json!({"net": "ak", "note": "b", "value": {"n": 2}}),
            json!({"net": "nc", "note": null, "value": {"n": 1}}),
        ]
    );
    assert_eq!(
        state(&folder, &["hourly"]),
        [
            json!({"net": "ak", "window_start": hour, "state": "aggregates", "value": {"n": 3}}),
            json!({"net": "nc", "window_start": hour, "state": "aggregates", "value": {"n": 1}}),
        ]
    );
    assert_eq!(
        state(&folder, &["sliding", "aggregates"]),
        [
            json!({"net": "ak", "slice_start": hour, "value": {"n": 2}}),
            json!({"net": "ak", "slice_start": half, "value": {"n": 1}}),
            json!({"net": "nc", "slice_start": hour, "value": {"n": 1}}),
        ]
    );
    let visits = state(&folder, &["visits", "aggregates"]);
    // Which number a session has depends on whether the one before was over when its first row came.
    assert!(visits[0]["session"].is_u64(), "{visits:?}");
    assert_eq!((visits.len(), &visits[0]["net"]), (1, &json!("ak")));
    assert_eq!(visits[0]["value"], json!({"@rows": 1, "@first": late, "@last": late, "n": 1}));
    assert_eq!(
        state(&folder, &["hundreds", "aggregates"]),
        [json!({"net": "ak", "value": {"@rows": 3, "n": 3}}), json!({"net": "nc", "value": {"@rows": 1, "n": 1}})]
    );
    assert_eq!(
        state(&folder, &["changes"]),
        [
            json!({"net": "ak", "window_start": hour, "state": "aggregates", "value": {"@rows": 3, "n": 3}}),
            json!({"net": "ak", "window_start": hour, "state": "said", "value": {"n": 3}}),
            json!({"net": "nc", "window_start": hour, "state": "aggregates", "value": {"@rows": 1, "n": 1}}),
            json!({"net": "nc", "window_start": hour, "state": "said", "value": {"n": 1}}),
        ]
    );
    assert_eq!(
        state(&folder, &["taken", "--at", "all", "--key", r#"{"net": "ak"}"#]),
        [json!({"net": "ak", "state": "aggregates", "value": {"@rows": 1, "windows": 1, "rows": 3}})]
    );
    let text = folder.run(&["state", "read", "./store", "hourly", "--key", r#"{"net":"nc"}"#]);
    assert_eq!(text.says(0, &[]).out, format!("{{\"net\":\"nc\",\"window_start\":\"{hour}\"}} aggregates {{\"n\":1}}\n"));

    // A checkpoint from before they said what their states are of.
    let (shown, _) = newest_file(&folder, "store");
    let path = folder.path(&format!("store/runs/1/manifests/{:0>20}.json", shown["id"].to_string()));
    let mut manifest = Manifest::from_bytes(&fs::read(&path).expect("it is there")).expect("a manifest");
    manifest.job.states.clear();
    fs::write(&path, manifest.to_bytes()).expect("written");
    let read = folder.run(&["state", "read", "./store", "pairs", "aggregates", "--format", "json"]);
    read.says(
        0,
        &["note: the checkpoint was written before checkpoints said what their keys are: keys and values are given as base64"],
    );
    // `ak` and `b`, and 2.
    assert!(read.out.contains(r#"{"key":"AQIAAABhawEBAAAAYg==","value":"AgAAAAAAAAA="}"#), "{}", read.out);
    let read = folder.run(&["state", "read", "./store", "sliding"]);
    assert_eq!(read.says(0, &[]).out.lines().count(), 3, "{}", read.out);
    folder
        .run(&["state", "read", "./store", "pairs", "--key", "{}"])
        .says(2, &["error[invalid-key]: --key: the checkpoint doesn't say"]);
}

#[test]
fn what_cannot_be_read_is_said_with_what_there_is() {
    let folder = Folder::of_job(JOB);
    folder
        .run(&["state", "read", "./store", "counted"])
        .says(1, &["error[checkpoint-no-store]: ./store: no checkpoints were ever kept here"]);
    folder.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let said = |arguments: &[&str], code, texts: &[&str]| {
        let read = folder.run(&[&["state", "read", "./store"], arguments].concat());
        read.says(code, texts);
        assert_eq!(read.out, "");
    };
    said(
        &["count"],
        1,
        &["error[state-not-found]: ./store: checkpoint ", " holds no state of operator `count`; it does of `counted`"],
    );
    said(&["counted", "n"], 1, &["error[state-not-found]", " holds no state `n` of operator `counted`; it has `aggregates`"]);
    said(&["counted", "--at", "7000"], 1, &["error[checkpoint-not-found]: ./store: no checkpoint 7000; there are "]);
    said(&["counted", "--at", "before"], 1, &["error[savepoint-not-found]: ./store: no savepoint `before`; there are none"]);
    let hint = "the key's columns are key: int64";
    said(&["counted", "--key", "7"], 2, &["error[invalid-key]: --key: ", hint]);
    said(&["counted", "--key", r#"{"key": "a"}"#], 2, &["error[invalid-key]: --key: key: expected int64, found \"a\"", hint]);
    said(&["counted", "--key", r#"{"kex": 1}"#], 2, &["error[invalid-key]: --key: ", "kex", hint]);
    let none = folder.run(&["state", "read", "./store", "counted", "--key", r#"{"key": 77}"#]);
    assert_eq!(none.says(0, &[]).out, "");

    let (_, file) = newest_file(&folder, "store");
    damage(&file);
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    said(&["counted"], 1, &["error[checkpoint-corrupt]: ./store/runs/1/objects/", &name, ": damaged: its sha256 is "]);
}

const PLUGINS: &str = r#"
name: kinds
sources:
  steps:
    connector: file
    path: steps.ndjson
    follow: true
    format: json
    schema: { at: timestamp not null, who: int64 not null, item: utf8, quantity: int64 not null, page: utf8 not null }
    event-time: { field: at, ascending: true }
  amounts: { connector: file, path: amounts.ndjson, follow: true, format: json, schema: { currency: utf8 not null, cents: int64 not null } }
  rates: { connector: file, path: rates.ndjson, follow: true, format: json, schema: { currency: utf8 not null, per_mille: int64 } }
operators:
  baskets: { input: steps, key-by: [who], plugin: "${PLUGINS}/baskets", settings: { keep-seconds: 60 } }
  silent: { input: steps, key-by: [who], plugin: "${PLUGINS}/silence-alert", settings: { seconds: 60 } }
  convert: { inputs: { amounts: amounts, rates: rates }, broadcast: [rates], plugin: "${PLUGINS}/exchange-rates" }
  counted: { input: steps, key-by: [who], aggregate: { n: count(*), seen: { plugin: "${PLUGINS}/value-count", of: [quantity] } } }
  viewed: { input: steps, with: { time: at } }
  visits:
    input: viewed
    key-by: [who]
    window: { session: 10min }
    plugin: "${PLUGINS}/visit-path"
sinks:
  out: { input: counted, connector: file, path: out.ndjson, format: json }
  orders: { input: baskets, connector: blackhole }
  silences: { input: silent, connector: blackhole }
  converted: { input: convert, connector: blackhole }
  missing: { input: convert.missing, connector: blackhole }
  paths: { input: visits, connector: blackhole }
checkpoint: { every: 20ms, store: ./store }
"#;

#[test]
fn what_plugins_keep_is_given_as_bytes_and_their_timers_as_times() {
    let folder = Folder::of_job(PLUGINS);
    folder.write(
        "steps.ndjson",
        r#"{"at":"2024-01-01T00:00:01Z","who":7,"item":"tea","quantity":2,"page":"a"}
{"at":"2024-01-01T00:00:02Z","who":7,"item":"rice","quantity":1,"page":"b"}
"#,
    );
    folder.write("amounts.ndjson", "{\"currency\":\"CHF\",\"cents\":5}\n");
    folder.write("rates.ndjson", "{\"currency\":\"EUR\",\"per_mille\":1100}\n");
    stopped(&folder, 4, 2);
    let moment = |text: &str| format!("2024-01-01T00:01:{text}.000Z");
    // `tea` and `rice` as keys of maps, which have an order; when they are forgotten, and how many.
    let entries = json!([
        {"key": "cmljZQAA", "value": "MOZSwowBAAABAAAAAAAAAA=="},
        {"key": "dGVhAAA=", "value": "SOJSwowBAAACAAAAAAAAAA=="},
    ]);
    assert_eq!(state(&folder, &["baskets", "basket"]), [json!({"who": 7, "value": entries})]);
    assert_eq!(state(&folder, &["baskets", "orders"]), Vec::<Value>::new());
    assert_eq!(
        state(&folder, &["silent"]),
        [
            json!({"who": 7, "state": "@event-timers", "value": [moment("02")]}),
            json!({"who": 7, "state": "runs", "value": "AQAAAOj3UcKMAQAA0PtRwowBAAA="}),
        ]
    );
    assert_eq!(
        state(&folder, &["convert"]),
        [
            json!({"state": "rates", "value": [{"key": "RVVSAAA=", "value": "TAQAAAAAAAA="}]}),
            json!({"state": "without", "value": ["AwAAAENIRgEAAAAAAAAA"]}),
        ]
    );
    assert_eq!(state(&folder, &["counted", "aggregates"]), [json!({"who": 7, "value": {"n": 2, "seen": "AgAAAAAAAAA="}})]);
    let rows = json!([{"time": "2024-01-01T00:00:01.000Z", "page": "a"}, {"time": "2024-01-01T00:00:02.000Z", "page": "b"}]);
    assert_eq!(state(&folder, &["visits", "rows"]), [json!({"who": 7, "session": 0, "value": rows})]);
}

const JOB: &str = "name: counting
sources: { rows: { connector: generator, fields: { id: sequence, key: { uniform: [0, 9] } }, rows: 1000, rate: 4000 } }
operators: { counted: { input: rows, key-by: [key], aggregate: { n: count(*) } } }
sinks: { out: { input: counted, connector: file, path: out.ndjson, format: json } }
checkpoint: { every: 30ms, store: ./store }
";

/// The newest checkpoint of a store, and the file of its first base.
fn newest_file(folder: &Folder, store: &str) -> (Value, PathBuf) {
    loop {
        let listed = json_of(&folder.run(&["checkpoints", "list", store, "--format", "json"]));
        let newest = listed["checkpoints"].as_array().expect("a list").iter().rfind(|checkpoint| checkpoint["label"].is_null());
        let id = newest.expect("a checkpoint")["id"].to_string();
        let shown = folder.run(&["checkpoints", "show", store, &id, "--format", "json"]);
        // A job that runs may have removed it meanwhile.
        if shown.code == Some(0) {
            let shown = json_of(&shown);
            let name = shown["operators"][0]["objects"][0]["name"].as_str().expect("a file").to_owned();
            return (shown, folder.path(&format!("{store}/runs/1/objects/{name}")));
        }
    }
}

#[track_caller]
fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Turns a bit of a file.
fn damage(file: &PathBuf) {
    let mut bytes = fs::read(file).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("written");
}

#[test]
fn checkpoints_are_verified_to_the_last_byte_and_what_is_damaged_is_named() {
    let folder = Folder::of_job(JOB);
    folder.run(&["run", "job.yaml", "--parallelism", "2"]).says(0, &[]);
    let schema = json_of(&folder.run(&["schema", "checkpoints"]));
    let verify = |id: &[&str]| {
        let ended = folder.run(&[&["checkpoints", "verify", "store"], id, &["--format", "json"]].concat());
        let verified = json_of(&ended);
        assert_eq!(json_schema::faults(&schema, &verified), Vec::<String>::new());
        (ended, verified)
    };
    let (ended, verified) = verify(&[]);
    ended.says(0, &[]);
    let all = verified["checkpoints"].as_array().expect("a list");
    assert!(all.len() >= 3 && all.iter().all(|checkpoint| checkpoint["intact"] == true), "{verified}");

    let (shown, file) = newest_file(&folder, "store");
    let id = shown["id"].to_string();
    damage(&file);
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let (ended, verified) = verify(&[&id]);
    ended.says(1, &["error[checkpoint-damaged]: store: 1 of 1 checkpoints is damaged", "bring the files back from a copy"]);
    let problem = &verified["checkpoints"][0]["problems"][0];
    assert_eq!(problem["file"], *name);
    let text = problem["problem"].as_str().expect("text");
    assert!(text.starts_with(&format!("store/runs/1/objects/{name}: damaged: its sha256 is ")), "{text}");
    folder.run(&["run", "job.yaml"]).says(1, &["error[checkpoint-corrupt]", &name]);

    fs::remove_file(&file).expect("removed");
    let told = folder.run(&["checkpoints", "verify", "store", &id]);
    told.says(1, &["error[checkpoint-damaged]"]);
    assert!(
        told.out.contains(&format!("{id}  damaged, "))
            && told.out.contains(&format!("{name}: missing; checkpoint {id} needs it")),
        "{told:?}"
    );

    let manifest = folder.path(&format!("store/runs/1/manifests/{id:0>20}.json"));
    fs::write(&manifest, &fs::read(&manifest).expect("it is there")[..200]).expect("written");
    let told = folder.run(&["checkpoints", "verify", "store"]);
    told.says(1, &["error[checkpoint-damaged]"]);
    assert!(told.out.contains(&format!("{id}  damaged\n  store/runs/1/manifests/")), "{told:?}");
    folder
        .run(&["checkpoints", "verify", "store", "7000"])
        .says(1, &["error[checkpoint-not-found]: store: no checkpoint 7000; there are "]);
    folder.run(&["checkpoints", "verify", "nowhere"]).says(1, &["error[checkpoint-no-store]: nowhere: "]);
}

#[test]
fn f37_a_base_that_is_damaged_while_the_job_runs_is_found_and_the_chain_heals() {
    let folder = Folder::of_job(
        "name: growing
sources: { rows: { connector: generator, fields: { id: sequence }, rows: 200000, rate: 20000 } }
operators: { counted: { input: rows, key-by: [id], aggregate: { n: count(*) } } }
sinks: { out: { input: counted, connector: file, path: out.ndjson, format: json } }
checkpoint: { every: 50ms, base-every: 1000000, store: ./store, verify: 100ms }
",
    );
    let said = fs::File::create(folder.path("said")).expect("a file");
    let mut child = folder.command(&["run", "job.yaml", "--parallelism", "1"]).stderr(said).spawn().expect("it starts");
    let told = || folder.read("said");
    let manifests = || {
        let files = fs::read_dir(folder.path("store/runs/1/manifests")).into_iter().flatten();
        files.filter_map(|file| file.ok()?.file_name().to_str()?.strip_suffix(".json")?.parse::<u64>().ok()).max().unwrap_or(0)
    };
    wait_for("some checkpoints are taken", || manifests() > 20);
    let mut damaged = Vec::new();
    wait_for("the damage is found", || {
        // Where a base is written anew by itself, its successor is damaged.
        let (_, file) = newest_file(&folder, "store");
        if !damaged.contains(&file) && file.exists() {
            damage(&file);
            damaged.push(file);
        }
        sleep(Duration::from_millis(300));
        told().contains("damaged: its sha256 is ")
    });
    assert!(told().contains("; the next checkpoint is written whole"), "{}", told());
    let then = manifests();
    wait_for("it heals", || {
        manifests() > then + 2 && folder.run(&["checkpoints", "verify", "store", &manifests().to_string()]).code == Some(0)
    });
    child.kill().expect("it still runs");
    child.wait().expect("a child");
    folder.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &["note: going on from checkpoint "]);
    let out = folder.read("out.ndjson");
    assert_eq!(out.lines().count(), 200_000);
    assert!(out.lines().all(|line| line.ends_with(",\"n\":1}")), "each key came once");
}

#[test]
fn a_savepoint_goes_to_another_job_in_another_store_and_the_old_one_may_go() {
    let folder = Folder::of_job(JOB);
    let new = JOB.replace("name: counting", "name: afterwards").replace("rows: 1000, rate: 4000", "rows: 3000");
    let new =
        new.replace("sinks: { out: ", "sinks: { more: ").replace("out.ndjson", "more.ndjson").replace("./store", "./new/store");
    folder.write("new.yaml", &new);
    folder.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let (shown, _) = newest_file(&folder, "store");
    let from = format!("./store#{}", shown["id"]);

    let refused = folder.run(&["run", "new.yaml", "--from", &from]);
    refused.says(
        1,
        &[
            "error[checkpoint-other-plan]",
            "it holds sink `out`, which the job doesn't have; `--allow-unmatched` goes on without it",
        ],
    );
    assert!(!folder.path("new").exists(), "nothing was changed");

    let ran = folder.run(&["run", "new.yaml", "--from", &from, "--allow-unmatched", "--parallelism", "1"]);
    let copied = format!("note: going on from checkpoint {} of job `counting` in ./store, as asked for: ", shown["id"]);
    ran.says(0, &[&copied, " state files, ", " bytes, are copied into ", "new/store"]);
    fs::remove_dir_all(folder.path("store")).expect("removed");
    let mut counts = [0; 10];
    for name in ["out.ndjson", "more.ndjson"] {
        for line in folder.read(name).lines() {
            let row: Value = serde_json::from_str(line).expect("JSON");
            let key = row["key"].as_u64().expect("a key") as usize;
            counts[key] += 1;
            assert_eq!(row["n"], counts[key], "it goes on counting");
        }
    }
    assert_eq!(counts.iter().sum::<i32>(), 3_000);
    folder.run(&["run", "new.yaml", "--parallelism", "1"]).says(0, &["note: going on from checkpoint "]);
    folder.run(&["checkpoints", "verify", "new/store"]).says(0, &[]);
    let listed = json_of(&folder.run(&["checkpoints", "list", "new/store", "--format", "json"]));
    assert_eq!(listed["checkpoints"][0]["job"], "afterwards");
}

#[test]
fn a_place_without_a_checkpoint_in_it_or_with_a_damaged_one_changes_nothing() {
    let folder = Folder::of_job(JOB);
    let new = JOB.replace("./store", "./new");
    folder.write("new.yaml", &new);
    folder.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let refused = |from: &str, code, texts: &[&str]| {
        folder.run(&["run", "new.yaml", "--from", from]).says(code, texts);
    };
    let expected = "expected EPOCH, LABEL, PLACE#EPOCH or PLACE#LABEL";
    let hint = "`wasmill checkpoints list ./store` shows what is in a store";
    refused("./store", 2, &["error[invalid-option]: `--from ./store`: ", expected, hint]);
    refused("./store#", 2, &["error[invalid-option]: `--from ./store#`: ", expected, hint]);
    refused("#4", 2, &["error[invalid-option]: `--from #4`: ", expected]);
    refused("./nowhere#4", 1, &["error[checkpoint-no-store]: ./nowhere: no checkpoints were ever kept here"]);
    refused("./store#before", 1, &["error[savepoint-not-found]: ./store: no savepoint `before`; there are none"]);
    refused("./store#7000", 1, &["error[checkpoint-not-found]: ./store: no checkpoint 7000; there are "]);
    assert!(!folder.path("new").exists(), "nothing was changed");
    let (shown, file) = newest_file(&folder, "store");
    damage(&file);
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    refused(&format!("./store#{}", shown["id"]), 1, &["error[checkpoint-corrupt]: ./store/runs/1/objects/", &name]);
    let listed = json_of(&folder.run(&["checkpoints", "list", "new", "--format", "json"]));
    assert_eq!(listed["checkpoints"], json!([]), "there is no checkpoint without its files");
}
