//! Runs an operator natively over the cases that `wasmill plugin test` runs in the sandbox.
//!
//! A case is a folder: `input.jsonl` has the rows in, `expected.jsonl` those of the main output, `expected.PORT.jsonl` those of another
//! output and `dead.jsonl` what is rejected, a JSON object a line. `case.json` says what the rows are:
//!
//! ```json
//! { "schema": { "sensor": "utf8 not null", "value": "float64" }, "key-by": ["sensor"], "settings": { "factor": 2 } }
//! ```
//!
//! Each of its keys may also stand in a `case.json` beside the folders, which is for all cases; a case's own comes first. Types are
//! written as in a job. Each case runs with batches of at most 1,024, 2 and 1 rows, and must give the same.
//!
//! In a plugin's tests:
//!
//! ```
//! # use wasmill_sdk::{Context, NoSettings, Open, Operator, Process, Record, Result};
//! # #[derive(Record)] struct Row { n: i64 }
//! # #[derive(Operator)] struct Doubled {}
//! # impl Process for Doubled {
//! #     type Input<'a> = Row;
//! #     type Output = Row;
//! #     type Settings = NoSettings;
//! #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self {}) }
//! #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> { cx.emit(Row { n: 2 * row.n }); Ok(()) }
//! # }
//! // under #[test]
//! fn every_case_gives_what_it_says() {
//!     wasmill_sdk::harness::cases::check::<Doubled>("cases");
//! }
//! ```
//!
//! Time moves on where `input.jsonl` says so: a line `{"@watermark": "2018-02-07T18:00:00Z"}` among the rows brings event time as far as
//! that, and `{"@clock": …}` the host's clock, which stands at the epoch before; timers that are due fire there. The end of the rows is the
//! end of input: all timers of event time fire, those of processing time are dropped.

mod aggregated;
mod case;
mod cell;
mod columns;
mod run;
mod time;
mod windowed;

use std::fmt::Write as _;
use std::path::Path;

use crate::aggregate::Aggregate;
use crate::error::Result;
use crate::process_batch::ProcessBatch;
use crate::window::WindowFunction;

use case::Case;
use run::Outcome;

/// The environment variable with a part of the names of those cases that are run: what `wasmill plugin test --filter` sets.
///
/// ```
/// assert_eq!(wasmill_sdk::harness::cases::FILTER, "WASMILL_CASES");
/// ```
pub const FILTER: &str = "WASMILL_CASES";

/// The most rows of a batch, each time that a case is run.
const BATCHES: [usize; 3] = [1_024, 2, 1];

/// The most differences of a case that are shown.
const SHOWN: usize = 10;

/// Runs the operator natively over each case of a folder, and panics with all differences if there are any. Without a case it
/// panics, too, unless [`FILTER`] is set.
///
/// # Panics
/// Where a case gives something else than it says, or can't be read.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct Same {}
/// # impl Process for Same {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self {}) }
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> { cx.emit(row); Ok(()) }
/// # }
/// # fn main() -> std::io::Result<()> {
/// let cases = std::env::temp_dir().join(format!("wasmill-sdk-cases-{}", std::process::id()));
/// # std::fs::create_dir_all(cases.join("one"))?;
/// std::fs::write(cases.join("case.json"), r#"{ "schema": { "n": "int64 not null" } }"#)?;
/// std::fs::write(cases.join("one/input.jsonl"), "{\"n\":1}\n")?;
/// std::fs::write(cases.join("one/expected.jsonl"), "{\"n\":1}\n")?;
/// wasmill_sdk::harness::cases::check::<Same>(&cases);
/// # std::fs::remove_dir_all(cases)
/// # }
/// ```
#[track_caller]
pub fn check<P: ProcessBatch>(folder: impl AsRef<Path>) {
    checked(folder.as_ref(), differences_of::<P>);
}

/// The same for an aggregate function: `schema` has the columns that it is over, and those of `key-by`, if any; `expected.jsonl` has a row for
/// each row in, of the key's columns and `value`, what the function comes to after that row. What half of the rows come to is merged with
/// what the others come to, too, and must come to the same: to a billionth, where values are floats, whose sums depend on their order.
///
/// # Panics
/// As [`check`].
///
/// ```
/// # use wasmill_sdk::{Aggregate, Record, Result};
/// # #[derive(Record)] struct Row { n: i64 }
/// # struct Sum;
/// # impl Aggregate for Sum {
/// #     const NAME: &'static str = "sum";
/// #     type Input<'a> = Row;
/// #     type Accumulator = i64;
/// #     type Output = i64;
/// #     type Settings = wasmill_sdk::NoSettings;
/// #     fn open(_: wasmill_sdk::NoSettings) -> Result<Self> { Ok(Self) }
/// #     fn add(&self, sum: &mut i64, row: Row) -> Result<()> { *sum += row.n; Ok(()) }
/// #     fn merge(&self, sum: &mut i64, other: i64) { *sum += other }
/// #     fn finish(&self, sum: &i64) -> i64 { *sum }
/// # }
/// # fn main() -> std::io::Result<()> {
/// let cases = std::env::temp_dir().join(format!("wasmill-sdk-sums-{}", std::process::id()));
/// # std::fs::create_dir_all(cases.join("one"))?;
/// std::fs::write(cases.join("case.json"), r#"{ "schema": { "k": "utf8", "n": "int64 not null" }, "key-by": ["k"] }"#)?;
/// std::fs::write(cases.join("one/input.jsonl"), "{\"k\":\"a\",\"n\":1}\n{\"k\":\"a\",\"n\":2}\n")?;
/// std::fs::write(cases.join("one/expected.jsonl"), "{\"k\":\"a\",\"value\":1}\n{\"k\":\"a\",\"value\":3}\n")?;
/// wasmill_sdk::harness::cases::check_aggregate::<Sum>(&cases);
/// # std::fs::remove_dir_all(cases)
/// # }
/// ```
#[track_caller]
pub fn check_aggregate<A: Aggregate>(folder: impl AsRef<Path>) {
    checked(folder.as_ref(), aggregated::differences_of::<A>);
}

