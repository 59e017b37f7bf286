//! After a fault that may pass a job goes on from its last checkpoint, in the same process, as often as it says.

mod program;

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::{Ended, Folder, plugin};

#[test]
fn f19_a_plugin_that_traps_each_time_ends_the_job_after_as_many_attempts_as_it_may_have() {
    let guest = plugin("tests/guests/hostile");
    let job = |attempts: u32| {
        format!(
            "name: hostile
sources: {{ rows: {{ connector: generator, fields: {{ key: {{ uniform: [0, 9] }}, id: sequence }}, rows: 100 }} }}
operators: {{ work: {{ input: rows, key-by: [key], plugin: '{}', settings: {{ do: panic, text: out of luck }} }} }}
sinks: {{ out: {{ input: work, connector: file, path: out.ndjson, format: json }} }}
checkpoint: {{ every: 20ms, store: ./store }}
restart: {{ attempts: {attempts}, backoff: 5ms, max-backoff: 8ms }}
",
            guest.display()
        )
    };
    let folder = Folder::of_job(&job(3));
    let ended = folder.run(&["run", "job.yaml", "--summary", "summary.json"]);
    ended.says(
        1,
        &[
            "note: [plugin-trap] ",
            "; going on from the last checkpoint in 5ms (1 of 3)",
            "; going on from the last checkpoint in 8ms (2 of 3)",
            "; going on from the last checkpoint in 8ms (3 of 3)",
            "out of luck (after the job was started again 3 times)",
        ],
    );
    let summary = folder.json("summary.json");
    assert_eq!((&summary["outcome"], &summary["restarts"]), (&"failed".into(), &3.into()));
    let folder = Folder::of_job(&job(0));
    let ended = folder.run(&["run", "job.yaml"]);
    assert!(!ended.says(1, &["out of luck"]).err.contains("going on from the last checkpoint"), "{ended:?}");
}

/// A disk that is full goes on when there is room: nothing is lost, nothing doubled.
#[test]
fn f30_a_job_whose_disk_is_full_for_a_while_goes_on_when_there_is_room() {
    let disk = tempfile::tempdir().expect("a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "wasmill-test"]).arg(disk.path()).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        eprintln!("no small disk can be mounted here (not root?): what a job does on a full one is tested where one can");
        return;
    }
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![0; 900 << 10]).expect("a file");
    let out = disk.path().join("out.ndjson");
    let folder = Folder::of_job(&format!(
        "name: full
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence }}, rows: 20000, rate: 20000 }} }}
sinks: {{ out: {{ input: rows, connector: file, path: '{}', format: json }} }}
checkpoint: {{ every: 20ms, store: ./store }}
restart: {{ attempts: 1000, backoff: 100ms, max-backoff: 100ms }}
",
        out.display()
    ));
    let arguments = ["run", "job.yaml", "--parallelism", "1", "--summary", "summary.json"];
    let child = folder.command(&arguments).stderr(Stdio::piped()).spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    // Until it has met the full disk more than once.
    let restarts = || {
        let status = folder.run(&["status", "full", "--format", "json"]);
        let status: serde_json::Value = serde_json::from_str(&status.out).unwrap_or_default();
        status["restarts"].as_u64().unwrap_or(0)
    };
    while restarts() < 2 {
        assert!(Instant::now() < deadline, "the disk isn't full");
        sleep(Duration::from_millis(20));
    }
    fs::remove_file(&ballast).expect("room");
    let ended = Ended::of(child.wait_with_output().expect("a child"));
    ended.says(0, &["note: [disk-full] "]);
    let expected: String = (0..20_000).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    let found = fs::read_to_string(&out).expect("the output");
    drop(Command::new("umount").arg("--lazy").arg(disk.path()).output());
    assert!(found == expected, "{} bytes, expected {}", found.len(), expected.len());
    assert!(folder.json("summary.json")["restarts"].as_u64() >= Some(2));
}
