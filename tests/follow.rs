//! A job that follows a log: rows come as they are written, through a rotation, until a signal; then it goes on from its checkpoint.

mod program;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::{Ended, Folder};

const JOB: &str = "name: follow
sources: { log: { connector: file, path: app.log, follow: true, format: json, schema: { id: int64 not null } } }
sinks: { out: { input: log, connector: file, path: out.ndjson, format: json } }
";
const CHECKPOINT: &str = "checkpoint: { every: 50ms, store: store }\n";

fn start(folder: &Folder) -> Child {
    let mut command = folder.command(&["run", "job.yaml", "--summary", "summary.json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn append(folder: &Folder, text: &str) {
    let mut log = OpenOptions::new().append(true).create(true).open(folder.path("app.log")).expect("a log");
    log.write_all(text.as_bytes()).expect("a write");
}

fn lines(ids: std::ops::Range<u32>) -> String {
    ids.map(|id| format!("{{\"id\":{id}}}\n")).collect()
}

fn wait_for(folder: &Folder, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = fs::read_to_string(folder.path("out.ndjson")).unwrap_or_default();
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "expected:\n{expected}\nfound:\n{found}");
        sleep(Duration::from_millis(5));
    }
}

fn stop(child: Child) -> Ended {
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success(), "the signal is sent");
    Ended::of(child.wait_with_output().expect("the program ends"))
}

#[test]
fn a_log_is_followed_through_a_rotation_until_a_signal() {
    let folder = Folder::of_job(JOB);
    append(&folder, &lines(0..2));
    let child = start(&folder);
    wait_for(&folder, &lines(0..2));
    append(&folder, &(lines(2..3) + "{\"id\""));
    wait_for(&folder, &lines(0..3));
    append(&folder, ":3}\n");
    wait_for(&folder, &lines(0..4));
    fs::rename(folder.path("app.log"), folder.path("app.log.1")).expect("a rotation");
    append(&folder, &lines(4..5));
    wait_for(&folder, &lines(0..5));
    stop(child).says(0, &[]);
    assert_eq!(folder.json("summary.json")["outcome"], "stopped");
    assert_eq!(folder.read("out.ndjson"), lines(0..5));
}

#[test]
fn a_job_that_was_stopped_goes_on_in_the_file_that_was_rotated_meanwhile() {
    let folder = Folder::of_job(&format!("{JOB}{CHECKPOINT}"));
    append(&folder, &lines(0..3));
    let child = start(&folder);
    wait_for(&folder, &lines(0..3));
    stop(child).says(0, &[]);
    append(&folder, &lines(3..4));
    fs::rename(folder.path("app.log"), folder.path("app.log.1")).expect("a rotation");
    append(&folder, &lines(4..6));
    let child = start(&folder);
    wait_for(&folder, &lines(0..6));
    stop(child).says(0, &[]);
    fs::remove_file(folder.path("app.log")).expect("a log");
    fs::remove_file(folder.path("app.log.1")).expect("an old log");
    let child = start(&folder);
    append(&folder, &lines(6..7));
    wait_for(&folder, &lines(0..7));
    stop(child).says(0, &["the file of which 18 bytes were read is gone"]);
}
