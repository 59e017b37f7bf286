//! Whole windows by plugin: that they come to what built-in aggregates come to, whatever windows, batches and tasks there are and whenever the job
//! is killed; what hostile ones end with, what becomes of windows that are poison, and what `plugin inspect` says of one.

mod program;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use program::{Folder, from_root, plugin};
use serde_json::Value;

/// A number that follows from the one before: disorder that is the same every time (a linear congruential generator).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end) as i64
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Windows of every kind.
const WINDOWS: [&str; 16] = [
    "tumbling: 20s",
    "tumbling: 20s, offset: 7s, allowed-lateness: 15s",
    "tumbling: 1min, trigger: { early: 7s }, allowed-lateness: 5s",
    "tumbling: 30s, trigger: { every-rows: 3 }",
    "sliding: 20s, slide: 5s",
    "sliding: 12s, slide: 5s, allowed-lateness: 10s",
    "sliding: 5s, slide: 12s",
    "session: 3s",
    "session: 3s, allowed-lateness: 6s, trigger: { every-rows: 2 }",
    "count: 4",
    "global: true, trigger: { every-rows: 5 }",
    "tumbling: 20s, allowed-lateness: 15s, results: discarding",
    "tumbling: 30s, trigger: { every-rows: 3, early: 7s }, results: discarding",
    "sliding: 12s, slide: 5s, allowed-lateness: 10s, trigger: { early: 4s }, results: discarding",
    "session: 3s, allowed-lateness: 6s, trigger: { every-rows: 2, early: 5s }, results: discarding",
    "global: true, trigger: { every-rows: 5 }, results: discarding",
];

