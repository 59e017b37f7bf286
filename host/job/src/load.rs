//! From the text of a job file to a job, with every problem on the way.

use std::path::Path;

use crate::catalog::Catalog;
use crate::document::{apply_overrides, parse, substitute};
use crate::graph::Job;
use crate::problem::{Problem, Problems};
use crate::read::read;
use crate::validate::{Given, validate};

/// Reads and validates a job file.
///
/// `file` is its name for messages and `dir` its directory: paths in the job are relative to it. `overrides` are `--set`'s dotted
/// paths and YAML values, `parallelism` is `--parallelism`, `default_parallelism` what a job has that doesn't say, `env` looks up a
/// variable. Two paths to one file are seen as one where their text leads to one; pass an absolute `dir` where the job may mix
/// absolute and relative paths.
///
/// Returns the job and its warnings.
///
/// # Errors
/// All problems, at least one of them an error, in the order of the file; those of the command line come first.
#[expect(clippy::too_many_arguments, reason = "each is one thing that the caller hands in, and there is one caller")]
pub fn load(
    text: &str,
    file: &str,
    dir: &Path,
    overrides: &[(String, String)],
    parallelism: Option<u32>,
    default_parallelism: u32,
    env: &dyn Fn(&str) -> Option<String>,
    catalog: &dyn Catalog,
) -> Result<(Job, Vec<Problem>), Vec<Problem>> {
    let mut problems = Problems::new(file);
    let given = Given { text, file, dir, parallelism, default_parallelism, catalog };
    let job = parse(text, None, &mut problems).and_then(|mut root| {
        apply_overrides(&mut root, overrides, &mut problems);
        substitute(&mut root, env, &mut problems);
        let written = read(&root, &mut problems)?;
        validate(&written, &given, &mut problems)
    });
    match job.map(whole_rows_for_dead_letters) {
        Some(job) if !problems.any_error() => Ok((job, problems.into_sorted())),
        _ => Err(problems.into_sorted()),
    }
}

/// A dead letter holds the whole row: where there are dead letters, operators are handed all columns.
fn whole_rows_for_dead_letters(mut job: Job) -> Job {
    if job.dead_letters.is_some() {
        job.operators.iter_mut().flat_map(|operator| &mut operator.inputs).for_each(|input| input.reads = None);
    }
    job
}
