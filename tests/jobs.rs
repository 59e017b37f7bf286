//! Every folder of `jobs` is a test: a whole job, its input, and what must come of it.
//!
//! | file | |
//! |---|---|
//! | `job.yaml`, and its input | the job, which writes `out.ndjson` or `out.csv`, or these compressed, or parts in `out/`; they may be there before. `${PLUGINS}` is where plugins lie |
//! | `set` | a line for each `--set` |
//! | `any-order` | the order of rows is nobody's at one task either |
//! | `expected.ndjson`, `expected.csv` | what the output must hold: at one task line by line, at two in any order, as rows of several tasks and inputs may come |
//! | `expected-dead.ndjson` | what `dead.ndjson` must be, in any order |
//! | `expected/` | files that must be there with just these bytes, at one task |
//! | `expected-summary.json` | parts that the summary must have |
//! | `expected-error` | for a job that must fail: `exit CODE`, and what standard error must have in its lines, in this order |
//!
//! A new folder's expectations are written by running it with `WASMILL_TEST_ACCEPT=1`; read them before you keep them.

mod program;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use program::{Ended, Folder, from_root};

/// What was wrong with a case.
type Wrong = Vec<String>;

/// A case's files in a folder of their own, run there.
fn run(case: &Path, parallelism: Option<&str>) -> (Folder, Ended) {
    let folder = Folder::new();
    copy(case, &folder, "");
    let set = fs::read_to_string(case.join("set")).unwrap_or_default();
    let mut arguments = vec!["run", "job.yaml", "--summary", "summary.json"];
    arguments.extend(parallelism.iter().flat_map(|tasks| ["--parallelism", tasks]));
    arguments.extend(set.lines().flat_map(|line| ["--set", line]));
    let ended = folder.run(&arguments);
    (folder, ended)
}

fn copy(from: &Path, folder: &Folder, below: &str) {
    for entry in fs::read_dir(from).expect("a case") {
        let path = entry.expect("an entry").path();
        let name = format!("{below}{}", path.file_name().expect("a name").to_string_lossy());
        if name.starts_with("expected") {
            continue;
        }
        match path.is_dir() {
            true => copy(&path, folder, &format!("{name}/")),
            false => folder.write(&name, fs::read(&path).expect("a file")),
        }
    }
}

fn lines(text: &str, in_order: bool) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if !in_order {
        lines.sort_unstable();
    }
    lines
}

