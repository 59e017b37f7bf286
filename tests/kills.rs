//! Whole jobs, killed at random instants and places, at once as by SIGKILL, gone on with on other numbers of tasks, and killed again, also while
//! they recover: at the end the output is what one gives that nothing disturbs, or what an example expects.
//!
//! `WASMILL_TEST_KILLS=500` kills so often in all; `WASMILL_TEST_SEED=N` kills at the same places (instants are the machine's).

mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use program::{Folder, from_root};
use wasmill_failpoint::Failpoint;

/// Kills in a run of the tests, over all jobs.
const KILLS: u64 = 20;
/// Runs of one job that may end before they are killed.
const MOST_LIVES: u64 = 2_000;

/// Numbers that look random (xorshift).
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed = number("WASMILL_TEST_SEED")
            .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos().into());
        println!("seed {seed}: run again with WASMILL_TEST_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text:?}")))
}

/// A job with what it must write.
struct Case {
    folder: Folder,
    /// The job's file, and what is different from it.
    arguments: Vec<String>,
    /// What each file, or the parts of each folder, must hold, its lines in any order: tasks share the rows.
    expected: Vec<(PathBuf, Vec<String>)>,
}

fn lines(path: &Path) -> Vec<String> {
    if path.is_dir() {
        let parts = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut lines: Vec<String> = parts.flat_map(|part| lines(&part)).collect();
        lines.sort_unstable();
        return lines;
    }
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{}: the last line is cut off", path.display());
    let mut lines: Vec<String> = String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// An example, with checkpoints all the time.
fn example(name: &str) -> Case {
    let folder = Folder::new();
    let example = from_root("examples").join(name);
    let set = |what: String| ["--set".to_owned(), what];
    let mut arguments = vec!["run".to_owned(), example.join("job.yaml").display().to_string()];
    arguments.extend(set(format!("checkpoint={{every: 2ms, base-every: 4, store: '{}'}}", folder.path("store").display())));
    // Small batches: there is more in between.
    arguments.extend(set("batch={max-rows: 64}".to_owned()));
    let mut expected = Vec::new();
    for entry in fs::read_dir(example.join("expected")).expect("what is expected") {
        let path = entry.expect("an entry").path();
        let sink = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let out = folder.path(path.file_name().expect("a name").to_str().expect("text"));
        let key = if sink == "dead-letters" { sink } else { format!("sinks.{sink}") };
        arguments.extend(set(format!("{key}.path={}", out.display())));
        expected.push((out, lines(&path)));
    }
    let more = fs::read_to_string(example.join("set")).unwrap_or_default();
    arguments.extend(more.lines().flat_map(|line| set(line.to_owned())));
    Case { folder, arguments, expected }
}

/// A count of each of a million keys.
fn million_keys() -> Case {
    let job = |checkpoint: &str| {
        format!(
            "name: million
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 999999] }} }}, rows: 2000000 }} }}
operators: {{ counted: {{ input: rows, key-by: [key], aggregate: {{ n: count(*), last: max(id) }}, emit: final }} }}
sinks: {{ out: {{ input: counted, connector: file, path: out.ndjson, format: json }} }}
{checkpoint}"
        )
    };
    let calm = Folder::of_job(&job(""));
    calm.run(&["run", "job.yaml"]).says(0, &[]);
    let folder = Folder::of_job(&job("checkpoint: { every: 100ms, base-every: 5, store: ./store }\n"));
    let expected = vec![(folder.path("out.ndjson"), lines(&calm.path("out.ndjson")))];
    Case { folder, arguments: vec!["run".to_owned(), "job.yaml".to_owned()], expected }
}

