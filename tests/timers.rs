//! Timers of plugins, and values that are forgotten, against a model: a slow one that goes row by row, in a test only. What `plugins/silence-alert` says must not depend on how
//! rows travel together, nor on how many tasks there are, nor on the process being killed.

mod program;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use program::Folder;
use serde_json::Value;

/// A row: its key, and its event time in seconds.
type Row = (i64, i64);

/// A number that follows from the one before: disorder that is the same every time (a linear congruential generator).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end) as i64
    }
}

/// The model: the seconds at which each key had a row, after each row the watermark, after each watermark the silences that are over.
fn model(rows: &[Row], silence: i64, bound: i64) -> Vec<String> {
    let mut seen: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let mut told = Vec::new();
    // Seconds, but half a millisecond-step earlier: it has reached a moment when it is greater or equal.
    let (mut largest, mut watermark) = (i64::MIN, i64::MIN);
    for &(key, at) in rows {
        let times = seen.entry(key).or_default();
        let joins = |time: &i64| (time - at).abs() < silence;
        if at + silence > watermark || times.iter().any(joins) {
            times.push(at);
        }
        largest = largest.max(at);
        // The watermark is a millisecond before `largest - bound`: it has reached the second before, and not that one.
        watermark = largest - bound - 1;
        for (key, times) in &mut seen {
            times.sort_unstable();
            times.dedup();
            while let Some(place) = silent_since(times, silence).filter(|place| times[*place] + silence <= watermark) {
                told.push(format!("{key} {} {}", times[place], times[place] + silence));
                times.drain(..=place);
            }
        }
    }
    // The end of input is the end of time.
    for (key, mut times) in seen {
        while let Some(place) = silent_since(&times, silence) {
            told.push(format!("{key} {} {}", times[place], times[place] + silence));
            times.drain(..=place);
        }
    }
    told.sort();
    told
}

/// The first time after which there is none for so long.
fn silent_since(times: &[i64], silence: i64) -> Option<usize> {
    (0..times.len()).find(|&place| times.get(place + 1).is_none_or(|next| next - times[place] >= silence))
}

fn job(silence: i64, bound: i64, batch: usize) -> String {
    let plugin = program::plugin("plugins/silence-alert").display().to_string();
    format!(
        "name: timers
sources:
  rows:
    connector: file
    path: rows.ndjson
    format: {{ type: json, timestamps: s }}
    schema: {{ key: int64, at: timestamp not null }}
    event-time: {{ field: at, max-out-of-orderness: {bound}s }}
operators: {{ silent: {{ input: rows, key-by: [key], plugin: {plugin}, settings: {{ seconds: {silence} }} }} }}
sinks: {{ out: {{ input: silent, connector: file, path: out.ndjson, format: {{ type: json, timestamps: ms }} }} }}
batch: {{ max-rows: {batch} }}
"
    )
}

fn as_text(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |mut text, (key, at)| {
        let _ = writeln!(text, "{{\"key\":{key},\"at\":{at}}}");
        text
    })
}

/// The same for `plugins/deduplicate`: the rows that are let through.
fn first_ones(rows: &[Row], after: i64, bound: i64) -> Vec<String> {
    let mut until_of: BTreeMap<i64, i64> = BTreeMap::new();
    let (mut largest, mut through) = (i64::MIN, Vec::new());
    for &(key, at) in rows {
        let until = until_of.entry(key).or_insert(i64::MIN);
        if at >= *until {
            through.push(format!("{key} {at}"));
        }
        *until = if at >= *until { at + after } else { (at + after).max(*until) };
        // A watermark that goes further forgets.
        if at > largest {
            largest = at;
            until_of.retain(|_, until| *until > largest - bound - 1);
        }
    }
    through.sort();
    through
}

fn found(folder: &Folder) -> Vec<String> {
    let text = folder.read("out.ndjson");
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let seconds = |value: &Value| value.as_i64().expect("milliseconds") / 1_000;
    let mut told: Vec<String> =
        rows.map(|row| format!("{} {} {}", row["key"], seconds(&row["since"]), seconds(&row["at"]))).collect();
    told.sort();
    told
}

#[test]
fn what_timers_say_does_not_depend_on_batches_nor_on_tasks() {
    let (mut told, mut case) = (0, 0);
    for seed in 0..12 {
        let mut draws = Draws(seed);
        let (keys, silence, bound) = (1 + draws.below(8) as u64, 1 + draws.below(30), draws.below(20));
        let rows: Vec<Row> = (0..600).map(|row| (draws.below(keys), row - draws.below(30))).collect();
        let expected = model(&rows, silence, bound);
        told += expected.len();
        for (batch, tasks) in [(1, "1"), (7, "2"), (1_024, "1"), (1_024, "3")] {
            let folder = Folder::of_job(&job(silence, bound, batch));
            folder.write("rows.ndjson", as_text(&rows));
            folder.run(&["run", "job.yaml", "--parallelism", tasks]).says(0, &[]);
            assert_eq!(
                found(&folder),
                expected,
                "seed {seed}: silence {silence}, bound {bound}, batches of {batch}, {tasks} tasks"
            );
            case += 1;
        }
    }
    assert!(told > 300, "{told} silences in {case} runs");
}

