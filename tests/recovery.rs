//! A job that is killed (SIGKILL) at random instants and gone on with writes exactly what one writes that nothing disturbs.

mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use program::{Folder, plugin};

const KILLS: u32 = 20;
/// Five seconds of rows, so that the job isn't done before it was killed often enough.
const ROWS: u64 = 15_000;

fn job(durable: bool) -> String {
    let (rate, checkpoint) = match durable {
        true => (", rate: 3000", "checkpoint: { every: 50ms, store: ./store }\n"),
        false => ("", ""),
    };
    // A plugin's accumulators survive as those of SQL's functions do.
    let guest = plugin("tests/guests/hostile-aggregate");
    let also = format!("{{ plugin: \"{}\", of: [id], settings: {{ do: pass }} }}", guest.display());
    format!(
        "name: killed
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 99] }} }}, rows: {ROWS}{rate} }} }}
operators:
  odd: {{ input: rows, filter: \"id % 7 <> 3\" }}
  counted: {{ input: odd, key-by: [key], aggregate: {{ n: count(*), sum: sum(id), last: max(id), also: {also} }} }}
  totals: {{ input: odd, key-by: [key], aggregate: {{ n: count(*), kinds: count(distinct id % 10), middle: median(id) }}, emit: final }}
sinks:
  out: {{ input: counted, connector: file, path: out.ndjson, format: json }}
  ends: {{ input: totals, connector: file, path: ends.ndjson, format: json }}
{checkpoint}"
    )
}

/// Numbers that look random (xorshift).
struct Instants(u64);

impl Instants {
    fn new() -> Self {
        let seed: u64 = match std::env::var("WASMILL_TEST_SEED") {
            Ok(seed) => seed.parse().expect("WASMILL_TEST_SEED is a number"),
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos().into(),
        };
        println!("seed {seed}: run again with WASMILL_TEST_SEED={seed}");
        Self(seed | 1)
    }

    fn next(&mut self, least: u64, most: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(least + self.0 % (most - least))
    }
}

/// For each key, the counts of its rows in their order, and its last row. At two tasks rows of two generators meet, in no order that is
/// anybody's: how far the sum is at each row depends on it, the counts and the end don't.
fn by_key(text: &str) -> BTreeMap<i64, (Vec<i64>, &str)> {
    let mut keys: BTreeMap<i64, (Vec<i64>, &str)> = BTreeMap::new();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let of_key = keys.entry(row["key"].as_i64().expect("a key")).or_default();
        of_key.0.push(row["n"].as_i64().expect("a count"));
        of_key.1 = line;
    }
    keys
}

/// Waits until more of the output is visible than these bytes: another checkpoint is complete.
fn wait_for_more(folder: &Folder, than: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while folder.path("out.ndjson").metadata().map_or(0, |file| file.len()) <= than as u64 {
        assert!(Instant::now() < deadline, "no more than {than} bytes are visible");
        sleep(Duration::from_millis(2));
    }
}

