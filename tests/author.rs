//! An operator author's path, from nothing but the program: a project, its build, its cases, a job, and what is said when one goes wrong.

mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use program::{Ended, from_root};

/// A folder that a test has for itself, and that keeps its name, so that a project in it isn't compiled from the beginning each time.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author").join(name);
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).expect("made");
        Self(home)
    }

    /// A new project in it, of the same name: Cargo takes two of one name that are built into one place for the same.
    fn with_project(name: &str) -> Self {
        let home = Self::new(name);
        home.run(&["plugin", "new", name]).says(0, &[]);
        Self(home.0.join(name))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasmill"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author/target");
        command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).env("CARGO_TARGET_DIR", target);
        command.env_remove("RUST_BACKTRACE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().expect("the program starts"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn replace(&self, name: &str, what: &str, by: &str) {
        let text = self.read(name);
        assert!(text.contains(what), "{name} has no {what}");
        self.write(name, &text.replace(what, by));
    }
}

#[test]
fn a_new_project_tests_and_runs_at_once() {
    let home = Home::new("new");
    let made = home.run(&["plugin", "new", "spikes"]);
    made.says(0, &[]);
    assert!(made.out.starts_with("spikes: an operator in Rust\n  cd spikes\n"), "{}", made.out);
    let home = Home(home.0.join("spikes"));

    let tested = home.run(&["plugin", "test"]);
    tested.says(0, &["note: building plugin", "note: natively: cargo test"]);
    assert_eq!(tested.out, "case no-value: ok\ncase spike: ok\nnatively: 2 tests ok\n");
    assert!(!tested.err.contains("warning"), "{}", tested.err);

    let ran = home.run(&["run", "job.yaml"]);
    ran.says(0, &[]);
    assert!(!ran.err.contains("building plugin"), "the test built it: {}", ran.err);
    assert_eq!(home.read("out/spikes.ndjson"), home.read("expected.ndjson"));
    assert_eq!(home.read("out/dead-letters.ndjson").lines().count(), 1);
    // Neither the job's output nor a case makes the plugin older than its sources.
    home.write("cases/spike/expected.jsonl", "");
    assert!(!home.run(&["run", "job.yaml"]).err.contains("building plugin"));
    // The versions are those that came with the program.
    assert!(home.read("Cargo.lock").contains("name = \"spikes\""));
}

#[test]
fn a_project_that_can_not_be_made_leaves_nothing() {
    let home = Home::new("refused");
    home.run(&["plugin", "new", "Spikes"])
        .says(2, &["error[invalid-plugin-name]: plugin name `Spikes`: expected a lower-case letter"]);
    for name in ["spike", "settings", "value-state"] {
        home.run(&["plugin", "new", name])
            .says(2, &["would name the operator as another type of the project is named", "hint: choose another name"]);
    }
    home.run(&["plugin", "new", "spikes", "--language", "go"]).says(
        2,
        &[
            "error[not-in-this-version]: `plugin new --language go` is not in this version",
            "hint: this version has `--language rust`",
        ],
    );
    home.run(&["plugin", "new", "spikes", "--sdk", "."]).says(2, &["error[sdk-unreadable]: SDK .: its Cargo.toml can't be read"]);
    assert_eq!(fs::read_dir(&home.0).expect("there").count(), 0);
    home.write("spikes", "mine");
    home.run(&["plugin", "new", "spikes"])
        .says(2, &["error[plugin-exists]: ./spikes: is there already", "hint: choose another name"]);
}

