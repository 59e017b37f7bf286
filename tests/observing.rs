//! A job can be seen while it runs: figures for Prometheus, events for programs, a table on a terminal, and what `explain` draws.

mod exposition;
mod program;
mod terminal;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exposition::{Exposition, parse};
use program::{Ended, Folder};
use serde_json::Value;

const JOB: &str = "name: seen
parallelism: 2
sources:
  rows:
    connector: generator
    fields: { id: sequence, key: { uniform: [0, 9] }, at: { every: 1ms, start: 2024-01-01T00:00:00Z } }
    rate: 20000
    event-time: { field: at, max-out-of-orderness: 1s }
operators:
  some: { input: rows, filter: \"id % 4 = 0\" }
  counted: { input: some, key-by: [key], aggregate: { n: count(*) } }
sinks: { out: { input: counted, connector: blackhole } }
";

fn terminate(child: &Child) {
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill is there");
    assert!(killed.success());
}

/// Reads a page over loopback.
fn page(address: &str) -> Exposition {
    let mut connection = TcpStream::connect(address).expect("connected");
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("asked");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{head}");
    parse(body).unwrap_or_else(|fault| panic!("{fault}\nin:\n{body}"))
}

#[test]
fn prometheus_reads_a_job_s_figures_while_it_runs() {
    let folder = Folder::of_job(JOB);
    let mut command = folder.command(&["run", "job.yaml", "--metrics", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map(|line| line.expect("text"));
    let said = lines.find(|line| line.starts_with("note: metrics at ")).expect("where the metrics are");
    let address = said.trim_start_matches("note: metrics at http://").trim_end_matches("/metrics").to_owned();
    thread::sleep(Duration::from_millis(2_500));
    let first = page(&address);
    thread::sleep(Duration::from_millis(300));
    let second = page(&address);
    terminate(&child);
    assert_eq!(child.wait().expect("ends").code(), Some(0));

    let of = |page: &Exposition, name: &str, labels: &[(&str, &str)]| {
        page.value(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?} in {page:#?}"))
    };
    let source = [("job", "seen"), ("source", "rows")];
    let counted = [("job", "seen"), ("operator", "counted")];
    assert!(of(&first, "wasmill_source_rows_in_total", &source) > 10_000.0);
    assert!(of(&first, "wasmill_operator_rows_in_total", &counted) > 2_500.0);
    assert!(
        of(&first, "wasmill_operator_rows_out_total", &[("job", "seen"), ("operator", "counted"), ("output", "main")]) > 2_500.0
    );
    assert_eq!(of(&first, "wasmill_operator_state_keys", &counted), 10.0);
    assert!(of(&first, "wasmill_operator_state_bytes", &counted) > 0.0);
    assert_eq!(of(&first, "wasmill_operator_tasks", &counted), 2.0);
    // An hour and a half of event time at most, of a year that is past.
    for (part, name) in [("source", "rows"), ("operator", "some"), ("operator", "counted")] {
        let labels = [("job", "seen"), (part, name)];
        let watermark = of(&first, &format!("wasmill_{part}_watermark_seconds"), &labels);
        assert!((1_704_067_200.0..1_704_072_600.0).contains(&watermark), "{name}: {watermark}");
        let lag = of(&first, &format!("wasmill_{part}_watermark_lag_seconds"), &labels);
        assert!((lag + watermark - of_clock()).abs() < 60.0, "{name}: {lag} s behind");
    }
    assert_eq!(of(&first, "wasmill_source_ahead_rows_total", &source), 0.0);
    let longest = of(&first, "wasmill_operator_longest_step_seconds", &counted);
    assert!(longest > 0.0 && longest <= of(&first, "wasmill_operator_busy_seconds_total", &counted), "{longest}");
    // Two tasks that have little to do have waited most of the time, and nobody has held them up.
    let idle = of(&first, "wasmill_operator_idle_seconds_total", &counted);
    assert!((2.0..6.0).contains(&idle), "{idle}");
    assert!(of(&first, "wasmill_operator_backpressured_seconds_total", &counted) < 0.5);
    assert!(of(&first, "process_resident_memory_bytes", &[]) > 1e6);
    assert_eq!(of(&first, "wasmill_dead_letters_total", &[("job", "seen")]), 0.0);
    for (name, labels, before) in first.counters() {
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(of(&second, name, &labels) >= before, "{name} {labels:?} has become less");
    }
}

fn of_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

#[test]
fn a_slow_sink_is_seen_as_back_pressure() {
    let folder = Folder::of_job(
        "name: slow\nparallelism: 1\nsources: { rows: { connector: generator, workload: micro } }\n\
         operators: { counted: { input: rows, key-by: [key], aggregate: { n: count(*) } } }\n\
         sinks: { out: { input: counted, connector: stdio, format: json } }\n",
    );
    let mut command = folder.command(&["run", "job.yaml", "--metrics", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map(|line| line.expect("text"));
    let said = lines.find(|line| line.starts_with("note: metrics at ")).expect("where the metrics are");
    let address = said.trim_start_matches("note: metrics at http://").trim_end_matches("/metrics").to_owned();
    // Nobody reads standard output: the pipe fills, and everything upstream has to wait.
    thread::sleep(Duration::from_millis(2_500));
    let page = page(&address);
    child.kill().expect("killed");
    child.wait().expect("ends");
    let held_up = page.value("wasmill_source_backpressured_seconds_total", &[("job", "slow"), ("source", "rows")]);
    assert!(held_up > Some(1.0), "{held_up:?}");
    assert!(page.value("wasmill_operator_queue_rows", &[("job", "slow"), ("operator", "counted")]) > Some(0.0), "{page:#?}");
}

#[test]
fn a_source_that_waits_for_a_slower_one_is_seen_as_held_up() {
    let folder = Folder::of_job(
        "name: waits\nparallelism: 1\nsources:\n  silent: { connector: file, path: silent.ndjson, follow: true, format: json, \
         schema: { at: timestamp }, event-time: { field: at, ascending: true, max-drift: 1s } }\n  busy: { connector: generator, \
         fields: { at: { every: 1s, start: 2024-01-01T00:00:00Z } }, event-time: { field: at, ascending: true, max-drift: 1s } }\n\
         operators: { both: { inputs: [silent, busy] } }\nsinks: { out: { input: both, connector: blackhole } }\n",
    );
    folder.write("silent.ndjson", "");
    let mut command = folder.command(&["run", "job.yaml", "--metrics", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map(|line| line.expect("text"));
    let said = lines.find(|line| line.starts_with("note: metrics at ")).expect("where the metrics are");
    let address = said.trim_start_matches("note: metrics at http://").trim_end_matches("/metrics").to_owned();
    thread::sleep(Duration::from_millis(2_500));
    let page = page(&address);
    terminate(&child);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    let held_up = |source| page.value("wasmill_source_backpressured_seconds_total", &[("job", "waits"), ("source", source)]);
    assert!(held_up("busy") > Some(1.0) && held_up("silent") < Some(0.1), "{:?}, {:?}", held_up("busy"), held_up("silent"));
}

#[test]
fn a_busy_port_is_an_error_before_the_job_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = Folder::of_job(&JOB.replace("connector: blackhole", "connector: file, path: out.ndjson, format: json"));
    let message = format!("error[metrics-address]: --metrics {address}: can't be listened at: Address already in use");
    folder
        .run(&["run", "job.yaml", "--metrics", &address])
        .says(2, &[&message, "   = hint: another program listens there: choose another port, or 0 for any that is free"]);
    assert_eq!(folder.names(), ["job.yaml"], "nothing was started");
}

/// Every line of standard error, as JSON.
fn events(ended: &Ended) -> Vec<Value> {
    ended.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn events_are_one_json_object_a_line_with_a_code() {
    let folder = Folder::of_job(
        "name: told\nsources: { rows: { connector: file, path: rows.ndjson, format: json, schema: { id: int64 not null } } }\n\
         operators: { half: { input: rows, with: { half: '10 / id' } } }\n\
         sinks: { out: { input: half, connector: blackhole } }\n",
    );
    folder.write("rows.ndjson", "{\"id\":1}\n{\"id\":0}\n");
    let ended = folder.run(&["--log-format", "json", "run", "job.yaml"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = events(&ended);
    for event in &told {
        for key in ["time", "level", "code", "message", "job", "operator"] {
            assert!(event.get(key).is_some(), "{key} in {event}");
        }
    }
    let codes: Vec<&str> = told.iter().filter_map(|event| event["code"].as_str()).collect();
    assert_eq!(codes, ["nothing-survives", "row-expression"]);
    let error = &told[1];
    assert_eq!((&error["level"], &error["job"], &error["operator"]), (&"error".into(), &"told".into(), &"half".into()));
    assert!(error["message"].as_str().is_some_and(|message| message.contains("an expression fails on a row")), "{error}");

    folder.write("job.yaml", "name: told\nsourcs: {}\n");
    let told = events(&folder.run(&["validate", "job.yaml", "--log-format", "json"]));
    let unknown = told.iter().find(|event| event["code"] == "unknown-key").expect("a problem is an event");
    assert_eq!((&unknown["line"], &unknown["column"], &unknown["suggestion"]), (&2.into(), &1.into(), &"sources".into()));
}

#[test]
fn a_short_job_says_nothing_of_its_progress_and_a_long_one_a_line_now_and_then() {
    let folder = Folder::of_job(JOB);
    let stopped = |seconds: u64, format: &str| {
        let mut command = folder.command(&["run", "job.yaml", "--log-format", format]);
        let child = command.stderr(Stdio::piped()).spawn().expect("starts");
        thread::sleep(Duration::from_secs(seconds));
        terminate(&child);
        Ended::of(child.wait_with_output().expect("ends"))
    };
    let short = stopped(1, "text");
    assert!(short.code == Some(0) && !short.err.contains("rows in"), "{short:?}");
    let long = stopped(11, "json");
    let told = events(&long);
    let progress: Vec<&Value> = told.iter().filter(|event| event["code"] == "progress").collect();
    assert_eq!(progress.len(), 1, "{long:?}");
    assert!(progress[0]["rows_in"].as_u64() > Some(100_000), "{progress:?}");
    let message = progress[0]["message"].as_str().expect("a text");
    assert!(
        message.starts_with("after 10 s: ") && message.contains(" rows in (") && message.contains("; busiest: "),
        "{message}"
    );
}

/// Runs the program on a terminal of 30 lines for some seconds, and returns what it sent there.
fn on_a_terminal(folder: &Folder, arguments: &str, seconds: u32, environment: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_wasmill");
    let inner = format!("stty rows 30 cols 110; timeout --foreground -s TERM {seconds} {program} {arguments}");
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).current_dir(folder.path("")).stdin(Stdio::null()).env("TERM", "xterm");
    command.env_remove("NO_COLOR").envs(environment.iter().copied());
    let output = command.output().expect("util-linux' `script` is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn on_a_terminal_a_table_is_redrawn_and_lines_stay_whole() {
    let folder = Folder::of_job(JOB);
    let sent = on_a_terminal(&folder, "run job.yaml --metrics 127.0.0.1:0", 4, &[]);
    for text in ["rows/s", "held up", "counted", "10 keys, "] {
        assert!(sent.contains(text), "no {text} in:\n{sent}");
    }
    // What stays on the screen: whole lines, and nothing of the table.
    let left = terminal::screen(&sent);
    let lines = left.iter().map(String::as_str).filter(|line| !line.is_empty());
    // Before: that the state of rows without end grows.
    let notes: Vec<&str> = lines.skip_while(|line| !line.starts_with("note: ")).collect();
    assert_eq!(notes.len(), 3, "{notes:#?}");
    assert!(notes[0].starts_with("note: metrics at http://127.0.0.1:"), "{notes:#?}");
    assert_eq!(notes[1], "note: nothing survives a kill: the job has no `checkpoint`");
    assert_eq!(notes[2], "note: stopping; a second signal ends the program at once");
}

#[test]
fn bounded_input_has_a_bar_above_the_table() {
    let folder = Folder::of_job(&JOB.replace("rate: 20000", "rate: 20000\n    rows: 60000"));
    let sent = on_a_terminal(&folder, "run job.yaml", 20, &[]);
    let frames = terminal::frames(&sent);
    let whole = frames.iter().find(|frame| frame.iter().any(|line| line.contains("rows/s")));
    let whole = whole.unwrap_or_else(|| panic!("no table in:\n{sent}"));
    let at = |text: &str| whole.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text} in {whole:#?}"));
    assert!(at("60,000 rows") < at("rows/s") && at("rows/s") < at("counted"), "{whole:#?}");
}

#[test]
fn errors_have_colours_on_a_terminal_only_and_not_against_one_s_wish() {
    let folder = Folder::of_job("name: x\nsourcs: {}\n");
    let coloured = on_a_terminal(&folder, "validate job.yaml", 20, &[]);
    assert!(coloured.contains("\u{1b}[1;31merror[unknown-key]:\u{1b}[0m found `sourcs`"), "{coloured:?}");
    let plain = on_a_terminal(&folder, "validate job.yaml", 20, &[("NO_COLOR", "1")]);
    assert!(plain.contains("error[unknown-key]: found `sourcs`") && !plain.contains("\u{1b}[1;31m"), "{plain:?}");
    assert!(!folder.run(&["validate", "job.yaml"]).err.contains('\u{1b}'));
}
