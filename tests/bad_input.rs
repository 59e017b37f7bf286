//! What bad input gets: a message that says what was found, where, what was expected and what to do, and an exit code; nothing half
//! written, nothing dropped in silence.

mod program;

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use program::{Ended, Folder, from_root, plugin};

const SOURCE: &str = "name: bad
sources:
  rows: { connector: file, path: rows.ndjson, format: json, schema: { id: int64 not null, text: utf8 } }
";
const COPY: &str = "sinks: { copy: { input: rows, connector: file, path: copy.ndjson, format: json } }\n";
const DEAD: &str = "dead-letters: { connector: file, path: dead.ndjson, format: json }\n";

/// Runs a job with this after its source.
fn rest(rest: &str) -> (Folder, Ended) {
    let folder = Folder::of_job(&format!("{SOURCE}{rest}"));
    folder.write("rows.ndjson", "{\"id\":1}\n");
    let ended = folder.run(&["run", "job.yaml"]);
    (folder, ended)
}

/// Runs a job that copies these rows.
fn rows(bytes: &[u8], dead: &str) -> (Folder, Ended) {
    let folder = Folder::of_job(&format!("{SOURCE}{COPY}{dead}"));
    folder.write("rows.ndjson", bytes);
    let ended = folder.run(&["run", "job.yaml", "--summary", "summary.json"]);
    (folder, ended)
}

/// Validates a job whose one operator is this plugin.
fn of_plugin(folder: &Folder, plugin: &str, more: &str) -> Ended {
    let operators = format!("operators: {{ op: {{ input: rows, plugin: {plugin}{more} }} }}\n");
    folder.write("job.yaml", format!("{SOURCE}{operators}sinks: {{ out: {{ input: op, connector: blackhole }} }}\n"));
    folder.run(&["run", "job.yaml"])
}

#[test]
fn a_job_file_that_cannot_be_read_is_named_with_the_reason() {
    let folder = Folder::new();
    folder.run(&["run", "none.yaml"]).says(
        2,
        &[
            "error[job-file-missing]: there is no such file; expected a job file\n  --> none.yaml\n",
            "= check the path; it is relative to the working directory",
        ],
    );
    folder.run(&["run", "."]).says(
        2,
        &[
            "error[job-file-unreadable]: it is a directory; expected a job file\n  --> .\n",
            "= name the file in it, as ./job.yaml",
        ],
    );
    // Reading it is refused to everybody, root included.
    folder.run(&["run", "/proc/self/mem"]).says(2, &["error[job-file-unreadable]: it can't be read: Input/output error"]);
    folder.write("job.yaml", b"name: x\nsources: \xff\n");
    folder.run(&["validate", "job.yaml"]).says(
        2,
        &["error[job-file-unreadable]: it isn't UTF-8: byte 0xff at 17, in line 2; expected a job file", "= save it as UTF-8"],
    );
    folder.write("job.yaml", "a".repeat(3 << 20));
    folder.run(&["run", "job.yaml"]).says(2, &["error[too-large]: "]);
    let ended = folder.run(&["validate", "none.yaml", "--format", "json"]);
    assert_eq!(
        ended.out,
        "{\"valid\":false,\"problems\":[{\"code\":\"job-file-missing\",\"severity\":\"error\",\"file\":\"none.yaml\",\"line\":null,\
         \"column\":null,\"path\":\"\",\"found\":\"there is no such file\",\"expected\":\"a job file\",\
         \"suggestion\":\"check the path; it is relative to the working directory\"}]}\n"
    );
    assert_eq!(ended.code, Some(2));
}

#[test]
fn a_text_that_is_no_yaml_is_refused_where_it_stops_being_it() {
    let folder = Folder::of_job("name: [unclosed\n");
    folder.run(&["run", "job.yaml"]).says(2, &["error[invalid-yaml]: while parsing a flow sequence", "--> job.yaml:2:1"]);
}