/// The same for a window function: the rows of a case are those of one window for each key. Where `{"@watermark": …}` stands among them, rows
/// up to there are those of windows that end then, and began at the one before, or at the epoch; none follow the last. `expected.jsonl` has the
/// columns of `key-by`, if any, and those that the function gives, of windows in the order of their keys' first rows.
///
/// # Panics
/// As [`check`].
///
/// ```
/// # use wasmill_sdk::{Given, NoSettings, Record, Result, Window, WindowFunction};
/// # #[derive(Record)] struct Row { n: i64 }
/// # struct Longest;
/// # impl WindowFunction for Longest {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings) -> Result<Self> { Ok(Self) }
/// #     fn fire<'a>(&mut self, window: &Window<'a, Row>, given: &mut Given<Row>) -> Result<()> {
/// #         given.row(Row { n: window.rows().map(|row| row.n).max().unwrap_or(0) });
/// #         Ok(())
/// #     }
/// # }
/// # fn main() -> std::io::Result<()> {
/// let cases = std::env::temp_dir().join(format!("wasmill-sdk-windows-{}", std::process::id()));
/// # std::fs::create_dir_all(cases.join("one"))?;
/// std::fs::write(cases.join("case.json"), r#"{ "schema": { "k": "utf8", "n": "int64 not null" }, "key-by": ["k"] }"#)?;
/// std::fs::write(cases.join("one/input.jsonl"), "{\"k\":\"a\",\"n\":1}\n{\"k\":\"a\",\"n\":2}\n")?;
/// std::fs::write(cases.join("one/expected.jsonl"), "{\"k\":\"a\",\"n\":2}\n")?;
/// wasmill_sdk::harness::cases::check_window::<Longest>(&cases);
/// # std::fs::remove_dir_all(cases)
/// # }
/// ```
#[track_caller]
pub fn check_window<F: WindowFunction>(folder: impl AsRef<Path>) {
    checked(folder.as_ref(), windowed::differences_of::<F>);
}

/// Panics with all differences of a folder's cases.
#[track_caller]
fn checked(folder: &Path, differences_of: impl Fn(&Case) -> Result<Vec<String>>) {
    let filter = std::env::var(FILTER).ok();
    let wrong = match differences(folder, filter.as_deref(), differences_of) {
        Ok(wrong) => wrong,
        Err(error) => panic!("{}", error.message()),
    };
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What is different in the cases of a folder, in words; nothing where nothing is.
fn differences(folder: &Path, filter: Option<&str>, differences_of: impl Fn(&Case) -> Result<Vec<String>>) -> Result<String> {
    let mut wrong = String::new();
    for case in Case::all(folder, filter)? {
        let found = match differences_of(&case) {
            Ok(found) => found,
            Err(error) => vec![error.message().to_owned()],
        };
        for line in found.iter().take(SHOWN) {
            // Writing to a string can't fail.
            let _ = writeln!(wrong, "case {}: {line}", case.name);
        }
        if found.len() > SHOWN {
            let _ = writeln!(wrong, "case {}: and {} more", case.name, found.len() - SHOWN);
        }
    }
    Ok(wrong)
}

fn differences_of<P: ProcessBatch>(case: &Case) -> Result<Vec<String>> {
    with_batches(|| run::expected::<P>(case), |rows| run::run::<P>(case, rows))
}

/// What differs from what is expected, or between batches of different sizes.
fn with_batches(expected: impl FnOnce() -> Result<Outcome>, run: impl Fn(usize) -> Result<Outcome>) -> Result<Vec<String>> {
    let (mut first, mut expected): (Option<Outcome>, _) = (None, Some(expected));
    for rows in BATCHES {
        let found = run(rows)?;
        match &first {
            None => {
                let expected = expected.take().map_or_else(|| Ok(Outcome::new()), |expected| expected())?;
                let wrong = compare(&expected, &found);
                if !wrong.is_empty() {
                    return Ok(wrong);
                }
                first = Some(found);
            }
            Some(first) if *first != found => {
                let mut wrong = vec![format!("gives something else with batches of at most {rows} rows than of {}:", BATCHES[0])];
                wrong.extend(compare(first, &found));
                return Ok(wrong);
            }
            Some(_) => {}
        }
    }
    Ok(Vec::new())
}

/// What differs between two outcomes of the same outputs, a line each.
fn compare(expected: &Outcome, found: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, rows) in expected {
        let empty = Vec::new();
        let got = found.get(file).unwrap_or(&empty);
        for at in 0..rows.len().max(got.len()) {
            match (rows.get(at), got.get(at)) {
                (Some(expected), Some(found)) if expected == found => {}
                (Some(expected), Some(found)) => {
                    wrong.push(format!("{file}: row {}:\n  expected {expected}\n  found    {found}", at + 1));
                }
                (Some(expected), None) => wrong.push(format!("{file}: row {} is missing: {expected}", at + 1)),
                (None, Some(found)) => wrong.push(format!("{file}: row {} is too many: {found}", at + 1)),
                (None, None) => {}
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests;
