//! `wasmill schema infer`: the columns of a file, to paste into a job.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};
use wasmill_connector::file::{Compressed, FilePath};
use wasmill_connector::inference::{self, Inferred, InferredColumn, InferredFormat};
use wasmill_flow::column_type::{TypeError, parse_field};
use wasmill_runtime::JobError;

use crate::arguments::{FileFormat, Format, InferArgs};
use crate::exit::Exit;
use crate::later::not_in_this_version;
use crate::report;

/// Formats that bring a schema of their own.
const COLUMNAR: [&str; 3] = ["parquet", "arrow", "feather"];

/// What `--format json` prints.
#[derive(Serialize)]
struct Found<'a> {
    file: String,
    format: &'static str,
    /// Rows that were looked at, and whether those are all.
    rows: u64,
    complete: bool,
    malformed: u64,
    schema: Map<String, Value>,
    misfits: Vec<Misfits<'a>>,
}

#[derive(Serialize)]
struct Misfits<'a> {
    column: &'a str,
    found: &'a str,
}

/// Looks at a file and prints what columns it has.
pub fn infer(args: &InferArgs) -> Exit {
    let written = args.file.display().to_string();
    let extension = args.file.extension().and_then(|extension| extension.to_str());
    if args.format_of_file.is_none() && extension.is_some_and(|extension| COLUMNAR.contains(&extension)) {
        return not_in_this_version(
            &format!("{written}: the schema of a columnar file"),
            Some("such a file brings its schema with it"),
        );
    }
    let format = match (args.format_of_file, args.delimiter) {
        (Some(FileFormat::Json), _) => Some(InferredFormat::Json),
        (Some(FileFormat::Csv), delimiter) => Some(InferredFormat::Csv(delimiter.unwrap_or(b','))),
        (None, delimiter) => delimiter.map(InferredFormat::Csv),
    };
    let file = FilePath { written: written.clone(), path: args.file.clone() };
    match inference::infer(&file, Compressed::ByExtension, format, args.rows) {
        Ok(found) => print(args, &written, &found),
        Err(error) => {
            let mut told = JobError::new(error.code, error.message);
            told.hint = error.hint;
            report::error(&told);
            Exit::Failed
        }
    }
}

fn print(args: &InferArgs, file: &str, found: &Inferred) -> Exit {
    if let Some((line, reason)) = &found.first_malformed {
        report::note(&format!("{} rows are malformed, the first is {file}:{line}: {reason}", found.malformed));
    }
    let misfits = || found.columns.iter().filter_map(|column| Some((column.name.as_str(), column.misfits.as_deref()?)));
    for (column, misfits) in misfits() {
        report::note(&format!("{column}: not all values are of one type, there are {misfits}: those rows would be malformed"));
    }
    let looked = if found.complete { "all" } else { "the first" };
    report::note(&format!("looked at {looked} {} rows of {file}", found.rows + found.malformed));
    if found.columns.is_empty() {
        report::error(&JobError::new("no-columns", format!("{file}: expected rows, found none")));
        return Exit::Failed;
    }
    match args.format {
        Format::Text => report::result(&text(&found.columns)),
        Format::Json => {
            let format = if found.format == InferredFormat::Json { "json" } else { "csv" };
            let schema = found.columns.iter().map(|column| (column.name.clone(), column.written.clone().into())).collect();
            let misfits = misfits().map(|(column, found)| Misfits { column, found }).collect();
            let (rows, complete, malformed) = (found.rows, found.complete, found.malformed);
            let found = Found { file: file.to_owned(), format, rows, complete, malformed, schema, misfits };
            report::result(&format!("{}\n", serde_json::to_string(&found).unwrap_or_default()))
        }
    }
}

/// The columns as YAML; those of types that jobs can't have yet as comments.
fn text(columns: &[InferredColumn]) -> String {
    let mut text = "schema:\n".to_owned();
    for InferredColumn { name, written, .. } in columns {
        let later = matches!(parse_field(name, written), Err(TypeError::NotYet { .. }));
        let (before, after) = if later { ("# ", "   # not in this version") } else { ("", "") };
        let written = if written.contains([':', ',']) { format!("\"{written}\"") } else { written.clone() };
        let _ = writeln!(text, "  {before}{}: {written}{after}", key(name));
    }
    text
}

/// A name as a key of YAML: in quotes where it could be read as something else.
fn key(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_' || character == '-');
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name.to_ascii_lowercase().as_str());
    if plain && !word { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_printed_as_a_job_has_them() {
        let column = |name: &str, written: &str| InferredColumn { name: name.into(), written: written.into(), misfits: None };
        let columns = [column("id", "utf8 not null"), column("a b", "int64"), column("on", "boolean"), column("\"", "date")];
        assert_eq!(text(&columns), "schema:\n  id: utf8 not null\n  \"a b\": int64\n  \"on\": boolean\n  \"\\\"\": date\n");
    }
}