fn job(window: &str, guest: &Path, batch: usize, more: &str) -> String {
    let late = |of: &str| match window.contains("count") || window.contains("global") {
        true => String::new(),
        false => format!("  {of}_late: {{ input: {of}.late, connector: file, path: {of}-late.ndjson, format: json }}\n"),
    };
    format!(
        "name: whole
batch: {{ max-rows: {batch} }}
sources:
  rows:
    connector: file
    path: rows.ndjson
    format: {{ type: json, timestamps: s }}
    schema: {{ key: int64, at: timestamp, other: utf8, n: int64 not null }}
    event-time: {{ field: at, max-out-of-orderness: 10s }}
operators:
  whole: {{ input: rows, key-by: [key], window: {{ {window} }}, plugin: \"{}\", settings: {{ do: pass }} }}
  built-in: {{ input: rows, key-by: [key], window: {{ {window} }}, aggregate: {{ rows: count(*), sum: sum(n) }} }}
sinks:
  whole_out: {{ input: whole, connector: file, path: whole.ndjson, format: json }}
  built-in_out: {{ input: built-in, connector: file, path: built-in.ndjson, format: json }}
{}{}{more}",
        guest.display(),
        late("whole"),
        late("built-in")
    )
}

fn rows(draws: &mut Draws, count: i64, keys: u64, disorder: u64) -> String {
    (0..count).fold(String::new(), |mut text, row| {
        let key = match draws.below(keys) {
            0 => "null".to_owned(),
            key => key.to_string(),
        };
        let at = row / 2 - draws.below(disorder);
        let _ = writeln!(text, "{{\"key\":{key},\"at\":{at},\"other\":\"of {row}\",\"n\":{}}}", draws.below(100));
        text
    })
}

/// The rows of a file key by key: of each in the order in which they came.
fn by_key(folder: &Folder, file: &str) -> Vec<String> {
    let key = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["key"].to_string();
    let mut lines: Vec<String> = folder.read(file).lines().map(str::to_owned).collect();
    lines.sort_by_key(|line| key(line));
    lines
}

/// Of each key and window the result with the most rows: what comes early depends on when watermarks come, and that isn't the same for two
/// operators.
fn last(lines: Vec<String>) -> Vec<String> {
    let mut of_windows: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for line in lines {
        let row: Value = serde_json::from_str(&line).expect("JSON");
        let rows = row["rows"].as_i64().expect("a count");
        let last = of_windows.entry(format!("{} {}", row["key"], row["window_start"])).or_default();
        if rows >= last.0 {
            *last = (rows, line);
        }
    }
    of_windows.into_values().map(|(_, line)| line).collect()
}

#[test]
fn a_window_function_that_counts_and_sums_comes_to_what_aggregates_come_to() {
    let guest = plugin("tests/guests/hostile-window");
    let mut draws = Draws(17);
    for case in 0..64 {
        let window = WINDOWS[case % WINDOWS.len()];
        let batch = draws.one_of(&["1", "2", "7", "64", "1024"]).parse().expect("a number");
        // What comes early depends on when watermarks come, which between several tasks is another for each operator.
        let tasks = if window.contains("early") { "1" } else { draws.one_of(&["1", "2", "3"]) };
        let folder = Folder::of_job(&job(window, &guest, batch, ""));
        let (count, disorder) = (draws.below(400), 1 + draws.below(40) as u64);
        folder.write("rows.ndjson", rows(&mut draws, count, 5, disorder));
        folder.run(&["run", "job.yaml", "--parallelism", tasks]).says(0, &[]);
        let about = format!("case {case}: {window}, {count} rows, batches of {batch}, {tasks} tasks");
        let (mut whole, mut built_in) = (by_key(&folder, "whole.ndjson"), by_key(&folder, "built-in.ndjson"));
        if window.contains("early") {
            (whole, built_in) = (last(whole), last(built_in));
        }
        assert_eq!(whole, built_in, "{about}");
        if folder.path("whole-late.ndjson").exists() {
            assert_eq!(by_key(&folder, "whole-late.ndjson"), by_key(&folder, "built-in-late.ndjson"), "{about}");
        }
    }
}

#[test]
fn a_job_that_is_killed_gives_each_window_s_rows_once() {
    let guest = plugin("tests/guests/hostile-window");
    let job = job("session: 2s, allowed-lateness: 3s", &guest, 64, "checkpoint: { every: 20ms, store: ./store }\n");
    let rows = rows(&mut Draws(5), 60_000, 50, 20);
    let folder = Folder::of_job(&job);
    folder.write("rows.ndjson", rows);
    let mut kills = 0;
    for pause in [40, 60, 80, 100, 130, 160] {
        let mut child = folder.command(&["run", "job.yaml", "--parallelism", "2"]).spawn().expect("the program starts");
        std::thread::sleep(std::time::Duration::from_millis(pause));
        kills += u32::from(child.try_wait().expect("a child").is_none());
        let _ = child.kill();
        child.wait().expect("a child");
    }
    folder.run(&["run", "job.yaml", "--parallelism", "2"]).says(0, &[]);
    assert!(kills > 0, "it was killed at least once");
    let whole = by_key(&folder, "whole.ndjson");
    assert!(whole.len() > 1_000, "{} windows", whole.len());
    assert_eq!(whole, by_key(&folder, "built-in.ndjson"));
    assert_eq!(by_key(&folder, "whole-late.ndjson"), by_key(&folder, "built-in-late.ndjson"));
}

/// A job with two windows of two keys; in one of them is a row of 7.
fn hostile(guest: &Path, settings: &str, more: &str) -> String {
    format!(
        "name: hostile
sources:
  rows:
    connector: file
    path: rows.ndjson
    format: json
    schema: {{ key: utf8, at: timestamp, n: int64 not null }}
    event-time: {{ field: at, ascending: true }}
operators:
  op:
    input: rows
    key-by: [key]
    window: {{ tumbling: 1h }}
    plugin: \"{}\"
    settings: {{ {settings} }}
    limits: {{ cpu-per-call: 30ms }}
{more}sinks: {{ out: {{ input: op, connector: file, path: out.ndjson, format: json }} }}
dead-letters: {{ connector: file, path: dead.ndjson, format: json }}
",
        guest.display()
    )
}

const ROWS: &str = "{\"key\":\"a\",\"at\":\"2024-05-01T10:00:00Z\",\"n\":1}
{\"key\":\"b\",\"at\":\"2024-05-01T10:00:00Z\",\"n\":3}
{\"key\":\"a\",\"at\":\"2024-05-01T10:30:00Z\",\"n\":7}
{\"key\":\"a\",\"at\":\"2024-05-01T11:00:00Z\",\"n\":5}
";

fn run(guest: &Path, settings: &str, more: &str) -> (Folder, program::Ended) {
    let folder = Folder::of_job(&hostile(guest, settings, more));
    folder.write("rows.ndjson", ROWS);
    let ended = folder.run(&["run", "job.yaml", "--parallelism", "1", "--summary", "summary.json"]);
    (folder, ended)
}

#[test]
fn what_a_hostile_window_function_does_ends_the_job_with_an_error_that_names_it() {
    let guest = plugin("tests/guests/hostile-window");
    let ends = |settings: &str, texts: &[&str]| {
        run(&guest, settings, "").1.says(1, texts);
    };
    let trapped = "trapped: wasm trap: wasm `unreachable` instruction executed";
    let window = "{\"key\":\"a\",\"window_start\":\"2024-05-01T10:00:00.000Z\",\"window_end\":\"2024-05-01T11:00:00.000Z\"}";
    ends("do: trap, equals: 7", &["error[plugin-trap]: operator `op` (plugin ", trapped, " on a window of 2 rows", window]);
    ends("do: trap, equals: 7", &["mend the plugin, or set `on-poison: dead-letter` (or `skip`) to go on without such windows"]);
    ends("do: trap-in-open", &["error[plugin-trap]", trapped, " while it was opened"]);
    ends("do: loop, equals: 7", &["error[plugin-limit]", "took more than 30 ms of CPU time"]);
    ends("do: grow, equals: 7", &["error[plugin-limit]", "asked for more memory than its limit of 67108864 bytes"]);
    ends("do: fail, equals: 7", &["error[plugin-failed]", ": enough"]);
    ends("do: retry, equals: 7", &["error[plugin-retry]", ": later; it asked for a retry 6 times in a row"]);
    let broken = |settings: &str, text: &str| ends(settings, &["error[plugin-trap]", "broke the contract: ", text]);
    broken("do: unknown-window", "row 0 is of window 1, but there are 1");
    broken("do: too-few-columns", "it gave 1 columns, its plan has 2");
    broken("do: too-few-values", "column `sum`: has 0 values for 1 rows");
    broken("do: wrong-type", "column `sum`: expected int64, as the plan declares, found float64");
    broken("do: null-where-none", "column `sum`: a null in row 0, but the plan declares it as not nullable");
    ends("do: too-many-rows", &["error[plugin-limit]", "gave 200000 rows, at most 100000 are taken of a call with "]);
    ends("do: too-many-bytes", &["error[plugin-limit]", "its rows have 34603016 bytes, at most 33554432 are taken"]);
}

#[test]
fn a_hostile_window_function_is_refused_before_the_job_starts_where_it_can_be() {
    let guest = plugin("tests/guests/hostile-window");
    let refused = |settings: &str, texts: &[&str]| {
        Folder::of_job(&hostile(&guest, settings, "")).run(&["validate", "job.yaml"]).says(2, texts);
    };
    refused("do: trap-in-describe", &["error[plugin-trap]", "while it was asked what it does"]);
    refused("do: no-columns", &["error[plugin-bad-plan]", "its plan makes no sense: it gives no columns"]);
    refused("do: same-column-twice", &["error[plugin-bad-plan]", "its plan makes no sense: it gives column `rows` twice"]);
    let unknown = "its plan makes no sense: column `m` isn't in input `main`, which has key, at, n";
    refused("do: reads-unknown", &["error[plugin-bad-plan]", unknown]);
    refused("do: nonsense", &["error[plugin-refused]", "settings: unknown variant `nonsense`"]);
}

#[test]
fn a_window_that_is_poison_is_one_dead_letter_or_is_skipped_and_the_others_come_out() {
    let guest = plugin("tests/guests/hostile-window");
    let others = "{\"key\":\"b\",\"window_start\":\"2024-05-01T10:00:00.000Z\",\"window_end\":\"2024-05-01T11:00:00.000Z\",\"rows\":1,\"sum\":3}
{\"key\":\"a\",\"window_start\":\"2024-05-01T11:00:00.000Z\",\"window_end\":\"2024-05-01T12:00:00.000Z\",\"rows\":1,\"sum\":5}
";
    let (folder, ended) = run(&guest, "do: trap, equals: 7", "    on-poison: dead-letter\n");
    ended.says(0, &[]);
    assert_eq!(folder.read("out.ndjson"), others);
    let letter: Value = serde_json::from_str(&folder.read("dead.ndjson")).expect("one letter");
    assert_eq!((&letter["kind"], &letter["operator"]), (&"trap".into(), &"op".into()));
    assert_eq!(letter["key"], serde_json::json!({"key": "a"}));
    assert_eq!(letter["time"], "2024-05-01T10:59:59.999Z");
    assert_eq!(letter["row"]["rows"], 2);
    assert_eq!(letter["row"]["window_start"], "2024-05-01T10:00:00.000Z");

    let (folder, ended) = run(&guest, "do: trap, equals: 7", "    on-poison: skip\n");
    ended.says(0, &[]);
    assert_eq!(folder.read("out.ndjson"), others);
    assert_eq!(folder.read("dead.ndjson"), "");
    let operator = &folder.json("summary.json")["operators"]["op"];
    assert_eq!((&operator["skipped"], &operator["traps"]), (&1.into(), &3.into()), "{operator}");
}

#[test]
fn a_window_takes_16_mib_of_rows_and_rows_beyond_are_dead_letters() {
    let guest = plugin("plugins/visit-path");
    let page = "x".repeat(1 << 20);
    let rows: String = (0..20)
        .map(|row| format!("{{\"user\":\"ada\",\"time\":\"2024-05-01T10:00:{row:02}Z\",\"page\":\"{row}{page}\"}}\n"))
        .collect();
    let folder = Folder::of_job(&format!(
        "name: long
sources:
  views:
    connector: file
    path: views.ndjson
    format: json
    schema: {{ user: utf8, time: timestamp not null, page: utf8 not null }}
    event-time: {{ field: time, ascending: true }}
operators:
  visits: {{ input: views, key-by: [user], window: {{ session: 1h }}, plugin: \"{}\", limits: {{ memory: 256MiB }} }}
  short: {{ input: visits, select: {{ pages: pages }} }}
sinks: {{ out: {{ input: short, connector: file, path: out.ndjson, format: json }} }}
dead-letters: {{ connector: file, path: dead.ndjson, format: json }}
",
        guest.display()
    ));
    folder.write("views.ndjson", rows);
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    assert_eq!(folder.read("out.ndjson"), "{\"pages\":15}\n");
    let dead = folder.read("dead.ndjson");
    assert_eq!(dead.lines().count(), 5);
    assert!(dead.contains("the window holds 16 MiB of rows of this key, the most that it may"), "{}", &dead[..300]);
}

#[test]
fn a_window_function_is_inspected_as_one() {
    let built = plugin("plugins/visit-path");
    let inspected = Folder::new().run(&["plugin", "inspect", &built.display().to_string()]);
    assert_eq!(inspected.code, Some(0), "{}", inspected.err);
    assert!(inspected.out.contains("wasmill:plugin/window-function@0.1.0"), "{}", inspected.out);
    let folder = from_root("plugins/visit-path").display().to_string();
    let schema = "{\"user\": \"utf8\", \"time\": \"timestamp not null\", \"page\": \"utf8 not null\"}";
    let asked = Folder::new().run(&["plugin", "inspect", &folder, "--schema", schema, "--key-by", "user"]);
    assert_eq!(asked.code, Some(0), "{}", asked.err);
    for text in ["page", "last_page", "path", "user"] {
        assert!(asked.out.contains(text), "{text}: {}", asked.out);
    }
}
