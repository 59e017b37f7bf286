//! `wasmill schema infer`: the columns of a file, to paste into a job.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
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
    columns: Vec<Column<'a>>,
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    written: &'a str,
    /// Values that don't fit the type, where there are some.
    misfits: Option<&'a str>,
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
            // That of a file that isn't there is about job files.
            told.hint = error.hint.filter(|_| error.code != "file-not-found");
            report::error(&told);
            Exit::Failed
        }
    }
}

fn print(args: &InferArgs, file: &str, found: &Inferred) -> Exit {
    if let Some((line, reason)) = &found.first_malformed {
        report::note(&format!("{} malformed, the first is {file}:{line}: {reason}", rows(found.malformed)));
    }
    for InferredColumn { name, misfits, .. } in &found.columns {
        if let Some(misfits) = misfits {
            report::note(&format!("{name}: not all values are of one type, there are {misfits}: those rows would be malformed"));
        }
    }
    let looked = rows(found.rows + found.malformed);
    let which = if found.complete { "all there are" } else { "the first; `--rows N` looks at more" };
    report::note(&format!("{file}: looked at {looked}, {which}"));
    if found.columns.is_empty() {
        report::error(&JobError::new("no-columns", format!("{file}: expected rows, found none")));
        return Exit::Failed;
    }
    match args.format {
        Format::Text => report::result(&text(&found.columns)),
        Format::Json => {
            let format = if found.format == InferredFormat::Json { "json" } else { "csv" };
            let columns = found.columns.iter();
            let columns =
                columns.map(|InferredColumn { name, written, misfits }| Column { name, written, misfits: misfits.as_deref() });
            let columns = columns.collect();
            let (rows, complete, malformed) = (found.rows, found.complete, found.malformed);
            let found = Found { file: file.to_owned(), format, rows, complete, malformed, columns };
            report::result(&format!("{}\n", serde_json::to_string(&found).unwrap_or_default()))
        }
    }
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
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