#[test]
fn what_is_forgotten_does_not_depend_on_batches_nor_on_tasks() {
    let plugin = program::plugin("plugins/deduplicate").display().to_string();
    for seed in 0..8 {
        let mut draws = Draws(seed);
        let (keys, after, bound) = (1 + draws.below(30) as u64, 1 + draws.below(40), draws.below(20));
        let rows: Vec<Row> = (0..600).map(|row| (draws.below(keys), row - draws.below(30))).collect();
        let expected = first_ones(&rows, after, bound);
        for (batch, tasks) in [(1, "1"), (7, "2"), (1_024, "1"), (1_024, "3")] {
            let job = job(after, bound, batch).replace(&program::plugin("plugins/silence-alert").display().to_string(), &plugin);
            let folder = Folder::of_job(&job);
            folder.write("rows.ndjson", as_text(&rows));
            folder.run(&["run", "job.yaml", "--parallelism", tasks, "--summary", "summary.json"]).says(0, &[]);
            let text = folder.read("out.ndjson");
            let through = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            let mut through: Vec<String> =
                through.map(|row| format!("{} {}", row["key"], row["at"].as_i64().expect("milliseconds") / 1_000)).collect();
            through.sort();
            assert_eq!(through, expected, "seed {seed}: after {after}, bound {bound}, batches of {batch}, {tasks} tasks");
            assert_eq!(folder.json("summary.json")["operators"]["silent"]["state_keys"], 0, "all is forgotten at the end");
        }
    }
}

#[test]
fn a_job_that_is_killed_forgets_no_timer_and_fires_none_twice() {
    let (silence, bound) = (40, 10);
    let rows: Vec<Row> = {
        let mut draws = Draws(11);
        (0..60_000).map(|row| (draws.below(500), row / 20 - draws.below(20))).collect()
    };
    let expected = model(&rows, silence, bound);
    assert!(expected.len() > 500, "{} silences", expected.len());
    let job = format!("{}checkpoint: {{ every: 20ms, store: ./store }}\n", job(silence, bound, 64));
    let folder = Folder::of_job(&job);
    folder.write("rows.ndjson", as_text(&rows));
    program::kill_and_finish(&folder, &["--parallelism", "2"], &[30, 45, 60, 80, 100, 130, 160]);
    assert_eq!(found(&folder), expected);
}

#[test]
fn timers_of_event_time_need_event_time_and_any_need_a_key() {
    let plugin = program::plugin("plugins/silence-alert").display().to_string();
    let job = |more: &str| {
        format!(
            "name: refused
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, at: {{ every: 1s, start: 2026-01-01T00:00:00Z }} }}, rows: 9 }} }}
operators: {{ silent: {{ input: rows, {more}plugin: {plugin}, settings: {{ seconds: 9 }} }} }}
sinks: {{ out: {{ input: silent, connector: blackhole }} }}
"
        )
    };
    Folder::of_job(&job("key-by: [id], ")).run(&["run", "job.yaml"]).says(
        2,
        &[
            "error[no-event-time]: found a plugin that goes by event time, over rows without event time, expected sources that say what time it was",
            "= add to each source before it: event-time: { field: COLUMN, max-out-of-orderness: 10s }",
        ],
    );
    Folder::of_job(&job(""))
        .run(&["run", "job.yaml"])
        .says(2, &["the operator keeps the key's columns, but input `main` has no key: give the operator a `key-by`"]);
}

/// A hundred thousand timers that are due at once are handed over in many steps, between which others have their turn.
#[test]
fn f34_many_timers_that_are_due_at_once_hold_up_nobody() {
    let folder = Folder::of_job(&job(1, 0, 1_024));
    let rows: Vec<Row> = (0..100_000).map(|key| (key, 0)).chain([(0, 100)]).collect();
    folder.write("rows.ndjson", as_text(&rows));
    folder.run(&["run", "job.yaml", "--parallelism", "1", "--summary", "summary.json"]).says(0, &[]);
    assert_eq!(found(&folder).len(), 100_001, "and one for the end");
    let silent = &folder.json("summary.json")["operators"]["silent"];
    let (longest, all) = (silent["longest_step_ms"].as_f64(), silent["cpu_seconds"].as_f64());
    let (longest, all) = (longest.expect("a number"), 1_000.0 * all.expect("a number"));
    assert!(longest < all / 5.0, "a step took {longest} ms of {all} ms");
}