#[test]
fn a_case_that_differs_is_shown_and_can_be_updated() {
    let home = Home::with_project("differs");
    home.replace("cases/spike/input.jsonl", "\"value\":30}", "\"value\":31}");
    let tested = home.run(&["plugin", "test", "--only", "sandbox"]);
    tested.says(
        1,
        &[
            "error[cases-differ]: of 2 cases in the sandbox, 1 differ from what they expect and 0 fail",
            "hint: - is expected and + is what came; where what came is right, `wasmill plugin test --update` writes it",
        ],
    );
    let found = r#"  +     1 | {"sensor":"north","at":"2024-05-01T10:03:00.000Z","value":31.0,"usual":11.0}
          |                                                           ^^^^
          | value: expected 30.0, found 31.0
"#;
    assert!(
        tested.out.starts_with("case no-value: ok\ncase spike: differs\n  expected.jsonl: 1 changed\n  -     1 | {"),
        "{}",
        tested.out
    );
    assert!(tested.out.ends_with(found), "{}", tested.out);

    let json = home.run(&["plugin", "test", "--only", "sandbox", "--filter", "spike", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&json["ok"], &json["native"]), (&false.into(), &serde_json::Value::Null));
    let case = &json["cases"][0];
    assert_eq!((&case["name"], &case["result"]), (&"spike".into(), &"differs".into()));
    let row = &case["differences"][0]["rows"][0];
    assert_eq!((&row["kind"], &row["lines"]), (&"changed".into(), &serde_json::json!([1, 1])));
    assert_eq!(row["fields"], serde_json::json!([{"name": "value", "expected": "30.0", "found": "31.0"}]));

    // Natively the same case differs, too, and says so in a test's words.
    home.run(&["plugin", "test", "--only", "native"]).says(
        1,
        &["case spike: expected.jsonl: row 1:\n  expected {", "error[native-tests-failed]: the plugin's tests fail natively"],
    );

    let updated = home.run(&["plugin", "test", "--update"]);
    updated.says(0, &[]);
    assert_eq!(updated.out, "case no-value: ok\ncase spike: wrote expected.jsonl\nnatively: 2 tests ok\n");
    assert!(home.read("cases/spike/expected.jsonl").contains("\"value\":31.0"));
}

#[test]
fn what_is_wrong_with_a_case_is_said() {
    let home = Home::with_project("cases");
    home.write("cases/other/case.json", "{}");
    let test = || home.run(&["plugin", "test", "--only", "sandbox", "--filter", "other"]);
    test().says(2, &["error[invalid-case]: ./cases/other: has no input.jsonl", "hint: a case has its rows in there"]);
    home.write("cases/other/input.jsonl", "{\"sensor\":\"a\",\"value\":1}\n{\"sensor\":\"a\",\"value\":\"1\"}\n");
    test().says(2, &["error[invalid-case]: ./cases/other/input.jsonl:2:23: value: expected float64, found \"1\""]);
    home.write("cases/other/input.jsonl", "sensor a\n");
    test().says(2, &["./cases/other/input.jsonl:1:1: expected a JSON object, found sensor a"]);
    home.write("cases/other/input.jsonl", "{\"sensor\":\"a\",\"value\":1}\n");
    let missing = test();
    missing.says(1, &["error[cases-differ]: of 1 cases in the sandbox, 0 differ from what they expect and 1 fail"]);
    assert_eq!(
        missing.out,
        "case other: failed\n  ./cases/other: has no expected.jsonl\n  hint: write it, or have `wasmill plugin test --update` write \
         what comes out\n"
    );
    home.write("cases/other/expected.jsonl", "[1]\n");
    test().says(2, &["./cases/other/expected.jsonl:1: expected a JSON object: invalid type: sequence"]);
    home.write("cases/other/expected.jsonl", "");
    home.write("cases/other/dead.jsonl", "{\"reason\":\"x\"}\n");
    test().says(2, &["./cases/other/dead.jsonl:1: expected an object with `row`, `kind` and `reason`"]);
    fs::remove_file(home.0.join("cases/other/dead.jsonl")).expect("there");
    home.write("cases/other/expected.late.jsonl", "");
    test().says(
        2,
        &[
            "./cases/other/expected.late.jsonl: is no file of a case of this plugin",
            "hint: its files are input.jsonl, case.json, dead.jsonl, expected.jsonl",
        ],
    );
    fs::remove_file(home.0.join("cases/other/expected.late.jsonl")).expect("there");
    home.write("cases/other/input.more.jsonl", "");
    test().says(2, &["./cases/other/input.more.jsonl: is no file of a case of this plugin"]);
    fs::remove_file(home.0.join("cases/other/input.more.jsonl")).expect("there");

    let about = |json: &str| {
        home.write("cases/other/case.json", json);
        test()
    };
    about("{").says(2, &["./cases/other/case.json: EOF while parsing", "hint: it may have `schema`, `key-by` and `settings`"]);
    home.write("cases/other/input.jsonl", "{\"@tide\":1}\n");
    about("{}")
        .says(2, &["./cases/other/input.jsonl:1: expected a row, or only `@watermark` or `@clock` with a moment, found `@tide`"]);
    home.write("cases/other/input.jsonl", "{\"@clock\":\"noon\"}\n");
    about("{}").says(2, &["./cases/other/input.jsonl:1: @clock: expected timestamp, found \"noon\""]);
    home.write("cases/other/input.jsonl", "");
    about("{\"setings\":1}").says(2, &["unknown field `setings`, expected one of"]);
    about("{\"inputs\":{\"a\":{\"schema\":{\"x\":\"int64\"}}},\"key-by\":[\"x\"]}")
        .says(2, &["`inputs` has a `schema` and a `key-by` for each input, and neither stands beside it"]);
    about(
        "{\"inputs\":{\"a\":{\"schema\":{\"x\":\"int64\"},\"key-by\":[\"x\"]},\"b\":{\"schema\":{\"x\":\"utf8\"},\"key-by\":[\"x\"]}}}",
    )
    .says(2, &["the key of `b` is utf8, that of `a` int64"]);
    about("{\"schema\":{\"value\":\"float\"}}")
        .says(2, &["schema: value: unknown type `float`", "hint: the types are boolean, int32"]);
    about("{\"key-by\":[\"senor\"]}").says(2, &["key-by: the schema has no column `senor`; it has sensor, at, value"]);
    let refused = about("{\"settings\":{\"factor\":-1}}");
    refused.says(1, &[]);
    assert!(
        refused.out.contains("refuses its settings or input: settings: factor: expected a number above 0\n"),
        "{}",
        refused.out
    );
    let unkeyed = about("{\"key-by\":[]}");
    assert!(unkeyed.out.contains("state `seen` is kept for each key, but input `input` has none"), "{}", unkeyed.out);

    home.run(&["plugin", "test", "--only", "native", "--filter", "nothing"])
        .says(2, &["error[invalid-case]: ./cases: no case has `nothing` in its name"]);
    home.run(&["plugin", "test", "--filter", "nothing"])
        .says(2, &["error[invalid-case]: ./cases: no case has `nothing` in its name", "hint: there are no-value, other, spike"]);
    fs::remove_dir_all(home.0.join("cases")).expect("there");
    home.run(&["plugin", "test"])
        .says(2, &["error[invalid-case]: ./cases: can't be read: No such file", "hint: a case is a folder cases/NAME"]);
    home.run(&["plugin", "test", "nowhere"]).says(2, &["plugin nowhere: isn't there, expected a plugin's directory"]);
}

