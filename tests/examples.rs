//! Every example gives what its `expected` folder says: at one task line by line, at two in any order.
//!
//! A file in `expected` is named as the sink whose output it is; `dead-letters` is the job's dead letters, which come in any order. The rows of
//! `clean.parquet` are in `clean.parquet.ndjson`. `set` has a line for each `--set`, as to end what follows its input for good; `any-order` one
//! for each sink whose rows come in any order at one task, too, since they are of several sources.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const DEAD_LETTERS: &str = "dead-letters";

fn entries_of(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let entries: BTreeSet<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    entries.into_iter().collect()
}

fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package lies two folders below the root");
    let examples: Vec<_> = entries_of(&root.join("examples")).into_iter().filter(|path| path.is_dir()).collect();
    assert!(!examples.is_empty(), "there are no examples");
    examples
}

fn name(path: &Path) -> String {
    let file = path.file_name().expect("a name").to_string_lossy().into_owned();
    file.split('.').next().expect("a name").to_owned()
}

/// The file that a sink writes, of that with the rows it must have.
fn output_of(expected: &Path, out: &Path) -> PathBuf {
    let file = expected.file_name().expect("a name").to_string_lossy();
    out.join(file.strip_suffix(".ndjson").filter(|file| file.ends_with(".parquet")).unwrap_or(&file))
}

/// Writes the rows of a file of columns beside it, as JSON lines.
fn as_lines(columns: &Path) -> PathBuf {
    let lines = columns.with_extension("parquet.ndjson");
    let job = columns.with_extension("yaml");
    let text = format!(
        "name: lines
sources: {{ rows: {{ connector: file, path: '{}', format: parquet }} }}
sinks: {{ lines: {{ input: rows, connector: file, path: '{}', format: json }} }}
",
        columns.display(),
        lines.display()
    );
    std::fs::write(&job, text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_wasmill")).arg("run").arg(&job).output().expect("the command starts");
    assert!(output.status.success(), "{}: {}", columns.display(), String::from_utf8_lossy(&output.stderr));
    lines
}

/// Lines of a file, without their ends, as bytes that may not be text.
fn lines(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{}: the last line is cut off", path.display());
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

/// Runs an example with its outputs in `out`.
fn run(example: &Path, out: &Path, parallelism: usize) {
    let _ = std::fs::remove_dir_all(out);
    std::fs::create_dir_all(out).expect("a folder for outputs");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasmill"));
    command.arg("run").arg(example.join("job.yaml")).args(["--parallelism", &parallelism.to_string()]);
    for expected in entries_of(&example.join("expected")) {
        let sink = name(&expected);
        let key = if sink == DEAD_LETTERS { sink } else { format!("sinks.{sink}") };
        let path = output_of(&expected, out);
        command.arg("--set").arg(format!("{key}.path={}", path.display()));
    }
    let set = std::fs::read_to_string(example.join("set")).unwrap_or_default();
    command.args(set.lines().flat_map(|line| ["--set", line]));
    let output = command.output().expect("the command starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} with {parallelism} tasks: {}\n{said}", example.display(), output.status);
}

/// Compares an example's outputs with what is expected.
fn compare(example: &Path, out: &Path, in_order: bool) {
    let any_order = std::fs::read_to_string(example.join("any-order")).unwrap_or_default();
    let any_order: Vec<_> = any_order.lines().chain([DEAD_LETTERS]).collect();
    for expected in entries_of(&example.join("expected")) {
        let found = output_of(&expected, out);
        let found = if found.extension().is_some_and(|end| end == "parquet") { as_lines(&found) } else { found };
        let (mut wanted, mut got) = (lines(&expected), lines(&found));
        let in_order = in_order && !any_order.contains(&name(&expected).as_str());
        if !in_order {
            wanted.sort_unstable();
            got.sort_unstable();
        }
        let differs = wanted.iter().zip(&got).position(|(wanted, got)| wanted != got);
        let at = differs.or_else(|| (wanted.len() != got.len()).then(|| wanted.len().min(got.len())));
        if let Some(at) = at {
            let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "nothing".to_owned());
            panic!(
                "{}: {} lines, expected {}; line {}{} is\n{}\nexpected\n{}",
                found.display(),
                got.len(),
                wanted.len(),
                at + 1,
                if in_order { "" } else { " when sorted" },
                line(&got),
                line(&wanted)
            );
        }
    }
}

#[test]
fn every_example_gives_what_it_says() {
    for example in examples() {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples").join(example.file_name().expect("a name"));
        run(&example, &out.join("one-task"), 1);
        compare(&example, &out.join("one-task"), true);
        run(&example, &out.join("two-tasks"), 2);
        compare(&example, &out.join("two-tasks"), false);
    }
}

#[test]
fn every_example_has_a_job_a_readme_and_outputs_to_compare_with() {
    for example in examples() {
        for part in ["job.yaml", "README.md", "expected"] {
            assert!(example.join(part).exists(), "{} has no {part}", example.display());
        }
        assert!(!entries_of(&example.join("expected")).is_empty(), "{} expects nothing", example.display());
    }
}
