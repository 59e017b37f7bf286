//! Signals are heard from the first moment of `run` to its last: before the job begins, and when it has ended.

mod program;

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::Folder;

const LIMIT: Duration = Duration::from_secs(120);

fn start(folder: &Folder, arguments: &[&str]) -> Child {
    folder.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn terminate(child: &Child) {
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success(), "the signal is sent");
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !so() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        sleep(Duration::from_millis(5));
    }
}

/// Waits for the program to end; its exit code and what it said.
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut status = None;
    until("the program ends", || {
        status = child.try_wait().expect("a child");
        status.is_some()
    });
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (status.and_then(|status| status.code()), said)
}

#[test]
fn a_signal_while_a_plugin_is_built_ends_the_program_well_and_nothing_has_begun() {
    let folder = Folder::of_job(
        "name: slow
sources: { rows: { connector: generator, fields: { id: sequence }, rows: 1 } }
operators: { slow: { input: rows, plugin: slow-plugin } }
sinks: { out: { input: slow, connector: file, path: out.ndjson, format: json } }
",
    );
    folder.write(
        "slow-plugin/Cargo.toml",
        "[package]\nname = \"slow-plugin\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n",
    );
    folder.write("slow-plugin/src/lib.rs", "");
    // Says that it runs, and waits to be let go.
    let script = "fn main() {
    std::fs::write(\"building\", \"\").expect(\"written\");
    while std::path::Path::new(\"building\").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
";
    folder.write("slow-plugin/build.rs", script);
    let child = start(&folder, &["run", "job.yaml", "--summary", "summary.json"]);
    let building = folder.path("slow-plugin/building");
    until("the plugin is being built", || building.exists());
    terminate(&child);
    let (code, said) = end(child);
    std::fs::remove_file(building).expect("let go");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("note: stopping; a second signal ends the program at once\n"), "{said}");
    assert!(!said.contains("error"), "{said}");
    assert!(!folder.path("out.ndjson").exists(), "nothing has begun");
}

#[test]
fn a_second_signal_ends_a_program_whose_job_has_ended() {
    let folder = Folder::of_job(
        "name: ended
sources: { rows: { connector: generator, fields: { id: sequence }, rows: 1 } }
sinks: { out: { input: rows, connector: file, path: out.ndjson, format: json } }
",
    );
    let made = Command::new("mkfifo").arg(folder.path("summary")).status().expect("mkfifo runs");
    assert!(made.success());
    // Nobody reads the summary: the program waits for that with its job done.
    let mut child = start(&folder, &["run", "job.yaml", "--summary", "summary"]);
    until("the job has ended", || folder.path("out.ndjson").exists());
    terminate(&child);
    let mut said = [0; 1];
    child.stderr.as_mut().expect("piped").read_exact(&mut said).expect("the first is answered");
    terminate(&child);
    assert_eq!(end(child).0, Some(130));
}