fn killed_and_gone_on_with(parallelism: &str) {
    let calm = Folder::of_job(&job(false));
    calm.run(&["run", "job.yaml", "--parallelism", parallelism]).says(0, &[]);

    let folder = Folder::of_job(&job(true));
    let arguments = ["run", "job.yaml", "--parallelism", parallelism, "--summary", "summary.json"];
    let mut instants = Instants::new();
    let (mut kills, mut resumed) = (0, 0);
    let mut visible = String::new();
    while kills < KILLS {
        let mut child = folder.command(&arguments).stderr(Stdio::null()).spawn().expect("the program starts");
        // Every fourth time it has got on when it is killed, however slow the machine is.
        if kills % 4 == 3 {
            wait_for_more(&folder, visible.len());
        }
        sleep(instants.next(0, 200));
        match child.try_wait().expect("a child") {
            Some(status) => {
                // It was done before all kills: the rest of them would find nothing to disturb.
                assert_eq!(status.code(), Some(0));
                panic!("done after {kills} kills: the job is too short for this test");
            }
            None => child.kill().expect("killed"),
        }
        child.wait().expect("gone");
        kills += 1;
        // What was visible stays so, but for what a checkpoint doesn't hold: only whole epochs ever are.
        let now = std::fs::read_to_string(folder.path("out.ndjson")).unwrap_or_default();
        assert!(now.is_empty() || now.ends_with('\n'), "half a row is visible after kill {kills}");
        resumed += u32::from(now.len() > visible.len());
        assert!(now.starts_with(&visible), "rows that were visible are gone or changed after kill {kills}");
        visible = now;
    }
    assert!(resumed > 2, "the job got on only {resumed} times between {kills} kills");
    folder.run(&arguments).says(0, &["note: going on from checkpoint "]);
    assert_eq!(folder.json("summary.json")["outcome"], "finished");

    let (expected, found) = (calm.read("out.ndjson"), folder.read("out.ndjson"));
    match parallelism {
        "1" => assert!(expected == found, "the outputs differ: {} and {} bytes", expected.len(), found.len()),
        _ => assert_eq!(by_key(&expected), by_key(&found)),
    }
    // What comes at the end comes once, also where the job is started again after it.
    let ends = |folder: &Folder| folder.read("ends.ndjson").lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(ends(&calm).len(), 100);
    assert_eq!(ends(&calm), ends(&folder));
    folder.run(&arguments).says(0, &[]);
    assert_eq!(folder.read("ends.ndjson").lines().count(), 100);
}

/// Two generators at their own pace into a plugin that remembers what of either has no other half yet.
fn job_of_two_inputs(durable: bool) -> String {
    let (rates, checkpoint) = match durable {
        true => ([", rate: 3000", ", rate: 2000"], "checkpoint: { every: 50ms, store: ./store }\n"),
        false => (["", ""], ""),
    };
    format!(
        "name: killed
sources:
  orders: {{ connector: generator, fields: {{ id: sequence, item: {{ one-of: [tea, pot] }}, amount: {{ uniform: [1, 2] }} }}, rows: 6000{} }}
  payments: {{ connector: generator, fields: {{ order: sequence, paid: {{ uniform: [1, 2] }}, at: {{ every: 1ms, start: 2024-01-01T00:00:00Z }} }}, rows: 6000{} }}
operators:
  match:
    inputs: {{ orders: orders, payments: payments }}
    key-by: {{ orders: [id], payments: [order] }}
    plugin: \"${{PLUGINS}}/match-payments\"
sinks:
  out: {{ input: match, connector: file, path: out.ndjson, format: json }}
  other: {{ input: match.unmatched, connector: file, path: other.ndjson, format: json }}
{checkpoint}",
        rates[0], rates[1]
    )
}

