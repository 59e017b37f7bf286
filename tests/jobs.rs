//! Every folder of `jobs` gives what it says is expected: at one task line by line, at two in any order.
//!
//! A folder holds `job.yaml`, which writes `out.ndjson`, and its input; `expected-dead.ndjson` where there are dead letters; `set` with a
//! line for each `--set`. For `expected.ndjson` there may be `expected.csv`, for `out.csv`; either may be compressed (`out.csv.gz`), and
//! may be there before. `expected-error` has the exit code and lines that standard error must have; without `expected.ndjson` nothing is
//! said of the output then. A union's order is nobody's, so that case is compared in any order.

mod program;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use program::{Folder, from_root};

fn compare(case: &Path, expected: &str, found: &str, in_order: bool) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (mut expected, mut found) = (lines(expected), lines(found));
    if !in_order {
        expected.sort_unstable();
        found.sort_unstable();
    }
    assert_eq!(expected, found, "{}", case.display());
}

fn copy(from: &Path, folder: &Folder, into: &str) {
    for entry in fs::read_dir(from).expect("a case") {
        let entry = entry.expect("an entry");
        let name = format!("{into}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            copy(&entry.path(), folder, &format!("{name}/"));
        } else {
            folder.write(&name, fs::read(entry.path()).expect("a file"));
        }
    }
}

/// What the job wrote: the file's text, decompressed, and its bytes on disk.
fn written(case: &Path, name: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    for end in ["", ".gz", ".zst"] {
        let Ok(bytes) = fs::read(case.join(format!("{name}{end}"))) else { continue };
        match end {
            "" => (&bytes[..]).read_to_string(&mut text),
            ".gz" => flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text),
            _ => zstd::Decoder::new(&bytes[..]).and_then(|mut plain| plain.read_to_string(&mut text)),
        }
        .expect("text");
        return Some((text, bytes.len()));
    }
    None
}

/// The rows of a file, its header not counted.
fn rows(name: &str, text: &str) -> usize {
    if name.ends_with("csv") { csv::Reader::from_reader(text.as_bytes()).records().count() } else { text.lines().count() }
}

fn run(case: &Path, parallelism: &str) {
    let folder = Folder::new();
    copy(case, &folder, "");
    let set = fs::read_to_string(case.join("set")).unwrap_or_default();
    let mut arguments = vec!["run", "job.yaml", "--parallelism", parallelism, "--summary", "summary.json"];
    arguments.extend(set.lines().flat_map(|line| ["--set", line]));
    let ended = folder.run(&arguments);
    let error = fs::read_to_string(case.join("expected-error")).ok();
    match &error {
        None => ended.says(0, &[]),
        Some(error) => {
            let (code, texts) = error.split_once('\n').expect("an exit code and texts");
            ended.says(code.parse().expect("an exit code"), &texts.lines().collect::<Vec<_>>())
        }
    };
    let Some(name) = ["ndjson", "csv"].into_iter().find(|end| case.join(format!("expected.{end}")).exists()) else {
        assert!(error.is_some(), "{}: neither rows nor an error are expected", case.display());
        return;
    };
    let in_order = parallelism == "1" && !case.ends_with("union");
    let (expected, out) = (folder.read(&format!("expected.{name}")), format!("out.{name}"));
    let (found, bytes) = written(&folder.path(""), &out).expect("output");
    compare(case, &expected, &found, in_order);
    let mut dead = 0;
    if case.join("expected-dead.ndjson").exists() {
        let expected = folder.read("expected-dead.ndjson");
        compare(case, &expected, &folder.read("dead.ndjson"), false);
        dead = expected.lines().count();
    }
    if error.is_some() {
        return;
    }
    let (before, bytes_before) = written(case, &out).unwrap_or_default();
    let summary = folder.json("summary.json");
    assert_eq!(summary["rows_out"], rows(name, &expected) - rows(name, &before), "{}", case.display());
    assert_eq!(summary["dead_letters"], dead, "{}", case.display());
    assert_eq!(summary["sinks"]["out"]["bytes"], bytes - bytes_before, "{}", case.display());
}

#[test]
fn every_job_gives_what_its_folder_says() {
    let mut cases = 0;
    for entry in fs::read_dir(from_root("tests/jobs")).expect("cases") {
        let case = entry.expect("an entry").path();
        for parallelism in ["1", "2"] {
            run(&case, parallelism);
        }
        cases += 1;
    }
    assert!(cases > 5, "{cases} cases");
}

#[test]
fn a_summary_accounts_for_every_row() {
    let folder = Folder::of_job(
        "name: account
sources: { rows: { connector: generator, fields: { id: sequence, key: { uniform: [0, 9] } }, rows: 10000 } }
operators:
  some: { input: rows, filter: \"id % 4 = 0\" }
  counted: { input: some, key-by: [key], aggregate: { n: count(*) } }
sinks: { out: { input: counted, connector: blackhole } }
",
    );
    let ended = folder.run(&["run", "job.yaml", "--parallelism", "2", "--summary", "-"]);
    ended.says(0, &["note: nothing survives a kill: the job has no `checkpoint`\n"]);
    let summary: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    let order =
        ["job", "outcome", "exit_code", "mode", "parallelism", "error", "wall_seconds", "cpu_seconds", "peak_memory_bytes"];
    let places: Vec<_> = order.iter().map(|key| ended.out.find(&format!("\"{key}\":")).expect("a field")).collect();
    assert!(places.is_sorted(), "{}", ended.out);
    assert_eq!(summary["job"], "account");
    assert_eq!(summary["outcome"], "finished");
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["mode"], "streaming");
    assert_eq!(summary["parallelism"], 2);
    assert_eq!(summary["error"], serde_json::Value::Null);
    assert_eq!((&summary["rows_in"], &summary["rows_out"]), (&10_000.into(), &2_500.into()));
    assert_eq!(summary["sources"]["rows"]["rows"], 10_000);
    assert_eq!(summary["operators"]["some"]["rows_in"], 10_000);
    assert_eq!(summary["operators"]["some"]["outputs"]["main"], 2_500);
    let counted = &summary["operators"]["counted"];
    assert_eq!((&counted["rows_in"], &counted["state_keys"]), (&2_500.into(), &10.into()));
    assert!(counted["state_bytes"].as_u64() > Some(0) && counted["plugin"].is_null(), "{counted}");
    assert_eq!(summary["sinks"]["out"]["rows"], 2_500);
    assert_eq!(summary["checkpoints"], serde_json::json!({"completed": 0, "failed": 0, "last": null, "restored_from": null}));
    assert!(summary["wall_seconds"].as_f64() > Some(0.0) && summary["peak_memory_bytes"].as_u64() > Some(1 << 20), "{summary}");
}