#[test]
fn code_that_does_not_compile_or_panics_is_named_by_its_line() {
    let home = Home::with_project("broken");
    let whole = home.read("src/lib.rs");
    home.replace("src/lib.rs", "seen.count += 1;", "seen.cuont += 1;");
    home.run(&["plugin", "test"]).says(
        1,
        &[
            "error[E0609]: no field `cuont` on type `Seen`",
            "--> src/lib.rs:",
            "error[plugin-build-failed]: plugin .: doesn't build: Cargo ended with exit status: 101",
            "hint: the messages of Cargo above say why; it was run with",
        ],
    );
    home.write("src/lib.rs", &whole.replace("seen.count += 1;", "seen.count += 1;\n        assert!(value < 30.0, \"too hot\");"));
    let tested = home.run(&["plugin", "test", "--only", "sandbox", "--filter", "spike"]);
    tested.says(1, &["of 1 cases in the sandbox, 0 differ from what they expect and 1 fail"]);
    assert!(tested.out.contains("panicked at src/lib.rs:85:9: too hot\n  row: {\"sensor\":\"north\""), "{}", tested.out);
}

#[test]
fn what_depends_on_the_size_of_batches_fails() {
    let home = Home::with_project("batches");
    home.write(
        "src/lib.rs",
        "//! Emits how many rows each batch has.
use wasmill_sdk::{Batch, Context, NoSettings, Open, Operator, ProcessBatch, Record, Result};

#[derive(Record)]
struct Rows {
    rows: u64,
}

#[derive(Operator)]
struct Spikes {}

impl ProcessBatch for Spikes {
    type Input<'a> = ();
    type Output = Rows;
    type Settings = serde::de::IgnoredAny;

    fn open(_: serde::de::IgnoredAny, _: &mut Open) -> Result<Self> {
        Ok(Self {})
    }

    fn process_batch<'a>(&mut self, batch: Batch<'a, ()>, cx: &mut Context<Self>) -> Result<()> {
        cx.emit(Rows { rows: batch.rows() as u64 });
        Ok(())
    }
}

wasmill_sdk::export!(Spikes);
",
    );
    let tested = home.run(&["plugin", "test", "--only", "sandbox", "--filter", "no-value"]);
    tested.says(1, &["of 1 cases in the sandbox, 0 differ from what they expect and 1 fail"]);
    assert_eq!(
        tested.out,
        r#"case no-value: gives something else with batches of at most 2 rows (+) than of 1024 (-)
  expected.jsonl: 1 changed, 1 unexpected
  -     1 | {"rows":3}
  +     1 | {"rows":2}
          |         ^
          | rows: expected 3, found 2
  +     2 | {"rows":1}
"#
    );
}

