//! One SIGTERM or SIGINT stops a job cleanly, with a last checkpoint where there is a store; a second one ends the program at once.

mod exposition;
mod program;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::{Ended, Folder};

const ROWS: u64 = 8_000;

/// Takes four seconds, so that it can be stopped half-way.
fn job(checkpoint: &str) -> String {
    format!(
        "name: paced
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 9] }} }}, rows: {ROWS}, rate: 2000 }} }}
operators: {{ counted: {{ input: rows, key-by: [key], aggregate: {{ n: count(*), last: max(id) }} }} }}
sinks: {{ out: {{ input: counted, connector: file, path: out.ndjson, format: json }} }}
{checkpoint}"
    )
}

fn start(folder: &Folder, arguments: &[&str]) -> Child {
    folder.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// Waits until a job that says where its metrics are has read some rows; what it said until then.
fn wait_for_rows(child: &mut Child) -> String {
    let (mut said, mut line) = (String::new(), String::new());
    let mut lines = BufReader::new(child.stderr.as_mut().expect("piped"));
    while !line.starts_with("note: metrics at ") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("text"), 0, "it doesn't say where its metrics are: {said}");
        said.push_str(&line);
    }
    said.push_str(&String::from_utf8_lossy(lines.buffer()));
    let address = line.trim().trim_start_matches("note: metrics at http://").trim_end_matches("/metrics").to_owned();
    let deadline = Instant::now() + Duration::from_secs(30);
    while rows_read(&address) < 100.0 {
        assert!(Instant::now() < deadline, "no rows are read");
        sleep(Duration::from_millis(5));
    }
    said
}

fn rows_read(address: &str) -> f64 {
    let mut connection = TcpStream::connect(address).expect("connected");
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("asked");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("answered");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let page = exposition::parse(body).unwrap_or_else(|fault| panic!("{fault}\nin:\n{body}"));
    page.value("wasmill_source_rows_in_total", &[("job", "paced"), ("source", "rows")]).unwrap_or(0.0)
}

/// Waits until a file of the job has something in it.
fn wait_for(folder: &Folder, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !folder.path(name).metadata().is_ok_and(|file| file.len() > 0) {
        assert!(Instant::now() < deadline, "there is no {name}");
        sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success(), "the signal is sent");
}

/// Waits for the program to end; its exit code and what it said.
fn end(mut child: Child, limit: Duration) -> (Option<i32>, String) {
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().expect("killed");
            panic!("the program doesn't end");
        }
        sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (status.code(), said)
}

/// What the job writes when nothing disturbs it.
fn undisturbed(parallelism: &str) -> String {
    let folder = Folder::of_job(&job("").replace(", rate: 2000", ""));
    folder.run(&["run", "job.yaml", "--parallelism", parallelism]).says(0, &[]);
    folder.read("out.ndjson")
}

#[test]
fn f41_a_stopped_job_ends_well_and_goes_on_where_it_was() {
    for name in ["-TERM", "-INT"] {
        let folder = Folder::of_job(&job("checkpoint: { every: 10s, store: ./store }\n"));
        let arguments = ["run", "job.yaml", "--parallelism", "1", "--summary", "summary.json"];
        let mut child = start(&folder, &[&arguments[..], &["--metrics", "127.0.0.1:0"]].concat());
        let before = wait_for_rows(&mut child);
        signal(&child, name);
        let (code, after) = end(child, Duration::from_secs(10));
        let said = before + &after;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("note: stopping; a second signal ends the program at once\n"), "{said}");
        let summary = folder.json("summary.json");
        assert_eq!((&summary["outcome"], &summary["exit_code"]), (&"stopped".into(), &0.into()));
        assert_eq!(summary["checkpoints"]["completed"], 1, "a last checkpoint is taken: {summary}");
        let rows = summary["rows_in"].as_u64().expect("rows");
        assert!((1..ROWS).contains(&rows), "stopped half-way, not after {rows} rows");
        let so_far = folder.read("out.ndjson");
        assert_eq!(so_far.lines().count() as u64, rows, "what was read is written");

        let ended = folder.run(&arguments);
        ended.says(0, &["note: going on from checkpoint 1 in ", ", taken when it ended or was stopped\n"]);
        let summary = folder.json("summary.json");
        assert_eq!(summary["checkpoints"]["restored_from"], 1);
        assert_eq!(summary["rows_in"], ROWS - rows);
        let whole = folder.read("out.ndjson");
        assert!(whole.starts_with(&so_far));
        assert_eq!(whole, undisturbed("1"));
    }
}