#[test]
fn a_checkpoint_is_of_one_moment_in_all_inputs_of_an_operator() {
    let lines = |folder: &Folder, file: &str| {
        let mut lines: Vec<String> = folder.read(file).lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let calm = Folder::of_job(&job_of_two_inputs(false));
    calm.run(&["run", "job.yaml", "--parallelism", "2"]).says(0, &[]);
    assert_eq!(lines(&calm, "out.ndjson").len() + lines(&calm, "other.ndjson").len(), 6_000);

    let folder = Folder::of_job(&job_of_two_inputs(true));
    let arguments = ["run", "job.yaml", "--parallelism", "2"];
    let mut instants = Instants::new();
    for _ in 0..6 {
        let mut child = folder.command(&arguments).stderr(Stdio::null()).spawn().expect("the program starts");
        sleep(instants.next(100, 400));
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    folder.run(&arguments).says(0, &["note: going on from checkpoint "]);
    for file in ["out.ndjson", "other.ndjson"] {
        assert!(lines(&calm, file) == lines(&folder, file), "{file} differs from that of a job that nothing disturbed");
    }
}

/// Runs until it says that it goes on from a checkpoint, and kills it there: states, positions and outputs are being brought back.
fn killed_while_it_recovers(folder: &Folder, arguments: &[&str], after: Duration) {
    let mut child = folder.command(arguments).stderr(Stdio::piped()).spawn().expect("the program starts");
    let said = BufReader::new(child.stderr.take().expect("piped"));
    let line = said.lines().map(|line| line.expect("text")).find(|line| line.contains("going on from checkpoint "));
    sleep(after);
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(line.is_some(), "it recovered nothing");
}

#[test]
fn f02_kills_during_recovery_change_nothing() {
    let calm = Folder::of_job(&job(false));
    calm.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);

    let folder = Folder::of_job(&job(true));
    let arguments = ["run", "job.yaml", "--parallelism", "1"];
    let mut instants = Instants::new();
    for _ in 0..5 {
        let mut child = folder.command(&arguments).stderr(Stdio::null()).spawn().expect("the program starts");
        wait_for_more(&folder, std::fs::read(folder.path("out.ndjson")).map_or(0, |output| output.len()));
        child.kill().expect("killed");
        child.wait().expect("gone");
        for _ in 0..4 {
            let before = std::fs::read_to_string(folder.path("out.ndjson")).unwrap_or_default();
            killed_while_it_recovers(&folder, &arguments, instants.next(0, 6));
            let after = std::fs::read_to_string(folder.path("out.ndjson")).unwrap_or_default();
            assert!(after.starts_with(&before), "rows that were visible are gone or changed");
        }
    }
    folder.run(&arguments).says(0, &["note: going on from checkpoint "]);
    let (expected, found) = (calm.read("out.ndjson"), folder.read("out.ndjson"));
    assert!(expected == found, "the outputs differ: {} and {} bytes", expected.len(), found.len());
}

/// The files of state that the newest checkpoint names.
fn state_files(folder: &Folder) -> Vec<std::path::PathBuf> {
    let names = |of: &str| {
        let entries = std::fs::read_dir(folder.path(of)).expect("a folder");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let newest = names("store/runs/1/manifests").pop().expect("a checkpoint");
    let manifest = std::fs::read_to_string(newest).expect("a manifest");
    let named = names("store/runs/1/objects").into_iter();
    named.filter(|path| manifest.contains(path.file_name().and_then(|name| name.to_str()).expect("a name"))).collect()
}

/// A job whose checkpoint isn't whole ends with the file's name, each time it is started, and leaves its output as it is.
fn halts(damage: impl Fn(&std::path::Path), code: &str) {
    let calm = Folder::of_job(&job(false));
    calm.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let folder = Folder::of_job(&job(true));
    let arguments = ["run", "job.yaml", "--parallelism", "1"];
    let killed = folder.command(&arguments).env("WASMILL_ABORT_AT", "after-commit:8").stderr(Stdio::null()).status();
    assert_eq!(killed.expect("it starts").code(), None, "it is killed");
    let before = folder.read("out.ndjson");
    let files = state_files(&folder);
    assert!(files.len() > 1, "{files:?}");
    for file in &files {
        let intact = std::fs::read(file).expect("a file");
        damage(file);
        let name = file.file_name().expect("a name").to_string_lossy();
        for _ in 0..2 {
            folder
                .run(&arguments)
                .says(1, &[&format!("error[{code}]: "), &name, "go on from an older checkpoint by `--from EPOCH`"]);
        }
        assert_eq!(folder.read("out.ndjson"), before, "{name}");
        std::fs::write(file, intact).expect("written");
    }
    folder.run(&arguments).says(0, &["note: going on from checkpoint "]);
    assert!(folder.read("out.ndjson") == calm.read("out.ndjson"), "what comes of it differs");
}

#[test]
fn f04_a_job_with_a_damaged_state_file_halts_and_names_it() {
    let flip = |file: &std::path::Path| {
        let mut bytes = std::fs::read(file).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).expect("written");
    };
    halts(flip, "checkpoint-corrupt");
}

#[test]
fn f06_a_job_that_misses_a_state_file_halts_and_never_starts_empty() {
    halts(|file| std::fs::remove_file(file).expect("removed"), "checkpoint-missing-object");
}

#[test]
fn twenty_kills_change_nothing_at_one_task() {
    killed_and_gone_on_with("1");
}

#[test]
fn twenty_kills_change_nothing_at_two_tasks() {
    killed_and_gone_on_with("2");
}
