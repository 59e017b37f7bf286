//! The progress bar, on a terminal: `script` of util-linux, which every Debian has, gives the program one.

mod program;

use std::process::{Command, Stdio};

use program::Folder;

/// Runs the program on a terminal of 120 columns, for so many milliseconds or to its end; what the terminal was sent.
fn on_a_terminal(folder: &Folder, arguments: &str, millis: Option<u32>) -> String {
    let program = env!("CARGO_BIN_EXE_wasmill");
    // Killed, where it is, as a process is that had no chance to say goodbye.
    let limit = millis.map_or_else(String::new, |millis| format!("timeout -s KILL {}.{:03} ", millis / 1_000, millis % 1_000));
    let run = Command::new("script")
        .args(["--quiet", "--return", "--command", &format!("stty cols 120; {limit}{program} {arguments}"), "/dev/null"])
        .current_dir(folder.path(""))
        .env("TERM", "xterm")
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .output()
        .expect("script of util-linux");
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// The first figure of rows that a bar showed, as `1,234`.
fn first_rows(shown: &str, total: &str) -> u64 {
    let bar = format!("/{total} rows");
    let before = &shown[..shown.find(&bar).unwrap_or_else(|| panic!("no bar with {bar}:\n{shown:?}"))];
    let digits: String = before.chars().rev().take_while(|c| c.is_ascii_digit() || *c == ',').filter(|c| *c != ',').collect();
    digits.chars().rev().collect::<String>().parse().expect("a number of rows")
}

const JOB: &str = "name: paced
sources: { rows: { connector: generator, fields: { id: sequence }, rows: 6000, rate: 3000 } }
sinks: { out: { input: rows, connector: file, path: out.ndjson, format: json } }
checkpoint: { every: 50ms, store: ./store }
";

#[test]
fn a_bar_shows_how_far_a_job_is_and_is_taken_away_at_its_end() {
    let folder = Folder::of_job(&JOB.replace("rate: 3000", "rate: 9000"));
    let shown = on_a_terminal(&folder, "run job.yaml --parallelism 1", None);
    assert!(shown.contains("paced ") && shown.contains("/6,000 rows") && shown.contains("/s"), "{shown:?}");
    // The last that is sent clears the line.
    assert!(shown.trim_end().ends_with("\u{1b}[2K") || shown.trim_end().ends_with("\u{1b}[K"), "{shown:?}");
    assert_eq!(folder.read("out.ndjson").lines().count(), 6_000);
}

#[test]
fn after_a_kill_the_bar_begins_where_the_checkpoint_is() {
    let folder = Folder::of_job(JOB);
    on_a_terminal(&folder, "run job.yaml --parallelism 1", Some(1_200));
    let committed = folder.read("out.ndjson").lines().count() as u64;
    assert!(committed > 300, "{committed} rows were committed");
    let shown = on_a_terminal(&folder, "run job.yaml --parallelism 1", None);
    // The first time that it is drawn may be before the job has been restored.
    let figures: Vec<u64> =
        shown.split('\r').filter(|part| part.contains("/6,000 rows")).map(|part| first_rows(part, "6,000")).collect();
    assert!(figures.iter().any(|rows| *rows >= committed), "{figures:?} after {committed}");
    assert!(figures.iter().all(|rows| *rows == 0 || *rows >= committed), "{figures:?} after {committed}");
}

#[test]
fn lines_that_are_said_while_the_bar_is_there_stand_above_it() {
    let folder = Folder::of_job(&format!(
        "name: loud
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence }}, rows: 200, rate: 200 }} }}
operators: {{ guest: {{ input: rows, plugin: {}, settings: {{ do: log-flood, count: 1 }} }} }}
sinks: {{ out: {{ input: guest, connector: blackhole }} }}
",
        program::plugin("tests/guests/hostile").display()
    ));
    let shown = on_a_terminal(&folder, "run job.yaml --parallelism 1", None);
    let lines: Vec<&str> = shown.split('\n').filter(|line| line.contains("line 0 of a flood")).collect();
    // A line for each batch.
    assert!(lines.len() > 10, "{} lines", lines.len());
    for line in lines {
        // What the bar had drawn on this line was cleared before the remark.
        let remark = line.rsplit("\u{1b}[2K").next().unwrap_or(line);
        assert!(!remark.contains("/200 rows"), "{line:?}");
    }
}

#[test]
fn where_there_is_no_terminal_there_is_no_bar() {
    let folder = Folder::of_job(&JOB.replace("rate: 3000", "rate: 60000"));
    let ended = folder.run(&["run", "job.yaml"]);
    ended.says(0, &[]);
    assert!(!ended.err.contains("/6,000 rows") && !ended.err.contains('\u{1b}'), "{:?}", ended.err);
}
