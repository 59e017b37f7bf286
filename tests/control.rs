//! A running job, reached by its name: how it is, a savepoint, a stop.

mod program;

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::Folder;
use serde_json::Value;

const JOB: &str = "name: counting
sources: { rows: { connector: generator, fields: { id: sequence, key: { uniform: [0, 9] } }, rate: 2000 } }
operators: { counted: { input: rows, key-by: [key], aggregate: { n: count(*) } } }
sinks: { out: { input: counted, connector: file, path: out.ndjson, format: json } }
checkpoint: { every: 50ms, store: ./store }
";

/// Starts the job, and waits until it has completed a checkpoint.
#[expect(clippy::zombie_processes, reason = "the caller waits for it; where it isn't reached the test has failed")]
fn started(folder: &Folder) -> Child {
    let child = folder.command(&["run", "job.yaml", "--parallelism", "1"]).stderr(Stdio::null()).spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let status = folder.run(&["status", "counting", "--format", "json"]);
        if status.code == Some(0) {
            let status: Value = serde_json::from_str(&status.out).expect("JSON");
            if status["checkpoints"]["completed"].as_u64() > Some(1) {
                assert_eq!((&status["job"], &status["outcome"]), (&"counting".into(), &"running".into()));
                assert_eq!((&status["exit_code"], &status["pid"]), (&Value::Null, &child.id().into()));
                return child;
            }
        }
        assert!(Instant::now() < deadline, "the job isn't reached: {status:?}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_running_job_says_how_it_is_and_stops_when_it_is_asked_to() {
    let folder = Folder::of_job(JOB);
    let mut child = started(&folder);
    let all = folder.run(&["status", "--format", "json"]);
    let all: Value = serde_json::from_str(&all.says(0, &[]).out).expect("JSON");
    assert_eq!(all.as_array().expect("a list").len(), 1);
    let shown = folder.run(&["status"]).out;
    assert!(shown.starts_with("counting: running, ") && shown.contains("\n  counted: "), "{shown}");
    folder.run(&["status", "other"]).says(1, &["error[job-not-running]: no job `other` runs", "running: counting"]);

    let stopped = folder.run(&["stop", "counting"]);
    assert_eq!(stopped.says(0, &[]).out, "job `counting` has stopped\n");
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    folder.run(&["stop", "counting"]).says(1, &["error[job-not-running]: no job `counting` runs", "no job of this user runs"]);
    assert_eq!(folder.run(&["status"]).out, "no job runs\n");
}

#[test]
fn a_job_without_checkpoints_refuses_a_savepoint_and_says_why() {
    let job = JOB.replace("checkpoint: { every: 50ms, store: ./store }\n", "");
    let folder = Folder::of_job(&job);
    let mut child = folder.command(&["run", "job.yaml"]).stderr(Stdio::null()).spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(30);
    while folder.run(&["status", "counting"]).code != Some(0) {
        assert!(Instant::now() < deadline, "the job isn't reached");
        sleep(Duration::from_millis(20));
    }
    let refused = folder.run(&["savepoint", "counting", "before"]);
    refused.says(1, &["error[savepoint-without-store]: the job takes no checkpoints, so that there is no place for a savepoint"]);
    folder
        .run(&["savepoint", "counting", "4 you"])
        .says(1, &["error[savepoint-label]: \"4 you\" is no label: expected up to 64 of"]);
    folder.run(&["stop", "counting"]).says(0, &[]);
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}

#[test]
fn a_second_job_of_a_name_runs_and_says_that_it_is_not_reached() {
    let folder = Folder::of_job(JOB);
    let mut first = started(&folder);
    folder.write(
        "other.yaml",
        "name: counting
sources: { rows: { connector: generator, fields: { id: sequence }, rows: 10 } }
sinks: { out: { input: rows, connector: file, path: other.ndjson, format: json } }
",
    );
    let second = folder.run(&["run", "other.yaml"]);
    second
        .says(0, &["`wasmill status`, `stop` and `savepoint` don't reach this job: ", "another process runs a job of this name"]);
    folder.run(&["stop", "counting"]).says(0, &[]);
    first.wait().expect("a child");
}