/// A file that may be compressed, or the parts of a folder: its text, and its bytes on disk.
fn text_of(folder: &Path, name: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    if let (Some((stem, _)), false) = (name.split_once('.'), folder.join(name).exists())
        && let Ok(entries) = fs::read_dir(folder.join(stem))
    {
        let mut parts: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        parts.sort();
        text.extend(parts.iter().map(|part| fs::read_to_string(part).expect("a part")));
        return Some((text.clone(), text.len()));
    }
    for end in ["", ".gz", ".zst"] {
        let Ok(bytes) = fs::read(folder.join(format!("{name}{end}"))) else { continue };
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
fn count(name: &str, text: &str) -> usize {
    if name.ends_with("csv") { csv::Reader::from_reader(text.as_bytes()).records().count() } else { text.lines().count() }
}

/// Compares the rows of a file with those that are expected, where a case says what: their number.
fn compare_rows(case: &Path, expectation: &str, folder: &Folder, file: &str, in_order: bool, wrong: &mut Wrong) -> Option<usize> {
    let expected = fs::read_to_string(case.join(expectation)).ok()?;
    let (found, _) = text_of(&folder.path(""), file).unwrap_or_default();
    if lines(&expected, in_order) != lines(&found, in_order) {
        wrong.push(format!("{file}: expected\n{expected}found\n{found}"));
    }
    Some(count(file, &expected))
}

/// Compares the job's output and its dead letters: how many of each there are, where the case says.
fn compare_output(case: &Path, folder: &Folder, in_order: bool, wrong: &mut Wrong) -> (Option<(&'static str, usize)>, usize) {
    let of =
        |(expectation, file), wrong: &mut Wrong| Some((file, compare_rows(case, expectation, folder, file, in_order, wrong)?));
    let rows = of(("expected.ndjson", "out.ndjson"), wrong).or_else(|| of(("expected.csv", "out.csv"), wrong));
    (rows, compare_rows(case, "expected-dead.ndjson", folder, "dead.ndjson", false, wrong).unwrap_or(0))
}

/// Whether a value has all that is expected of it: objects may have more.
fn has(found: &serde_json::Value, expected: &serde_json::Value) -> bool {
    match (found, expected) {
        (serde_json::Value::Object(found), serde_json::Value::Object(expected)) => {
            expected.iter().all(|(key, expected)| found.get(key).is_some_and(|found| has(found, expected)))
        }
        _ => found == expected,
    }
}

fn check_success(case: &Path, parallelism: &str, wrong: &mut Wrong) {
    let (folder, ended) = run(case, Some(parallelism));
    if ended.code != Some(0) {
        wrong.push(format!("ended with {:?}:\n{}", ended.code, ended.err));
        return;
    }
    let in_order = parallelism == "1" && !case.join("any-order").exists();
    let (rows, dead) = compare_output(case, &folder, in_order, wrong);
    let summary = folder.json("summary.json");
    if let Some((file, rows)) = rows {
        let (before, bytes_before) = text_of(case, file).unwrap_or_default();
        let (_, bytes) = text_of(&folder.path(""), file).unwrap_or_default();
        let (rows, bytes) = (rows - count(file, &before), bytes - bytes_before);
        let out = &summary["sinks"]["out"];
        let sinks = summary["sinks"].as_object().expect("sinks").values();
        let of_all: u64 = sinks.map(|sink| sink["rows"].as_u64().expect("rows")).sum();
        if out["rows"] != rows || out["bytes"] != bytes || summary["rows_out"] != of_all || summary["dead_letters"] != dead {
            wrong.push(format!("summary: expected {rows} rows, {bytes} bytes and {dead} dead letters, found {summary}"));
        }
    }
    if let Ok(text) = fs::read_to_string(case.join("expected-summary.json")) {
        let expected = serde_json::from_str(&text).expect("JSON");
        if !has(&summary, &expected) {
            wrong.push(format!("summary: expected {expected}, found {summary}"));
        }
    }
    if parallelism == "1"
        && let Ok(entries) = fs::read_dir(case.join("expected"))
    {
        for entry in entries {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let (expected, found) = (fs::read(&path).expect("a file"), fs::read(folder.path(&name)).unwrap_or_default());
            if expected != found {
                let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                wrong.push(format!("{name}: expected\n{}\nfound\n{}", shown(&expected), shown(&found)));
            }
        }
    }
}

/// Standard error without what differs from run to run.
fn said(folder: &Folder, ended: &Ended) -> Vec<String> {
    let here = folder.path("").display().to_string();
    let lines = ended.err.lines().filter(|line| !line.starts_with("note: nothing survives a kill"));
    lines.map(|line| line.replace(&here, "")).collect()
}

fn check_failure(case: &Path, expected: &str, wrong: &mut Wrong) {
    let (folder, ended) = run(case, None);
    let mut expected = expected.lines();
    let code: i32 = expected.next().and_then(|line| line.strip_prefix("exit ")?.parse().ok()).expect("`exit CODE`");
    if ended.code != Some(code) {
        wrong.push(format!("expected exit code {code}, found {:?}:\n{}", ended.code, ended.err));
    }
    compare_output(case, &folder, true, wrong);
    let said = said(&folder, &ended);
    let mut rest = said.iter();
    for line in expected {
        if !rest.any(|found| found.contains(line)) {
            wrong.push(format!("expected the line\n{line}\nfound\n{}", said.join("\n")));
            return;
        }
    }
}

/// Writes down what a new case gives.
fn accept(case: &Path) {
    let (folder, ended) = run(case, Some("1"));
    if ended.code == Some(0) {
        for (file, expectation) in [("out.ndjson", "expected.ndjson"), ("dead.ndjson", "expected-dead.ndjson")] {
            if folder.path(file).exists() {
                fs::copy(folder.path(file), case.join(expectation)).expect("written");
            }
        }
    } else {
        let (folder, ended) = run(case, None);
        let text = format!("exit {}\n{}\n", ended.code.expect("a code"), said(&folder, &ended).join("\n"));
        fs::write(case.join("expected-error"), text).expect("written");
    }
}

#[test]
fn every_job_gives_what_its_folder_says() {
    let mut cases: Vec<_> =
        fs::read_dir(from_root("tests/jobs")).expect("cases").map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    let (mut failing, mut wrong) = (0, Vec::new());
    for case in &cases {
        let expects = |name: &str| case.join(name).exists();
        if !["expected.ndjson", "expected.csv", "expected-error", "expected", "expected-summary.json"].into_iter().any(expects) {
            assert!(std::env::var_os("WASMILL_TEST_ACCEPT").is_some(), "{}: expects nothing", case.display());
            accept(case);
        }
        let mut of_case = Vec::new();
        match fs::read_to_string(case.join("expected-error")) {
            Ok(expected) => {
                failing += 1;
                check_failure(case, &expected, &mut of_case);
            }
            Err(_) => ["1", "2"].iter().for_each(|parallelism| check_success(case, parallelism, &mut of_case)),
        }
        let name = case.file_name().expect("a name").to_string_lossy();
        wrong.extend(of_case.into_iter().map(|what| format!("== {name}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} jobs, of which {failing} must fail", cases.len());
}

/// Runs a case with checkpoints on two tasks, killed when one is complete, on from there on three, killed again, and on one to its end; whether a
/// job like it can have checkpoints.
fn check_resumed(case: &Path, wrong: &mut Wrong) -> bool {
    let folder = Folder::new();
    copy(case, &folder, "");
    let set = fs::read_to_string(case.join("set")).unwrap_or_default();
    let run = |tasks: &str, place: Option<&str>| {
        let mut arguments = vec!["run", "job.yaml", "--parallelism", tasks];
        arguments.extend(set.lines().flat_map(|line| ["--set", line]));
        arguments.extend(["--set", "checkpoint={every: 1ms, store: ./store, base-every: 2}", "--set", "batch.max-rows=3"]);
        let mut command = folder.command(&arguments);
        Ended::of(command.envs(place.map(|place| ("WASMILL_ABORT_AT", place))).output().expect("the program starts"))
    };
    let killed = run("2", Some("manifest-written:0"));
    if killed.code == Some(2) {
        // Not every format can be written epoch by epoch.
        return false;
    }
    for (tasks, place) in [("3", Some("manifest-written:1")), ("1", None)] {
        let ended = run(tasks, place);
        match ended.code {
            Some(0) => {
                compare_output(case, &folder, false, wrong);
                break;
            }
            None if place.is_some() => {}
            code => {
                wrong.push(format!("killed ({:?}) and on {tasks} tasks, it ended with {code:?}:\n{}", killed.code, ended.err))
            }
        }
    }
    true
}

#[test]
fn f36_every_job_that_is_killed_behind_a_checkpoint_and_gone_on_with_gives_the_same() {
    let (mut resumed, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for entry in fs::read_dir(from_root("tests/jobs")).expect("cases") {
        let case = entry.expect("an entry").path();
        if case.join("expected-error").exists() {
            continue;
        }
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let mut of_case = Vec::new();
        if check_resumed(&case, &mut of_case) {
            resumed += 1;
        } else {
            refused.push(name.clone());
        }
        wrong.extend(of_case.into_iter().map(|what| format!("== {name}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(resumed > 60 && refused.len() < 20, "{resumed} jobs were gone on with; these can't have checkpoints: {refused:?}");
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
