//! `wasmill plugin test`: a plugin's cases in the sandbox and natively, and what is different.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;
use wasmill_job::catalog::PluginProblem;
use wasmill_operator::Port;
use wasmill_plugin::{Component, Plan};
use wasmill_runtime::JobError;

use crate::arguments::{Format, Side, TestArgs};
use crate::exit::Exit;
use crate::plugin_cases::aggregated::Aggregated;
use crate::plugin_cases::case::{self, Case, Outcome};
use crate::plugin_cases::comparison::{Difference, compare};
use crate::plugin_cases::sandboxed::{self, BATCHES};
use crate::plugin_cases::windowed::Windowed;
use crate::plugin_cases::{shown, updated};
use crate::plugin_directory::{self, PluginDirectory};
use crate::signals::Stop;
use crate::{report, sandbox};

/// The variable by which the SDK's harness knows which cases to run.
const FILTER: &str = "WASMILL_CASES";

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Tested {
    ok: bool,
    /// In the sandbox.
    cases: Vec<TestedCase>,
    /// By `cargo test`; none where it wasn't run.
    native: Option<Native>,
}

#[derive(Debug, Serialize)]
struct TestedCase {
    name: String,
    result: CaseResult,
    /// The most rows of a batch with which it came to this.
    batch_rows: usize,
    differences: Vec<Difference>,
    #[serde(serialize_with = "as_object")]
    error: Option<JobError>,
    /// Files that `--update` changed.
    updated: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum CaseResult {
    Ok,
    Differs,
    DependsOnBatchSize,
    Failed,
}

#[derive(Debug, Serialize)]
struct Native {
    ok: bool,
    tests: usize,
}

fn as_object<S: serde::Serializer>(error: &Option<JobError>, serializer: S) -> Result<S::Ok, S::Error> {
    let object = error.as_ref().map(|JobError { code, message, row, hint, .. }| {
        let row: Option<serde_json::Value> = row.as_deref().and_then(|row| serde_json::from_str(row).ok());
        serde_json::json!({ "code": code, "message": message, "row": row, "hint": hint })
    });
    object.serialize(serializer)
}

/// Runs a plugin's cases and says how they differ; exit code 1 where one does, 2 where one can't be read.
pub fn test(args: &TestArgs) -> Exit {
    match tested(args) {
        Ok(tested) => said(&tested, args.format),
        Err((exit, error)) => {
            report::error(&error);
            exit
        }
    }
}

fn tested(args: &TestArgs) -> Result<Tested, (Exit, Box<JobError>)> {
    let wrong = |problem| (Exit::Wrong, Box::new(report::of_plugin(problem)));
    let failed = |error| (Exit::Failed, Box::new(error));
    let unbuilt = |problem| failed(report::of_plugin(problem));
    let directory = PluginDirectory::checked(&args.directory).map_err(wrong)?;
    let mut cases = Vec::new();
    if args.only != Some(Side::Native) {
        let read = case::all(&args.directory, args.filter.as_deref()).map_err(wrong)?;
        let file = plugin_directory::prepare(true, Stop::never())(&args.directory).map_err(unbuilt)?;
        let component = sandbox::start().and_then(|sandbox| sandbox.load(&file));
        let component = component.map_err(|error| failed(report::of_plugin_error(error)))?;
        for case in &read {
            cases.push(test_case(&component, &directory.name, case, args.update).map_err(wrong)?);
        }
    } else if args.filter.is_some() {
        // A filter that no case meets would test nothing natively either, and find it right.
        case::all(&args.directory, args.filter.as_deref()).map_err(wrong)?;
    }
    let native = match args.only {
        Some(Side::Sandbox) => None,
        None if !directory.has_sources() => {
            report::note("natively: not run, there is no Cargo.toml");
            None
        }
        _ => Some(natively(&args.directory, args.filter.as_deref()).map_err(failed)?),
    };
    let ok = cases.iter().all(|case| case.result == CaseResult::Ok) && native.as_ref().is_none_or(|native| native.ok);
    Ok(Tested { ok, cases, native })
}

/// What a case is tried with.
enum Tried<'a> {
    Operator(Box<Plan>),
    Aggregate(Box<Aggregated<'a>>),
    Window(Box<Windowed<'a>>),
}

impl<'a> Tried<'a> {
    fn of(component: &'a Component, case: &'a Case, plugin: &str) -> Result<Self, PluginProblem> {
        Ok(if component.is_aggregate() {
            Self::Aggregate(Box::new(Aggregated::new(component, case, plugin)?))
        } else if component.is_window() {
            Self::Window(Box::new(Windowed::new(component, case, plugin)?))
        } else {
            Self::Operator(Box::new(sandboxed::plan(component, case)?))
        })
    }

    fn ports(&self) -> Vec<Port> {
        match self {
            Self::Operator(plan) => plan.declaration.ports.clone(),
            Self::Aggregate(aggregated) => aggregated.ports(),
            Self::Window(windowed) => windowed.ports(),
        }
    }

    fn run(&self, component: &Component, case: &Case, plugin: &str, most: usize) -> Result<Outcome, JobError> {
        match self {
            Self::Operator(plan) => sandboxed::run(component, plan, case, plugin, most),
            Self::Aggregate(aggregated) => aggregated.run(most),
            Self::Window(windowed) => windowed.run(most),
        }
    }
}

/// Runs a case with batches of each size. What doesn't depend on it is compared with what is expected.
fn test_case(component: &Component, plugin: &str, case: &Case, update: bool) -> Result<TestedCase, PluginProblem> {
    let done = |result, batch_rows| TestedCase {
        name: case.name.clone(),
        result,
        batch_rows,
        differences: Vec::new(),
        error: None,
        updated: Vec::new(),
    };
    let failed = |error, rows| TestedCase { error: Some(error), ..done(CaseResult::Failed, rows) };
    let tried = match Tried::of(component, case, plugin) {
        Ok(tried) => tried,
        Err(problem) => return Ok(failed(report::of_plugin(problem), BATCHES[0])),
    };
    let mut outcomes = Vec::new();
    for rows in BATCHES {
        match tried.run(component, case, plugin, rows) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => return Ok(failed(error, rows)),
        }
    }
    let first = &outcomes[0];
    for (outcome, rows) in outcomes.iter().zip(BATCHES).skip(1) {
        let differences = compare(first, outcome);
        if !differences.is_empty() {
            return Ok(TestedCase { differences, ..done(CaseResult::DependsOnBatchSize, rows) });
        }
    }
    if update {
        return Ok(TestedCase { updated: updated::update(case, first)?, ..done(CaseResult::Ok, BATCHES[0]) });
    }
    let Some(expected) = case.expected(&tried.ports())? else {
        let mut error = JobError::new("invalid-case", format!("{}: has no expected.jsonl", case.folder.display()));
        error.hint = Some("write it, or have `wasmill plugin test --update` write what comes out".to_owned());
        return Ok(failed(error, BATCHES[0]));
    };
    let differences = compare(&expected, first);
    let result = if differences.is_empty() { CaseResult::Ok } else { CaseResult::Differs };
    Ok(TestedCase { differences, ..done(result, BATCHES[0]) })
}

/// Runs the plugin's own tests, which run the cases under the harness.
fn natively(directory: &Path, filter: Option<&str>) -> Result<Native, JobError> {
    report::note("natively: cargo test");
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--quiet"]).current_dir(directory).stdin(Stdio::null()).stderr(Stdio::inherit());
    if let Some(filter) = filter {
        cargo.env(FILTER, filter);
    }
    let done = cargo.output().map_err(|error| JobError {
        hint: Some("install Rust (https://rustup.rs), or leave it out with `--only sandbox`".to_owned()),
        ..JobError::new("native-tests-failed", format!("plugin {}: cargo can't be run: {error}", directory.display()))
    })?;
    let printed = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        report::say(printed.trim_end());
    }
    Ok(Native { ok: done.status.success(), tests: passed(&printed) })
}

