//! How far event time has come: by expression, with times that are too far ahead, and with sources that wait for one another.

mod program;

use std::fmt::Write as _;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use program::Folder;
use serde_json::Value;

fn lines(folder: &Folder, file: &str) -> Vec<String> {
    let mut lines: Vec<String> = folder.read(file).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// A number that follows from the one before: disorder that is the same every time (a linear congruential generator).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end) as i64
    }
}

/// Rows in disorder; one in ten says that all before its time less 20 s has come, one in thirty is of a year far ahead.
fn rows(count: i64) -> String {
    let mut draws = Draws(5);
    (0..count).fold(String::new(), |mut text, row| {
        let kind = if draws.below(10) == 0 { "mark" } else { "row" };
        let at = if draws.below(30) == 0 { 200_000_000_000 } else { row / 4 - draws.below(40) };
        let _ = writeln!(text, "{{\"key\":{},\"kind\":\"{kind}\",\"at\":{at}}}", draws.below(6));
        text
    })
}

fn punctuated(batch: usize) -> String {
    format!(
        "name: marks
batch: {{ max-rows: {batch} }}
sources:
  rows:
    connector: file
    path: rows.ndjson
    format: {{ type: json, timestamps: s }}
    schema: {{ key: int64 not null, kind: utf8 not null, at: timestamp }}
    event-time: {{ field: at, watermark: \"case when kind = 'mark' then at - interval '20 seconds' end\", max-jump: 1h }}
operators:
  counted: {{ input: rows, key-by: [key], window: {{ tumbling: 10s }}, aggregate: {{ n: count(*) }} }}
sinks:
  out: {{ input: counted, connector: file, path: out.ndjson, format: json }}
  late: {{ input: counted.late, connector: file, path: late.ndjson, format: json }}
"
    )
}

#[test]
fn a_watermark_by_expression_gives_the_same_for_all_batches_and_tasks() {
    let text = rows(2_000);
    let run = |batch: usize, tasks: &str| {
        let folder = Folder::of_job(&punctuated(batch));
        folder.write("rows.ndjson", &text);
        let ended = folder.run(&["run", "job.yaml", "--parallelism", tasks, "--summary", "summary.json"]);
        ended.says(0, &[]);
        let said = "is further ahead of all before it than `max-jump` says: it doesn't raise the watermark";
        assert_eq!(ended.err.matches(said).count(), 1, "it is said once: {}", ended.err);
        (lines(&folder, "out.ndjson"), lines(&folder, "late.ndjson"), folder.json("summary.json"))
    };
    let (results, late, summary) = run(1, "1");
    assert!(results.len() > 200 && late.len() > 10, "{} results, {} late", results.len(), late.len());
    let source = &summary["sources"]["rows"];
    assert!(source["ahead_rows"].as_u64().is_some_and(|ahead| ahead > 0), "{source}");
    assert!(source["watermark"].as_str().is_some_and(|at| at.starts_with("1970-01-01T00:0")), "{source}");
    for (batch, tasks) in [(7, "3"), (1_024, "1"), (1_024, "2")] {
        let again = run(batch, tasks);
        assert_eq!((&again.0, &again.1), (&results, &late), "batches of {batch}, {tasks} tasks");
        assert_eq!(again.2["sources"]["rows"]["ahead_rows"], source["ahead_rows"]);
    }
}

#[test]
fn a_job_with_a_watermark_by_expression_that_is_killed_finds_the_same_rows_late() {
    let text = rows(40_000);
    let job = format!("{}checkpoint: {{ every: 20ms, store: ./store }}\n", punctuated(32));
    let plain = Folder::of_job(&job);
    plain.write("rows.ndjson", &text);
    plain.run(&["run", "job.yaml", "--parallelism", "2"]).says(0, &[]);
    let folder = Folder::of_job(&job);
    folder.write("rows.ndjson", &text);
    for pause in [30, 45, 60, 80, 100, 130] {
        let mut child = folder.command(&["run", "job.yaml", "--parallelism", "2"]).spawn().expect("the program starts");
        thread::sleep(Duration::from_millis(pause));
        let _ = child.kill();
        child.wait().expect("a child");
    }
    folder.run(&["run", "job.yaml", "--parallelism", "2"]).says(0, &[]);
    for file in ["out.ndjson", "late.ndjson"] {
        assert_eq!(lines(&folder, file), lines(&plain, file), "{file}");
    }
}

/// Two sources of a hundred seconds of event time, of which one gives its rows in half a second, the other as fast as it can.
fn drifting(limit: &str) -> String {
    let source = |rate: &str, every: &str, rows: u32| {
        format!(
            "{{ connector: generator, fields: {{ at: {{ every: {every}, start: 2024-01-01T00:00:00Z }} }}, rows: {rows}{rate}, \
             event-time: {{ field: at, ascending: true{limit} }} }}"
        )
    };
    format!(
        "name: drift
parallelism: 1
batch: {{ max-rows: 10 }}
sources:
  slow: {}
  fast: {}
operators:
  slowly: {{ input: slow, with: {{ by: \"'slow'\" }} }}
  quickly: {{ input: fast, with: {{ by: \"'fast'\" }} }}
  all: {{ inputs: [slowly, quickly] }}
sinks: {{ out: {{ input: all, connector: file, path: out.ndjson, format: {{ type: json, timestamps: ms }} }} }}
",
        source(", rate: 200", "1s", 100),
        source("", "100ms", 1_000)
    )
}

/// How far rows of the fast source were ahead of those of the slow one, at most, in seconds.
fn most_ahead(folder: &Folder) -> i64 {
    let (mut slow, mut most) = (1_704_067_200_000, 0);
    for line in folder.read("out.ndjson").lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let at = row["at"].as_i64().expect("a time");
        if row["by"] == "slow" { slow = at } else { most = most.max(at - slow) }
    }
    most / 1_000
}

#[test]
fn a_source_waits_for_a_slower_one() {
    let run = |limit: &str| {
        let folder = Folder::of_job(&drifting(limit));
        folder.run(&["run", "job.yaml"]).says(0, &[]);
        assert_eq!(folder.read("out.ndjson").lines().count(), 1_100, "all come in the end");
        most_ahead(&folder)
    };
    assert!(run("") > 60, "without a limit the fast source is far ahead");
    let with = run(", max-drift: 5s");
    assert!(with < 20, "{with} s ahead: 5 s, and what is on its way");
}

fn stopped(folder: &Folder, mut child: Child) -> Value {
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill is there");
    assert!(killed.success());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    folder.json("summary.json")
}

/// A source without rows, and one that makes them without end, in a job that takes checkpoints.
fn waiting(idle: &str) -> (Folder, Child) {
    let folder = Folder::of_job(&format!(
        "name: waits
parallelism: 2
sources:
  silent:
    connector: file
    path: silent.ndjson
    follow: true
    format: json
    schema: {{ id: int64 not null, at: timestamp }}
    event-time: {{ field: at, ascending: true, max-drift: 5s{idle} }}
  busy:
    connector: generator
    fields: {{ id: sequence, at: {{ every: 100ms, start: 2024-01-01T00:00:00Z }} }}
    event-time: {{ field: at, ascending: true, max-drift: 5s }}
  kept: {{ connector: generator, fields: {{ id: sequence, at: {{ every: 1ms, start: 2024-01-01T00:00:00Z }} }}, rate: 1000 }}
operators:
  all: {{ inputs: [silent, busy], filter: \"id >= 0\" }}
sinks:
  out: {{ input: all, connector: file, path: out.ndjson, format: json }}
  others: {{ input: kept, connector: blackhole }}
checkpoint: {{ every: 50ms, store: ./store }}
"
    ));
    folder.write("silent.ndjson", "");
    let child = folder.command(&["run", "job.yaml", "--summary", "summary.json"]).spawn().expect("the program starts");
    (folder, child)
}

#[test]
fn barriers_pass_a_source_that_waits_and_a_stop_does_too() {
    let (folder, child) = waiting("");
    thread::sleep(Duration::from_millis(1_200));
    let summary = stopped(&folder, child);
    let busy = summary["sources"]["busy"]["rows"].as_u64().expect("a number");
    assert!((1..=2 * 1_024).contains(&busy), "each of its readers has read once and waits: {busy}");
    assert!(summary["sources"]["kept"]["rows"].as_u64() > Some(500), "a source without the limit goes on: {summary}");
    assert!(summary["checkpoints"]["completed"].as_u64() > Some(4), "{summary}");
}

#[test]
fn f31_a_source_that_idles_holds_up_no_other() {
    let (folder, child) = waiting(", idle-after: 200ms");
    thread::sleep(Duration::from_millis(1_200));
    let summary = stopped(&folder, child);
    assert!(summary["sources"]["busy"]["rows"].as_u64() > Some(10_000), "{summary}");
}