#[test]
fn everything_wrong_is_said_at_once_each_with_its_place_and_the_nearest_name() {
    let (_, ended) = rest(
        "operators: { f: { input: rows, filter: \"idd > 1\", colour: red } }\nsinks: { o: { input: g, connector: blackhole } }\n",
    );
    ended.says(
        2,
        &[
            "error[unknown-column]: found `idd`, expected a column of rows",
            "--> job.yaml:4:41 (operators.f.filter)",
            "error[unknown-key]: found `colour`, expected one of input, inputs, filter,",
            "error[unknown-input]: found `g`, expected the name of a source or operator",
        ],
    );
    let folder = Folder::of_job(&SOURCE.replace("int64", "int46").replace("path:", "pth:"));
    folder
        .run(&["run", "job.yaml"])
        .says(2, &["found `int46`, expected one of boolean, int32,", "= did you mean `int64`?", "= did you mean `path`?"]);
}

#[test]
fn operators_that_read_what_they_write_are_refused() {
    let (_, ended) = rest(
        "operators: { f: { input: h, filter: \"id > 1\" }, h: { input: f, filter: \"id > 2\" } }\nsinks: { o: { input: f, connector: blackhole } }\n",
    );
    ended.says(
        2,
        &[
            "error[cycle]: found f -> h -> f, expected operators that don't read what they write",
            "= let one of them read a source instead",
        ],
    );
}

#[test]
fn a_file_that_two_would_write_or_that_is_the_job_itself_is_refused() {
    let (folder, ended) = rest(
        "sinks:\n  o: { input: rows, connector: file, path: same.ndjson, format: json }\n  p: { input: rows, connector: file, path: ./same.ndjson, format: json }\n",
    );
    ended
        .says(2, &["error[same-file]: found `./same.ndjson`, expected a file of its own: sink `o` writes it\n  --> job.yaml:6:"]);
    assert_eq!(folder.names(), ["job.yaml", "rows.ndjson"]);
    let (folder, ended) = rest("sinks: { o: { input: rows, connector: file, path: job.yaml, format: json } }\n");
    ended.says(2, &["error[same-file]: found the job file, expected a file of its own\n  --> job.yaml (sinks.o.path)"]);
    assert!(folder.read("job.yaml").starts_with(SOURCE), "the job file is as it was");
}

#[test]
fn a_plugin_that_is_none_is_refused_by_what_it_is() {
    let folder = Folder::new();
    folder.write("rows.ndjson", "");
    folder.write("text.wasm", "hello");
    folder.write("empty.wasm", "");
    folder.write("zip.wasm", b"PK\x03\x04");
    folder.write("cut.wasm", b"\0asm\x01\0\0\0\x01\x02\x03");
    folder.write("bare.wasm", b"\0asm\x0d\0\x01\0");
    folder.write("folder/readme", "");
    let cases = [
        ("none.wasm", "error[plugin-unreadable]: plugin ", "none.wasm: there is no such file;"),
        (
            "folder",
            "error[plugin-unreadable]: plugin ",
            "folder: is a directory with neither a Cargo.toml nor dist/folder.wasm, expected a .wasm file or a plugin's directory",
        ),
        ("/proc/self/mem", "error[plugin-unreadable]: plugin ", "/proc/self/mem: cannot be read: Input/output error"),
        ("text.wasm", "error[plugin-not-a-component]: plugin ", "text.wasm: is text, expected a WebAssembly component"),
        (
            "empty.wasm",
            "error[plugin-not-a-component]: plugin ",
            "empty.wasm: is an empty file, expected a WebAssembly component",
        ),
        ("zip.wasm", "error[plugin-not-a-component]: plugin ", "zip.wasm: is a zip archive, expected a WebAssembly component"),
        ("cut.wasm", "error[plugin-invalid]: plugin ", "cut.wasm: is broken WebAssembly: unexpected end-of-file"),
        ("bare.wasm", "error[plugin-wrong-world]: plugin ", "bare.wasm: exports nothing, expected wasmill:plugin/operator@0.1.0"),
    ];
    for (file, title, what) in cases {
        of_plugin(&folder, file, "").says(2, &[title, what, "--> job.yaml:4:41 (operators.op.plugin)"]);
    }
    folder.run(&["plugin", "inspect", "text.wasm"]).says(
        2,
        &[
            "error[plugin-not-a-component]: plugin text.wasm: is text, expected a WebAssembly component",
            "hint: build it with `wasmill plugin build`",
        ],
    );
    folder
        .run(&["plugin", "build", "none"])
        .says(2, &["error[plugin-unreadable]: plugin none: isn't there, expected a plugin's directory"]);
    folder.run(&["plugin", "build", "folder"]).says(2, &["error[plugin-unreadable]: plugin folder: has no Cargo.toml"]);
}