#[test]
fn a_fresh_start_leaves_behind_what_the_store_holds_and_says_where() {
    let folder = Folder::of_job(&job("checkpoint: { every: 50ms, store: ./store }\n").replace(", rate: 2000", ""));
    folder.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let whole = folder.read("out.ndjson");
    let again = folder.run(&["run", "job.yaml", "--parallelism", "1", "--fresh", "--summary", "summary.json"]);
    again.says(0, &["note: starting anew: ", "left behind in ", "delete that directory if you don't need"]);
    assert_eq!(folder.json("summary.json")["rows_in"], ROWS);
    assert_eq!(folder.read("out.ndjson"), whole, "replaced, not added to");
}

#[test]
fn a_changed_job_does_not_go_on_from_another_ones_checkpoint() {
    let folder = Folder::of_job(&job("checkpoint: { every: 50ms, store: ./store }\n").replace(", rate: 2000", ""));
    folder.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let whole = folder.read("out.ndjson");
    let changed =
        ["run", "job.yaml", "--parallelism", "1", "--set", "operators.counted.aggregate={ n: count(*) }", "--summary", "s.json"];
    folder.run(&changed).says(
        1,
        &[
            "error[checkpoint-other-plan]: checkpoint ",
            "hint: run the job as it was; or go on with what it shares by `--from EPOCH`; or start anew with `--fresh`",
        ],
    );
    assert_eq!(folder.json("s.json")["error"]["code"], "checkpoint-other-plan");
    assert_eq!(folder.read("out.ndjson"), whole, "nothing was touched");
    folder
        .run(&["run", "job.yaml", "--parallelism", "1", "--set", "name=other"])
        .says(1, &["error[checkpoint-other-job]: ", "hint: give each job a store of its own"]);
}

#[test]
fn two_processes_do_not_share_a_store() {
    let folder = Folder::of_job(&job("checkpoint: { every: 50ms, store: ./store }\n"));
    let first = start(&folder, &["run", "job.yaml"]);
    wait_for(&folder, "out.ndjson");
    folder
        .run(&["run", "job.yaml"])
        .says(1, &["error[checkpoint-locked]: ", &format!("in use by another process (pid {})", first.id())]);
    signal(&first, "-TERM");
    assert_eq!(end(first, Duration::from_secs(10)).0, Some(0));
}

#[test]
fn without_a_checkpoint_a_stopped_job_has_written_what_it_read() {
    let folder = Folder::of_job(&job(""));
    let child = start(&folder, &["run", "job.yaml", "--parallelism", "2", "--summary", "summary.json"]);
    wait_for(&folder, "out.ndjson");
    signal(&child, "-TERM");
    assert_eq!(end(child, Duration::from_secs(10)).0, Some(0));
    let summary = folder.json("summary.json");
    assert_eq!(summary["outcome"], "stopped");
    assert_eq!(summary["rows_in"], folder.read("out.ndjson").lines().count());
}