/// Files that tasks share out, each in the order of time, into folders of parts.
fn shared_out() -> Case {
    let job = |checkpoint: &str| {
        format!(
            "name: shared
batch: {{ max-rows: 64 }}
sources:
  rows:
    connector: file
    path: data/
    parallel-files: true
    format: json
    schema: {{ id: int64 not null, at: timestamp not null }}
    event-time: {{ field: at, ascending: true }}
operators:
  odd: {{ input: rows, filter: \"id % 3 = 1\" }}
  keyed: {{ input: rows, with: {{ key: \"id % 50\" }} }}
  counted: {{ input: keyed, key-by: [key], window: {{ tumbling: 1s }}, aggregate: {{ n: count(*), sum: sum(id) }} }}
sinks:
  odd_rows: {{ input: odd, connector: file, path: odd/, format: json }}
  counts: {{ input: counted, connector: file, path: counts/, format: json }}
{checkpoint}"
        )
    };
    let with_files = |folder: Folder| {
        let mut id = 0;
        for file in 0..9 {
            // Some are short: tasks come to their ends at other times.
            let rows = (0..2000 + 1500 * (file % 3)).map(|_| {
                id += 1;
                format!("{{\"id\":{id},\"at\":{}}}\n", id * 7)
            });
            let rows: String = rows.collect();
            folder.write(&format!("data/{file}.ndjson"), rows);
        }
        folder
    };
    let calm = with_files(Folder::of_job(&job("")));
    calm.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let folder = with_files(Folder::of_job(&job("checkpoint: { every: 2ms, base-every: 4, store: ./store }\n")));
    let expected = ["odd", "counts"].map(|sink| (folder.path(sink), lines(&calm.path(sink)))).into();
    Case { folder, arguments: vec!["run".to_owned(), "job.yaml".to_owned()], expected }
}

impl Case {
    /// Runs the job until it ends, on so many tasks; killed at a place, or after a while.
    fn live(&self, tasks: u64, place: Option<String>, after: Option<Duration>) -> ExitStatus {
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let tasks = tasks.to_string();
        arguments.extend(["--parallelism", &tasks]);
        let log = fs::File::create(self.folder.path("said.log")).expect("a log");
        let mut command = self.folder.command(&arguments);
        command.stdout(Stdio::null()).stderr(log).envs(place.map(|place| ("WASMILL_ABORT_AT", place)));
        let mut child = command.spawn().expect("the program starts");
        if let Some(after) = after {
            sleep(after);
            let _ = child.kill();
        }
        child.wait().expect("a child")
    }

    /// Kills the job so often, and compares what it has written at the end.
    fn survives(&self, kills: u64, chance: &mut Chance, places: &mut Vec<Failpoint>) {
        let (mut killed, mut ended) = (0, 0);
        let mut lives = 0;
        while killed < kills {
            lives += 1;
            assert!(lives < MOST_LIVES, "only {killed} of {lives} runs were killed");
            let tasks = 1 + chance.below(3);
            let (place, after) = if chance.below(3) == 0 {
                (None, Some(Duration::from_micros(chance.below(400_000))))
            } else {
                let place = Failpoint::ALL[usize::try_from(chance.below(Failpoint::ALL.len() as u64)).expect("small")];
                places.push(place);
                let most = if matches!(place, Failpoint::RowsRead | Failpoint::BeforeProcess | Failpoint::AfterProcess) {
                    120
                } else {
                    12
                };
                (Some(format!("{place}:{}", chance.below(most))), None)
            };
            let status = self.live(tasks, place, after);
            match status.code() {
                None => killed += 1,
                Some(0) => {
                    // It was done before: from the start again.
                    ended += 1;
                    self.compare(&format!("run {lives}, which nobody killed"));
                    let _ = fs::remove_dir_all(self.folder.path("store"));
                }
                Some(code) => panic!("exit code {code}: {}", self.folder.read("said.log")),
            }
        }
        let status = self.live(2, None, None);
        assert_eq!(status.code(), Some(0), "{}", self.folder.read("said.log"));
        self.compare(&format!("{killed} kills, {ended} ends"));
    }

    fn compare(&self, when: &str) {
        for (path, expected) in &self.expected {
            let found = lines(path);
            let differs = expected.iter().zip(&found).find(|(expected, found)| expected != found);
            assert!(
                found == *expected,
                "{} after {when}: {} lines, expected {}; the first that differs (expected, found): {differs:?}",
                path.display(),
                found.len(),
                expected.len()
            );
        }
    }
}

#[test]
fn jobs_that_are_killed_again_and_again_write_what_those_do_that_are_not() {
    let kills = number("WASMILL_TEST_KILLS").unwrap_or(KILLS);
    let mut chance = Chance::new();
    let cases = [example("01-earthquakes"), example("07-trending-pages"), example("08-sensors"), million_keys(), shared_out()];
    let mut places = Vec::new();
    for case in &cases {
        case.survives(kills.div_ceil(cases.len() as u64), &mut chance, &mut places);
    }
    if kills >= 500 {
        let missed: Vec<_> = Failpoint::ALL.iter().filter(|place| !places.contains(place)).collect();
        assert!(missed.is_empty(), "no run was to end at {missed:?}");
    }
}

#[test]
fn f32_rows_that_cannot_be_read_are_dead_letters_once_each_though_the_job_is_killed() {
    let quakes = example("01-earthquakes");
    assert!(quakes.expected.iter().any(|(path, rows)| path.ends_with("dead-letters.ndjson") && !rows.is_empty()));
    quakes.survives(5, &mut Chance::new(), &mut Vec::new());
}

#[test]
fn f01_every_place_can_be_the_last_and_the_next_run_goes_on() {
    let job = |checkpoint: &str| {
        format!(
            "name: places
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 99] }} }}, rows: 12000{checkpoint}
operators: {{ counted: {{ input: rows, key-by: [key], aggregate: {{ n: count(*), sum: sum(id) }} }} }}
sinks: {{ out: {{ input: counted, connector: file, path: out.ndjson, format: json }} }}
"
        )
    };
    let calm = Folder::of_job(&job(" } }"));
    calm.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &[]);
    let folder = Folder::of_job(&job(", rate: 3000 } }\ncheckpoint: { every: 20ms, retain: 2, base-every: 3, store: ./store }"));
    // The first run has nothing to recover.
    let first = folder.command(&["run", "job.yaml", "--parallelism", "1"]).env("WASMILL_ABORT_AT", "after-commit:2").status();
    assert_eq!(first.expect("it starts").code(), None);
    for place in Failpoint::ALL {
        // A job recovers once, others come again and again.
        let once = [Failpoint::RestoreBegins, Failpoint::StateRestored, Failpoint::SinkRecovers, Failpoint::SinkRecovered];
        let when = if once.contains(place) { place.to_string() } else { format!("{place}:1") };
        let mut command = folder.command(&["run", "job.yaml", "--parallelism", "1"]);
        let ended = command.env("WASMILL_ABORT_AT", when).stderr(Stdio::null()).status().expect("it starts");
        assert_eq!(ended.code(), None, "it is killed at {place}");
    }
    folder.run(&["run", "job.yaml", "--parallelism", "1"]).says(0, &["note: going on from checkpoint "]);
    assert_eq!(folder.read("out.ndjson"), calm.read("out.ndjson"));
}