#[test]
fn a_plugin_says_what_it_is_and_what_it_declares() {
    let home = Home::with_project("inspect");
    home.run(&["plugin", "inspect", "."]).says(2, &["error[plugin-not-built]: plugin .: dist/inspect.wasm isn't there"]);
    home.run(&["plugin", "build"]).says(0, &[]);
    let text = home.run(&["plugin", "inspect", "."]);
    text.says(0, &[]);
    for part in [
        "  kind: component\n  digest: sha256:",
        "  world: wasmill:plugin/stream-operator@0.1.0\n",
        "  imports:\n    wasmill:plugin/data@0.1.0\n",
        "  exports:\n    wasmill:plugin/operator@0.1.0\n",
        "  declares for cases/no-value, keyed by sensor:\n    reads: value: float64\n    output main: sensor: utf8 not null, at: timestamp, \
         value: float64, usual: float64 not null\n    keeps: seen (version 1, 16 bytes a key)\n",
    ] {
        assert!(text.out.contains(part), "expected:\n{part}\nfound:\n{}", text.out);
    }

    let file = ["plugin", "inspect", "dist/inspect.wasm"];
    assert!(home.run(&file).out.contains("  declares: not asked; say about which input with --schema"));
    let ask = |more: &[&str]| home.run(&[&file[..], &["--format", "json"], more].concat());
    let schema = r#"{"value":"float64","net":"utf8"}"#;
    let json = ask(&["--schema", schema, "--key-by", "net,value", "--settings", r#"{"factor":2}"#]);
    json.says(0, &[]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    let input = serde_json::json!({"name": "input", "reads": [{"name": "value", "type": "float64"}], "key": ["net", "value"]});
    assert_eq!(json["declares"]["inputs"], serde_json::json!([input]));
    assert_eq!(
        json["declares"]["states"],
        serde_json::json!([{"name": "seen", "version": 1, "bytes": 16, "forgotten_by": null}])
    );
    assert_eq!(json["declares"]["timers"], serde_json::json!([]));
    assert_eq!(json["declares"]["outputs"][0]["columns"][2], serde_json::json!({"name": "usual", "type": "float64 not null"}));
    assert!(json["compile_ms"].is_number() && json["cached"].is_boolean() && json["bytes"].is_number(), "{json}");
    ask(&["--schema", schema, "--key-by", "net"]).says(2, &["refuses its settings or input: settings: missing setting `factor`"]);
    ask(&["--schema", "{"]).says(2, &["error[invalid-argument]: --schema: EOF while parsing", "hint: as in --schema '{"]);
}

#[test]
fn a_plugin_with_several_inputs_is_inspected_input_by_input() {
    program::plugin("plugins/match-payments");
    let plugin = from_root("plugins/match-payments").display().to_string();
    let text = Home::new("inspect-inputs").run(&["plugin", "inspect", &plugin]);
    let declares = "  declares for cases/pairs:\n    reads of orders, keyed by id: item: utf8 not null, amount: int64 not null\n    reads of \
                    payments, keyed by order: paid: int64 not null, at: timestamp not null\n    output main: id: int64, item: utf8 \
                    not null, amount: int64 not null, at: timestamp not null\n";
    assert!(text.out.contains(declares), "expected:\n{declares}\nfound:\n{}", text.out);
}

#[test]
fn where_there_is_no_cargo_that_is_said() {
    let home = Home::with_project("no-rust");
    let mut command = home.command(&["plugin", "test", "--only", "native"]);
    Ended::of(command.env("PATH", "/nonexistent").output().expect("the program starts")).says(
        1,
        &[
            "error[native-tests-failed]: plugin .: cargo can't be run: No such file or directory (os error 2)",
            "hint: install Rust (https://rustup.rs), or leave it out with `--only sandbox`",
        ],
    );
}

#[test]
fn every_plugin_gives_in_the_sandbox_what_its_cases_say() {
    let mut plugins = 0;
    for entry in fs::read_dir(from_root("plugins")).expect("plugins") {
        let plugin = entry.expect("an entry").path();
        if !plugin.join("Cargo.toml").is_file() {
            continue;
        }
        let tested = Home::new("plugins").run(&["plugin", "test", "--only", "sandbox", &plugin.display().to_string()]);
        tested.says(0, &[]);
        assert!(tested.out.lines().all(|line| line.ends_with(": ok")) && !tested.out.is_empty(), "{}", tested.out);
        plugins += 1;
    }
    assert!(plugins > 2, "{plugins} plugins");
}