#[test]
fn a_job_that_waits_for_standard_input_stops_too() {
    let folder = Folder::of_job(
        "name: waiting
sources: { rows: { connector: stdio, format: json, schema: { id: int64 } } }
sinks: { out: { input: rows, connector: file, path: out.ndjson, format: json } }
",
    );
    let mut child = folder.command(&["run", "job.yaml"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    // Held open: there may always be more.
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"{\"id\":1}\n").expect("written");
    wait_for(&folder, "out.ndjson");
    signal(&child, "-TERM");
    assert_eq!(end(child, Duration::from_secs(10)).0, Some(0));
    assert_eq!(folder.read("out.ndjson"), "{\"id\":1}\n");
    drop(input);
}

#[test]
fn a_second_signal_ends_a_job_that_cannot_stop() {
    let folder = Folder::of_job(
        "name: stuck\nsources: { rows: { connector: generator, workload: micro } }\nsinks: { out: { input: rows, connector: stdio, format: json } }\n",
    );
    // Nobody reads its standard output, so that it waits for ever with rows in its hands.
    let mut child = start(&folder, &["run", "job.yaml"]);
    // The first byte comes of a write of more than a pipe holds.
    child.stdout.as_mut().expect("piped").read_exact(&mut [0]).expect("rows");
    signal(&child, "-TERM");
    let mut said = BufReader::new(child.stderr.as_mut().expect("piped")).lines().map(|line| line.expect("text"));
    assert!(said.any(|line| line == "note: stopping; a second signal ends the program at once"), "it heard the first signal");
    signal(&child, "-INT");
    let (code, said) = end(child, Duration::from_secs(10));
    assert_eq!(code, Some(130), "{said}");
}

/// A job that reads rows with these columns and writes some of them, with checkpoints.
fn of_columns(schema: &str, counts: &str, out: &str) -> String {
    format!(
        "name: columns
sources: {{ rows: {{ connector: file, path: rows.ndjson, format: json, schema: {{ {schema} }} }} }}
operators:
  counted: {{ input: rows, key-by: [id], aggregate: {{ n: count(*) }} }}
  counts: {{ input: counted, select: {{ {counts} }} }}
sinks:
  all: {{ input: rows, connector: file, path: all.ndjson, format: json }}
  out: {{ input: counts, connector: file, {out} }}
checkpoint: {{ every: 10s, store: ./store }}
"
    )
}

/// Runs a job of columns to its end, gives it more rows and other columns, and goes on from there.
fn other_columns(out: &str) -> (Folder, Ended) {
    let folder = Folder::of_job(&of_columns("id: int64 not null", "id: id, n: n", out));
    let rows = "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n";
    folder.write("rows.ndjson", rows);
    folder.run(&["run", "job.yaml", "--parallelism", "1", "--summary", "summary.json"]).says(0, &[]);
    let last = folder.json("summary.json")["checkpoints"]["last"].to_string();
    folder.write("rows.ndjson", format!("{rows}{{\"id\":1,\"name\":\"c\"}}\n"));
    folder.write("job.yaml", of_columns("id: int64 not null, name: utf8", "n: n", out));
    let ended = folder.run(&["run", "job.yaml", "--parallelism", "1", "--from", &last]);
    (folder, ended)
}

#[test]
fn a_source_that_has_got_a_column_and_a_sink_that_has_lost_one_go_on_where_they_were() {
    let (folder, ended) = other_columns("path: out.ndjson, format: json");
    ended.says(0, &["note: going on from checkpoint "]);
    assert_eq!(folder.read("all.ndjson"), "{\"id\":1}\n{\"id\":2}\n{\"id\":1,\"name\":\"c\"}\n");
    assert_eq!(folder.read("out.ndjson"), "{\"id\":1,\"n\":1}\n{\"id\":2,\"n\":1}\n{\"n\":2}\n", "state goes on");
    // Each part says for itself what columns it has.
    let (folder, ended) = other_columns("path: out/, format: csv");
    ended.says(0, &["note: going on from checkpoint "]);
    let mut parts: Vec<_> =
        fs::read_dir(folder.path("out")).expect("a folder").map(|part| part.expect("a part").path()).collect();
    parts.sort();
    let parts: Vec<String> = parts.iter().map(|part| fs::read_to_string(part).expect("a part")).collect();
    assert_eq!(parts, ["id,n\n1,1\n2,1\n", "n\n2\n"]);
}

#[test]
fn rows_of_other_columns_do_not_follow_under_a_header() {
    for (file, format) in [("out.csv", "csv"), ("out.csv.gz", "csv")] {
        let (folder, ended) = other_columns(&format!("path: {file}, format: {format}"));
        let message = format!(
            "error[header-invalid]: {file}: expected the header `n`, found `id,n`: rows of other columns can't follow in the file"
        );
        ended.says(1, &[&message, "hint: give the sink another path, or `select` the columns that the file has"]);
        if file == "out.csv" {
            assert_eq!(folder.read(file), "id,n\n1,1\n2,1\n", "it is as it was");
        }
    }
}