#[test]
fn a_plugin_that_refuses_its_settings_or_input_says_why() {
    let grade = plugin("plugins/quake-grade").display().to_string();
    let count = plugin("plugins/keyed-count").display().to_string();
    let folder = Folder::new();
    folder.write("rows.ndjson", "");
    of_plugin(&folder, &grade, ", settings: { felt-from: x }").says(
        2,
        &["error[plugin-refused]: plugin ", "refuses its settings or input: settings: felt-from: found \"x\", expected f64"],
    );
    of_plugin(&folder, &count, "").says(2, &["error[plugin-refused]: plugin ", "give the operator a `key-by`"]);
}

#[test]
fn a_plugin_that_is_not_built_is_an_error_where_it_must_not_be() {
    let folder = Folder::new();
    folder.write("rows.ndjson", "");
    folder.write("mine/Cargo.toml", "");
    let job = format!(
        "{SOURCE}operators: {{ op: {{ input: rows, plugin: mine }} }}\nsinks: {{ out: {{ input: op, connector: blackhole }} }}\n"
    );
    folder.write("job.yaml", job);
    folder
        .run(&["run", "job.yaml", "--no-build"])
        .says(2, &["error[plugin-not-built]: plugin ", "mine: dist/mine.wasm isn't there", "or leave --no-build out"]);
    folder
        .run(&["run", "job.yaml"])
        .says(2, &["error[plugin-build-failed]: plugin ", "mine: doesn't build: Cargo ended with exit status: 101"]);
}

const MIXED: &[u8] = b"{\"id\":1,\"text\":\"x\"}\n{\"id\":\"7\"}\n\n{\"id\":1.5}\n{\"text\":\"no id\"}\n{\"id\":2,\"text\":\"\xff\"}\n[1]\n{\"id\":3";

#[test]
fn rows_that_cannot_be_read_become_dead_letters_and_the_others_go_on() {
    let (folder, ended) = rows(MIXED, DEAD);
    ended.says(0, &[]);
    assert_eq!(folder.read("copy.ndjson"), "{\"id\":1,\"text\":\"x\"}\n");
    let dead = folder.read("dead.ndjson");
    let letters: Vec<serde_json::Value> = dead.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> =
        letters.iter().map(|letter| (letter["line"].as_u64(), letter["reason"].as_str().expect("a reason"))).collect();
    assert_eq!(told[0], (Some(2), "id: expected int64, found \"7\""));
    assert_eq!(told[1], (Some(4), "id: expected int64, found 1.5"));
    assert_eq!(told[2], (Some(5), "id: expected int64 not null, found nothing"));
    assert_eq!(told[3], (Some(6), "expected UTF-8, found the byte 0xff"));
    assert_eq!(told[4].0, Some(7));
    assert_eq!(told[5], (Some(8), "expected a whole JSON object, found a line that is cut off"));
    assert_eq!(letters[3]["raw_base64"], "eyJpZCI6MiwidGV4dCI6Iv8ifQ==");
    assert_eq!(letters[5]["raw"], "{\"id\":3");
    let summary = folder.json("summary.json");
    assert_eq!(summary["rows_in"], 7);
    assert_eq!(summary["dead_letters"], 6);
    assert_eq!(summary["sources"]["rows"]["rows"], 1);
    assert_eq!(summary["sources"]["rows"]["malformed"], 6);
}

