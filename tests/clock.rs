//! The host's clock is set forward and back while a job runs, and between its runs: event time is what rows say, processing time is what passes.
//!
//! Nobody may set a machine's clock for a test. So a small library (`clock/set.c`), which is compiled here, answers the program instead of the system.

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use program::{Ended, Folder, from_root};
use serde_json::Value;

const HOUR: i64 = 3_600;
/// Where the clock stands, in seconds, one after the other.
const SET: [i64; 7] = [HOUR, -HOUR, 24 * HOUR, 0, -24 * HOUR, HOUR, 0];
const ROWS: u64 = 6_000;

/// Three seconds of rows, in windows of event time and in windows by the clock.
fn job(durable: bool) -> String {
    let (rate, checkpoint) = if durable {
        ("\n    rate: 2000", "checkpoint: { every: 20ms, retain: 2, base-every: 4, store: ./store }\n")
    } else {
        ("", "")
    };
    format!(
        "name: clocks
sources:
  rows:
    connector: generator
    fields: {{ id: sequence, key: {{ uniform: [0, 4] }}, at: {{ every: 10ms, disorder: 200ms, start: 2024-01-01T00:00:00Z }} }}
    rows: {ROWS}{rate}
    event-time: {{ field: at, max-out-of-orderness: 100ms }}
operators:
  told: {{ input: rows, key-by: [key], window: {{ tumbling: 1s }}, aggregate: {{ n: count(*), sum: sum(id) }} }}
  passed: {{ input: rows, key-by: [key], window: {{ tumbling: 200ms, time: processing }}, aggregate: {{ n: count(*), sum: sum(id) }} }}
sinks:
  out: {{ input: told, connector: file, path: out.ndjson, format: json }}
  late: {{ input: told.late, connector: file, path: late.ndjson, format: json }}
  clock: {{ input: passed, connector: file, path: clock.ndjson, format: {{ type: json, timestamps: ms }} }}
{checkpoint}"
    )
}

/// A folder with the job, and a clock that can be set.
struct Host {
    folder: Folder,
    library: PathBuf,
}

impl Host {
    fn new() -> Self {
        let folder = Folder::of_job(&job(true));
        let library = folder.path("set.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(from_root("tests/clock/set.c"));
        let compiled = Ended::of(compiler.output().expect("cc, which Rust links by, is there"));
        assert_eq!(compiled.code, Some(0), "{}", compiled.err);
        let host = Self { folder, library };
        host.set(0);
        host
    }

    fn set(&self, seconds: i64) {
        // In place: the program has it mapped.
        use std::os::unix::fs::FileExt as _;
        let file = fs::File::options().create(true).truncate(false).write(true).open(self.folder.path("ahead")).expect("a file");
        file.write_all_at(&seconds.to_ne_bytes(), 0).expect("written");
    }

    fn start(&self) -> Child {
        let mut command = self.folder.command(&["run", "job.yaml", "--parallelism", "1"]);
        command.env("LD_PRELOAD", &self.library).env("WASMILL_TEST_CLOCK", self.folder.path("ahead"));
        command.stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    fn end(child: Child) -> Ended {
        Ended::of(child.wait_with_output().expect("a child"))
    }

    /// Its windows by the clock, in the order in which they came out: start in milliseconds, key, rows.
    fn windows(&self) -> Vec<(i64, i64, u64)> {
        let text = self.folder.read("clock.ndjson");
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        rows.map(|row| {
            let number = |name: &str| row[name].as_i64().expect("a number");
            (number("window_start"), number("key"), number("n").unsigned_abs())
        })
        .collect()
    }

    /// Event time is as it is where nothing is disturbed, and no row is missing, or there twice, in windows by the clock.
    fn check(&self) {
        let calm = Folder::of_job(&job(false));
        calm.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
        for file in ["out.ndjson", "late.ndjson"] {
            assert!(!calm.read(file).is_empty(), "nothing in {file}");
            assert!(self.folder.read(file) == calm.read(file), "{file} differs");
        }
        let count = |file: &Path| {
            let mut of_key: BTreeMap<i64, u64> = BTreeMap::new();
            for line in fs::read_to_string(file).expect("the output").lines() {
                let row: Value = serde_json::from_str(line).expect("JSON");
                *of_key.entry(row["key"].as_i64().expect("a key")).or_default() += row["n"].as_u64().expect("a count");
            }
            of_key
        };
        assert_eq!(count(&self.folder.path("clock.ndjson")), count(&calm.path("clock.ndjson")));
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("a time")
}

#[test]
fn f29_a_clock_that_is_set_while_a_job_runs_changes_nothing() {
    let host = Host::new();
    let before = now();
    let child = host.start();
    for seconds in SET {
        sleep(Duration::from_millis(350));
        host.set(seconds);
    }
    Host::end(child).says(0, &[]);
    let after = now();
    host.check();
    // Processing time goes on from where the clock stood at the start, neither back nor by leaps.
    let windows = host.windows();
    assert!(windows.is_sorted_by_key(|(start, ..)| *start), "{windows:?}");
    let (first, last) = (windows[0].0, windows[windows.len() - 1].0);
    assert!(first > before - 1_000 && last < after + 1_000, "windows from {first} to {last}; it ran from {before} to {after}");
    assert!(last - first > 2_000, "windows from {first} to {last}, though it ran for three seconds");
}

#[test]
fn f29_a_job_that_is_killed_and_gone_on_with_under_another_clock_loses_nothing() {
    let host = Host::new();
    for seconds in SET {
        host.set(seconds);
        let mut child = host.start();
        sleep(Duration::from_millis(500));
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    // A lock is the system's, and an owner's claim a number: neither goes by a clock.
    Host::end(host.start()).says(0, &["note: going on from checkpoint "]);
    host.check();
}
