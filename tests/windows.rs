//! Windows of event time against a model: a slow one that goes row by row, in a test only. What comes out, and what is late, must not depend
//! on how rows travel together, nor on how many tasks there are.

mod program;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use program::Folder;
use serde_json::Value;

/// Windows as a job says them, in seconds.
#[derive(Debug, Clone, Copy)]
struct Windows {
    size: i64,
    slide: i64,
    offset: i64,
    lateness: i64,
    bound: i64,
}

/// A row: its key, its event time in seconds, its value.
type Row = (i64, i64, i64);

/// A number that follows from the one before: disorder that is the same every time (a linear congruential generator).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end) as i64
    }
}

/// What must come out: results as lines, and late rows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    results: Vec<String>,
    late: Vec<String>,
}

fn result(key: i64, start: i64, windows: Windows, (n, sum): (i64, i64)) -> String {
    format!("{key} {start} {} {n} {sum}", start + windows.size)
}

/// The model: after each row the watermark; after each watermark whatever is complete.
fn model(rows: &[Row], windows: Windows) -> Expected {
    let mut expected = Expected::default();
    let mut open: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    let mut fired: Vec<(i64, i64)> = Vec::new();
    let mut watermark = i64::MIN;
    for &(key, time, value) in rows {
        // In milliseconds, as watermarks are less a millisecond.
        let mut late = true;
        let mut start = (time - windows.offset).div_euclid(windows.slide) * windows.slide + windows.offset;
        while start > time - windows.size {
            let last = (start + windows.size) * 1_000 - 1;
            if watermark < last + windows.lateness * 1_000 {
                late = false;
                let counted = open.entry((key, start)).or_default();
                *counted = (counted.0 + 1, counted.1 + value);
                if watermark >= last {
                    expected.results.push(result(key, start, windows, *counted));
                    fired.push((key, start));
                }
            }
            start -= windows.slide;
        }
        if late {
            expected.late.push(format!("{key} {time} {value}"));
        }
        watermark = watermark.max((time - windows.bound) * 1_000 - 1);
        for (&(key, start), counted) in &open {
            let last = (start + windows.size) * 1_000 - 1;
            if watermark >= last && !fired.contains(&(key, start)) {
                expected.results.push(result(key, start, windows, *counted));
                fired.push((key, start));
            }
        }
        open.retain(|(_, start), _| watermark < (start + windows.size + windows.lateness) * 1_000 - 1);
    }
    for (&(key, start), counted) in open.iter().filter(|(window, _)| !fired.contains(window)) {
        expected.results.push(result(key, start, windows, *counted));
    }
    Expected { results: by_key(expected.results), late: by_key(expected.late) }
}

/// Lines that begin with their key, key by key: of each in the order in which they came.
fn by_key(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_by(|one, other| one.split(' ').next().cmp(&other.split(' ').next()));
    lines
}

/// The values of a line's columns with spaces between them; moments in seconds.
fn columns(line: &str, names: &[&str]) -> String {
    let row: Value = serde_json::from_str(line).expect("JSON");
    let value = |name: &&str| match &row[*name] {
        Value::String(moment) => chrono::DateTime::parse_from_rfc3339(moment).expect("a moment").timestamp().to_string(),
        other => other.to_string(),
    };
    names.iter().map(value).collect::<Vec<_>>().join(" ")
}

fn found(folder: &Folder) -> Expected {
    let lines = |file: &str, names: &[&str]| by_key(folder.read(file).lines().map(|line| columns(line, names)).collect());
    Expected {
        results: lines("out.ndjson", &["key", "window_start", "window_end", "n", "sum"]),
        late: lines("late.ndjson", &["key", "at", "value"]),
    }
}

fn job(windows: Windows, batch: usize, reads_late: bool) -> String {
    let Windows { size, slide, offset, lateness, bound } = windows;
    let late =
        if reads_late { "  late: { input: counted.late, connector: file, path: late.ndjson, format: json }\n" } else { "" };
    let kind = if size == slide { format!("tumbling: {size}s") } else { format!("sliding: {size}s, slide: {slide}s") };
    format!(
        "name: windows
batch: {{ max-rows: {batch} }}
sources:
  rows:
    connector: file
    path: rows.ndjson
    format: {{ type: json, timestamps: s }}
    schema: {{ key: int64 not null, at: timestamp, value: int64 not null }}
    event-time: {{ field: at, max-out-of-orderness: {bound}s }}
operators:
  counted:
    input: rows
    key-by: [key]
    window: {{ {kind}, offset: {offset}s, allowed-lateness: {lateness}s }}
    aggregate: {{ n: count(*), sum: sum(value) }}
sinks:
  out: {{ input: counted, connector: file, path: out.ndjson, format: json }}
{late}"
    )
}