#[test]
fn without_dead_letters_the_first_such_row_fails_the_job_and_the_summary_is_written_all_the_same() {
    let (folder, ended) = rows(MIXED, "");
    ended.says(
        1,
        &[
            "error[row-malformed]: source `rows`: a row can't be read: rows.ndjson:2:7: id: expected int64, found \"7\"",
            "\n  --> rows.ndjson:2:7\n  |\n2 | {\"id\":\"7\"",
            "   = operator: rows\n   = hint: mend the row, or let the job go on without such rows by adding to the job: dead-letters: {",
        ],
    );
    let summary = folder.json("summary.json");
    assert_eq!((&summary["outcome"], &summary["exit_code"]), (&"failed".into(), &1.into()));
    assert_eq!(summary["error"]["code"], "row-malformed");
    assert_eq!(summary["error"]["operator"], "rows");
}

#[test]
fn more_dead_letters_than_the_limit_fail_the_job() {
    let (_, ended) = rows(MIXED, "dead-letters: { connector: file, path: dead.ndjson, format: json, limit: 2 }\n");
    ended.says(1, &["error[too-many-dead-letters]: more than 2 dead letters; the last: "]);
}

#[test]
fn an_empty_file_is_no_rows() {
    let (folder, ended) = rows(b"", "");
    ended.says(0, &[]);
    assert_eq!(folder.read("copy.ndjson"), "");
}

#[test]
fn a_row_of_100_mib_is_one_dead_letter_with_its_beginning() {
    let mut bytes = b"{\"id\":1}\n{\"id\":2,\"text\":\"".to_vec();
    bytes.resize(bytes.len() + (100 << 20), b'x');
    bytes.extend(b"\"}\n{\"id\":3}\n");
    let (folder, ended) = rows(&bytes, DEAD);
    ended.says(0, &[]);
    assert_eq!(folder.read("copy.ndjson"), "{\"id\":1,\"text\":null}\n{\"id\":3,\"text\":null}\n");
    let letter = folder.json("dead.ndjson");
    let reason = letter["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("expected at most 16777216 bytes (max-row-bytes), found a row of 1048576"), "{reason}");
    assert_eq!(letter["raw"].as_str().map(str::len), Some(64 << 10));
    let memory = folder.json("summary.json")["peak_memory_bytes"].as_u64().expect("bytes");
    assert!(memory < 100 << 20, "{memory} bytes for a row of which 64 KiB are kept");
}

#[test]
fn input_that_is_not_there_or_is_a_directory_is_named() {
    let folder = Folder::of_job(&format!("{SOURCE}{COPY}"));
    folder.run(&["run", "job.yaml"]).says(
        1,
        &[
            "error[file-not-found]: rows.ndjson: there is no such file\n  --> job.yaml:3:3 (sources.rows)\n  |\n3 |   rows: {",
            "\n  |   ^\n   = hint: check the path;",
        ],
    );
    folder.write("rows.ndjson/x", "");
    folder.run(&["run", "job.yaml"]).says(
        1,
        &["error[file-is-directory]: rows.ndjson: expected a file, found a folder\n  --> job.yaml:3:3 (sources.rows)\n"],
    );
}

#[test]
fn a_full_disk_fails_the_job_and_says_what_is_missing() {
    let folder = Folder::of_job(&format!("{SOURCE}{COPY}"));
    folder.write("rows.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    folder.run(&["run", "job.yaml", "--set", "sinks.copy.path=/dev/full"]).says(1, &[
        "error[disk-full]: /dev/full: the file can't be written: 0 rows (0 bytes) are in it, 2 rows (42 bytes) that were to follow are not",
        "\n  --> job.yaml:4:10 (sinks.copy)\n", "   = hint: make room, or write to another disk",
    ]);
    let out = OpenOptions::new().write(true).open("/dev/full").expect("there");
    let explained = folder.command(&["explain", "job.yaml"]).stdout(out).output().expect("the program starts");
    Ended::of(explained).says(1, &["error[stdout-unwritable]: standard output: can't be written: No space left on device"]);
    let ended = folder.run(&["run", "job.yaml", "--summary", "/dev/full"]);
    ended.says(1, &["error[summary-unwritable]: summary /dev/full: can't be written: No space left on device"]);
}