/// How many tests Cargo says have passed.
fn passed(printed: &str) -> usize {
    let results = printed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<usize>().ok());
    results.sum()
}

fn said(tested: &Tested, format: Format) -> Exit {
    let printed = report::result(&match format {
        Format::Text => as_text(tested),
        Format::Json => format!("{}\n", serde_json::to_string(tested).unwrap_or_default()),
    });
    if tested.ok {
        return printed;
    }
    report::error(&why(tested));
    Exit::Failed
}

fn as_text(tested: &Tested) -> String {
    let mut text = String::new();
    for TestedCase { name, result, batch_rows, differences, error, updated } in &tested.cases {
        let how = match result {
            CaseResult::Ok if !updated.is_empty() => format!("wrote {}", updated.join(", ")),
            CaseResult::Ok => "ok".to_owned(),
            CaseResult::Differs => "differs".to_owned(),
            CaseResult::DependsOnBatchSize => {
                format!("gives something else with batches of at most {batch_rows} rows (+) than of {} (-)", BATCHES[0])
            }
            CaseResult::Failed => "failed".to_owned(),
        };
        text.push_str(&format!("case {name}: {how}\n"));
        differences.iter().for_each(|difference| text.push_str(&shown::shown(difference)));
        if let Some(JobError { message, row, hint, .. }) = error {
            text.push_str(&format!("  {message}\n"));
            for (what, value) in [("row", row), ("hint", hint)] {
                text.extend(value.as_ref().map(|value| format!("  {what}: {value}\n")));
            }
        }
    }
    if let Some(Native { ok, tests }) = &tested.native {
        text.push_str(&if *ok {
            format!("natively: {tests} tests ok\n")
        } else {
            "natively: failed, as said above\n".to_owned()
        });
    }
    text
}

fn why(tested: &Tested) -> JobError {
    let of = |result| tested.cases.iter().filter(|case| case.result == result).count();
    let (differ, failed) = (of(CaseResult::Differs), of(CaseResult::Failed) + of(CaseResult::DependsOnBatchSize));
    let all = tested.cases.len();
    if differ + failed == 0 {
        let hint = "what Cargo printed above says which test; a case that is right in the sandbox and not natively, or the other way \
                    round, depends on something other than its rows: the clock, or what an instance remembers outside of its states";
        return JobError {
            hint: Some(hint.to_owned()),
            ..JobError::new("native-tests-failed", "the plugin's tests fail natively")
        };
    }
    let hint = "- is expected and + is what came; where what came is right, `wasmill plugin test --update` writes it".to_owned();
    JobError {
        hint: (differ > 0).then_some(hint),
        ..JobError::new(
            "cases-differ",
            format!("of {all} cases in the sandbox, {differ} differ from what they expect and {failed} fail"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_passed_are_counted() {
        let printed =
            "\nrunning 3 tests\n...\ntest result: ok. 3 passed; 0 failed; 0 ignored\n\ntest result: ok. 1 passed; 0 failed\n";
        assert_eq!(passed(printed), 4);
        assert_eq!(passed("error: test failed"), 0);
    }
}
