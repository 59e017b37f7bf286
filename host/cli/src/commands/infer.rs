//! `wasmill schema infer`: the columns of a file, to paste into a job.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use wasmill_connector::columnar::ColumnarIn;
use wasmill_connector::file::{Compressed, FilePath};
use wasmill_connector::inference::{self, Inferred, InferredColumn, InferredFormat};
use wasmill_flow::column_type::parse_field;
use wasmill_runtime::JobError;

use crate::arguments::{FileFormat, Format, InferArgs};
use crate::exit::Exit;
use crate::report;

/// What `--format json` prints.
#[derive(Serialize)]
struct Found<'a> {
    file: String,
    format: &'static str,
    /// Rows that were looked at, and whether those are all; none in a file that brings its columns.
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
    let format = match (args.format_of_file, args.delimiter) {
        (Some(FileFormat::Json), _) => Some(InferredFormat::Json),
        (Some(FileFormat::Parquet), _) => Some(InferredFormat::Columnar(ColumnarIn::Parquet)),
        (Some(FileFormat::Arrow), _) => Some(InferredFormat::Columnar(ColumnarIn::Arrow)),
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
            let told = match found.format {
                InferredFormat::Columnar(_) => format!("{name}: {misfits}"),
                _ => format!("{name}: not all values are of one type, there are {misfits}: those rows would be malformed"),
            };
            report::note(&told);
        }
    }
    if let InferredFormat::Columnar(_) = found.format {
        report::note(&format!("{file}: brings these columns itself; a `schema` in the job is for reading some of them"));
    } else {
        let looked = rows(found.rows + found.malformed);
        let which = if found.complete { "all there are" } else { "the first; `--rows N` looks at more" };
        report::note(&format!("{file}: looked at {looked}, {which}"));
    }
    if found.columns.is_empty() {
        report::error(&JobError::new("no-columns", format!("{file}: expected rows, found none")));
        return Exit::Failed;
    }
    match args.format {
        Format::Text => report::result(&text(&found.columns)),
        Format::Json => {
            let format = match found.format {
                InferredFormat::Json => "json",
                InferredFormat::Csv(_) => "csv",
                InferredFormat::Columnar(ColumnarIn::Parquet) => "parquet",
                InferredFormat::Columnar(ColumnarIn::Arrow) => "arrow",
            };
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

/// The columns as YAML; those of types that columns can't have as comments: a struct of which no field was seen, what is nested too
/// deeply, a type of Arrow that rows don't have.
fn text(columns: &[InferredColumn]) -> String {
    let mut text = "schema:\n".to_owned();
    for InferredColumn { name, written, .. } in columns {
        let (before, after) = match parse_field(name, written) {
            Ok(_) => ("", ""),
            Err(_) => ("# ", "   # no type of a column"),
        };
        // Types have no quotes but those around names of fields.
        let written = match (written.contains([':', ',']), written.contains('"')) {
            (_, true) => format!("'{}'", written.replace('\'', "''")),
            (true, false) => format!("\"{written}\""),
            (false, false) => written.clone(),
        };
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