#[test]
fn a_reader_of_standard_output_that_goes_away_fails_the_job() {
    let folder = Folder::of_job(&format!("{SOURCE}sinks: {{ out: {{ input: rows, connector: stdio, format: json }} }}\n"));
    folder.write("rows.ndjson", "{\"id\":1}\n".repeat(500_000));
    let mut child = folder.command(&["run", "job.yaml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("a line");
    assert_eq!(first, "{\"id\":1,\"text\":null}\n");
    let mut err = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    assert_eq!(child.wait().expect("ends").code(), Some(1), "{err}");
    let expected =
        "error[stdout-closed]: standard output was closed by the program that reads it\n  --> job.yaml:4:10 (sinks.out)\n";
    assert!(err.contains(expected) && err.contains("   = hint: "), "{err}");
}

#[test]
fn standard_input_is_read_to_its_end() {
    let source = SOURCE.replace("connector: file, path: rows.ndjson", "connector: stdio");
    let folder = Folder::of_job(&format!("{source}sinks: {{ out: {{ input: rows, connector: stdio, format: json }} }}\n"));
    let mut child = folder
        .command(&["run", "job.yaml"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("piped").write_all(b"{\"id\":1}\n{\"id\":2}").expect("written");
    let ended = Ended::of(child.wait_with_output().expect("ends"));
    assert_eq!(ended.out, "{\"id\":1,\"text\":null}\n{\"id\":2,\"text\":null}\n", "{}", ended.err);
    ended.says(0, &[]);
}

#[test]
fn what_this_version_does_not_do_says_so_and_unknown_words_are_wrong_use() {
    let folder = Folder::of_job(&format!("{SOURCE}{COPY}"));
    let later: [(&[&str], &str); 5] = [
        (&["run", "job.yaml", "--mode", "batch"], "`run --mode`"),
        (&["swap", "bad", "op", "x.wasm", "--canary", "25%"], "`swap`"),
        (&["rollback", "bad", "op"], "`rollback`"),
        (&["plugin", "new", "x", "--language", "go"], "`plugin new --language go`"),
        (&["replay", "capsule"], "`replay`"),
    ];
    for (words, what) in later {
        folder.run(words).says(2, &[&format!("error[not-in-this-version]: {what} is not in this version")]);
    }
    folder
        .run(&["run", "job.yaml", "--from", "3"])
        .says(2, &["error[invalid-option]: `--from` in a job without `checkpoint`: it has no store to go on from"]);
    folder.run(&["rum", "job.yaml"]).says(2, &["unrecognized subcommand 'rum'"]);
    folder.run(&["run"]).says(2, &["<JOB>"]);
    folder.run(&["run", "job.yaml", "--set", "x"]).says(2, &["expected PATH=VALUE, as sources.quakes.path=x.ndjson"]);
    folder
        .run(&["run", "job.yaml", "--set", "sources.rows.pth=x"])
        .says(2, &["--> --set (sources.rows.pth)\n   = did you mean `path`?"]);
    folder.run(&["run", "job.yaml", "--parallelism", "0"]).says(2, &["--> --parallelism"]);
    folder
        .run(&["run", "job.yaml", "--summary", "no/s.json"])
        .says(2, &["error[summary-unwritable]: summary no/s.json: its directory isn't there"]);
}

#[test]
fn help_and_version_are_results() {
    let folder = Folder::new();
    let help = folder.run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    assert!(
        help.out.contains("Exit codes: 0 done or stopped cleanly") && !help.out.contains("Not in this version"),
        "{}",
        help.out
    );
    let version = folder.run(&["--version"]);
    assert_eq!(version.out, format!("wasmill {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_plugin_of_this_repository_is_inspected() {
    let file = plugin("plugins/keyed-count");
    let ended =
        Folder::new().run(&["plugin", "inspect", &from_root("plugins/keyed-count").display().to_string(), "--format", "json"]);
    ended.says(0, &[]);
    let found: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(found["file"], file.display().to_string());
    assert_eq!(found["kind"], "component");
    assert_eq!(found["world"], "wasmill:plugin/stream-operator@0.1.0");
    assert_eq!(found["exports"], serde_json::json!(["wasmill:plugin/operator@0.1.0"]));
    assert_eq!(found["digest"].as_str().map(str::len), Some(71));
    assert!(found["bytes"].as_u64() < Some(100 << 10), "a simple component is under 100 KiB: {}", found["bytes"]);
}