#[test]
fn results_and_late_rows_are_the_model_s_whatever_batches_and_tasks_there_are() {
    let mut draws = Draws(3);
    for case in 0..24 {
        let size = 1 + draws.below(40);
        let slide = if draws.below(2) == 0 { size } else { 1 + draws.below(size as u64) };
        let windows =
            Windows { size, slide, offset: draws.below(20), lateness: draws.below(3) * draws.below(30), bound: draws.below(25) };
        let disorder = 1 + draws.below(60) as u64;
        let rows: Vec<Row> =
            (0..draws.below(400)).map(|row| (draws.below(5), row / 2 - draws.below(disorder), draws.below(100))).collect();
        let expected = model(&rows, windows);
        let runs = [(1, "1"), (7, "3"), (1_024, "1"), (1_024, "2")];
        // Rows are combined before the exchange where nobody reads the late ones.
        for ((batch, tasks), reads_late) in runs.iter().flat_map(|run| [(*run, true), (*run, false)]) {
            let folder = Folder::of_job(&job(windows, batch, reads_late));
            folder.write("rows.ndjson", as_text(&rows));
            folder.run(&["run", "job.yaml", "--parallelism", tasks, "--summary", "summary.json"]).says(0, &[]);
            assert_eq!(folder.json("summary.json")["late_rows"], expected.late.len());
            assert_eq!(folder.json("summary.json")["operators"]["counted"]["rows_in"], rows.len());
            if !reads_late {
                folder.write("late.ndjson", "");
            }
            let mut found = found(&folder);
            if !reads_late {
                found.late.clone_from(&expected.late);
            }
            assert_eq!(found, expected, "case {case}, batches of {batch}, {tasks} tasks: {windows:?}\n{rows:?}");
        }
    }
}

#[test]
fn an_aggregate_that_takes_changes_back_comes_to_what_the_last_results_come_to() {
    let plugin = program::plugin("plugins/value-count").display().to_string();
    let mut draws = Draws(29);
    for case in 0..12 {
        let size = 2 + draws.below(30);
        let windows = Windows { size, slide: 1 + size / 2, offset: 0, lateness: 5 + draws.below(60), bound: draws.below(10) };
        let disorder = 1 + draws.below(60) as u64;
        let rows: Vec<Row> =
            (0..draws.below(500)).map(|row| (draws.below(5), row / 2 - draws.below(disorder), draws.below(100))).collect();
        // By how many rows windows have: from one result of a window to the next, it goes from one key to another.
        let mut last: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
        for line in model(&rows, windows).results {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |word: &str| word.parse::<i64>().expect("a number");
            last.insert((words[0].to_owned(), words[1].to_owned()), (number(words[3]), number(words[4])));
        }
        let mut by_count: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (n, sum) in last.into_values() {
            let counted = by_count.entry(n).or_default();
            *counted = (counted.0 + 1, counted.1 + sum);
        }
        let expected: Vec<String> = by_count
            .iter()
            .map(|(n, (count, sum))| format!("{n} {count} {sum} {:.3} {count}", *sum as f64 / *count as f64))
            .collect();
        for (batch, tasks) in [(1, "1"), (7, "3"), (1_024, "1"), (1_024, "2")] {
            let by_count = format!(
                "  by-count:
    input: counted
    key-by: [n]
    aggregate: {{ windows: count(*), total: sum(sum), mean: avg(sum), counted: {{ plugin: \"{plugin}\", of: [sum] }} }}
    retract-where: \"change in ('before', 'delete')\"
    emit: final
sinks:
  out: {{ input: by-count,"
            );
            let retracting = job(windows, batch, true).replace("s }\n    aggregate", "s, results: retracting }\n    aggregate");
            let retracting = retracting.replace("sinks:\n  out: { input: counted,", &by_count);
            let folder = Folder::of_job(&retracting);
            folder.write("rows.ndjson", as_text(&rows));
            folder.run(&["run", "job.yaml", "--parallelism", tasks]).says(0, &[]);
            let line = |line: &str| {
                let row: Value = serde_json::from_str(line).expect("JSON");
                let mean = row["mean"].as_f64().expect("a number");
                format!("{} {} {} {mean:.3} {}", row["n"], row["windows"], row["total"], row["counted"])
            };
            let mut found: Vec<String> = folder.read("out.ndjson").lines().map(line).collect();
            let n = |line: &String| line.split(' ').next().and_then(|n| n.parse::<i64>().ok());
            found.sort_by_key(n);
            assert_eq!(found, expected, "case {case}, batches of {batch}, {tasks} tasks: {windows:?}\n{rows:?}");
        }
    }
}

fn as_text(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |mut text, (key, time, value)| {
        let _ = writeln!(text, "{{\"key\":{key},\"at\":{time},\"value\":{value}}}");
        text
    })
}

#[test]
fn a_job_that_is_killed_gives_each_window_s_result_once() {
    let windows = Windows { size: 10, slide: 5, offset: 0, lateness: 2, bound: 2 };
    let rows: Vec<Row> = {
        let mut draws = Draws(11);
        (0..60_000).map(|row| (draws.below(20), row / 40 - draws.below(20), draws.below(100))).collect()
    };
    let text = as_text(&rows);
    let job = format!("{}checkpoint: {{ every: 20ms, store: ./store }}\n", job(windows, 64, true));
    let plain = Folder::of_job(&job);
    plain.write("rows.ndjson", &text);
    plain.run(&["run", "job.yaml", "--parallelism", "2"]).says(0, &[]);
    let expected = found(&plain);
    assert!(expected.results.len() > 1_000 && !expected.late.is_empty(), "{} results", expected.results.len());

    let folder = Folder::of_job(&job);
    folder.write("rows.ndjson", &text);
    program::kill_and_finish(&folder, &["--parallelism", "2"], &[30, 45, 60, 80, 100, 130, 160]);
    assert_eq!(found(&folder), expected);
}
