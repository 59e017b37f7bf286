//! A catalog without an SQL engine and without Wasm, and the ways in which the tests load jobs.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;
use wasmill_job::catalog::{
    Catalog, Checked, ColumnarFile, ExpressionProblem, FileProblem, InputSchema, PluginDeclared, PluginProblem, WindowDeclared,
};
use wasmill_job::graph::{Aggregate, Job, Limits, Port};
use wasmill_job::{load, render};

/// Knows `column`, `column OPERATOR anything`, `[a list]`, `odd` of a type that no column has, numbers; `count(*)`, `max(column)`; and plugins by their path's end.
pub struct Fake;

impl Catalog for Fake {
    fn expression(&self, text: &str, input: &Schema) -> Result<Checked, ExpressionProblem> {
        let text_of_column = text.split(' ').next().unwrap_or_default();
        if text.starts_with('[') {
            let item = Arc::new(Field::new("item", DataType::Int64, true));
            return Ok(Checked { field: Field::new("x", DataType::List(item), true), reads: vec![] });
        }
        if text == "odd" {
            return Ok(Checked { field: Field::new("x", DataType::Int8, true), reads: vec![] });
        }
        if text.parse::<f64>().is_ok() {
            return Ok(Checked { field: Field::new("x", DataType::Float64, false), reads: vec![] });
        }
        let index = column(text_of_column, 0, input)?;
        let rest = &text[text_of_column.len()..];
        let field = match rest.split_whitespace().count() {
            0 => input.field(index).clone(),
            2 => Field::new("x", DataType::Boolean, input.field(index).is_nullable()),
            _ => {
                let message = "an operator without a right side".to_owned();
                let suggestion = Some("write what it is compared with".to_owned());
                return Err(ExpressionProblem::Invalid { message, span: Some(text_of_column.len() + 1..text.len()), suggestion });
            }
        };
        Ok(Checked { field, reads: vec![index] })
    }

    fn aggregate(&self, text: &str, input: &Schema) -> Result<Checked, ExpressionProblem> {
        if text == "count(*)" {
            return Ok(Checked { field: Field::new("x", DataType::Int64, false), reads: vec![] });
        }
        match text.strip_prefix("max(").and_then(|rest| rest.strip_suffix(')')) {
            Some(name) => {
                let index = column(name, 4, input)?;
                Ok(Checked { field: input.field(index).as_ref().clone().with_nullable(true), reads: vec![index] })
            }
            None => {
                let message = format!("`{text}` is no aggregate");
                Err(ExpressionProblem::Invalid { message, span: None, suggestion: None })
            }
        }
    }

    fn aggregate_plugin(&self, path: &Path, _: &Value, arguments: &Schema, _: &Limits) -> Result<Field, PluginProblem> {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("energy") => Ok(Field::new("energy", arguments.field(0).data_type().clone(), true)),
            _ => Err(PluginProblem { code: "plugin-not-found", message: format!("there is no {}", path.display()), hint: None }),
        }
    }

    fn window_plugin(&self, path: &Path, _: &Value, rows: &SchemaRef, _: &Limits) -> Result<WindowDeclared, PluginProblem> {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("paths") => Ok(WindowDeclared { gives: vec![Field::new("pages", DataType::Int64, false)], reads: vec![0] }),
            Some("twice") => Ok(WindowDeclared { gives: vec![rows.field(0).clone()], reads: vec![0] }),
            _ => Err(PluginProblem { code: "plugin-not-found", message: format!("there is no {}", path.display()), hint: None }),
        }
    }

    /// Those of text are put together of parts.
    fn combines(&self, aggregate: &Aggregate, _: &Schema) -> bool {
        matches!(aggregate, Aggregate::Sql(_))
    }

    fn columns(&self, file: &ColumnarFile<'_>, declared: Option<&SchemaRef>) -> Result<SchemaRef, FileProblem> {
        if file.written.ends_with("broken.parquet") {
            let hint = Some("write the file anew".to_owned());
            return Err(FileProblem { code: "file-corrupt", message: "broken.parquet: it is damaged".to_owned(), hint });
        }
        let all = ["a", "b", "c", "d"].map(|name| Field::new(name, DataType::Int64, false));
        Ok(declared.cloned().unwrap_or_else(|| Arc::new(Schema::new(all.to_vec()))))
    }

    fn plugin(
        &self,
        path: &Path,
        settings: &Value,
        inputs: &[InputSchema<'_>],
        _: &Limits,
    ) -> Result<PluginDeclared, PluginProblem> {
        let input = &inputs[0];
        assert!(inputs.len() > 1 || input.name == "main", "an only input has no name of its own");
        let port = |name: &str, fields: &[(&str, DataType)]| Port {
            name: name.to_owned(),
            schema: Arc::new(Schema::new(
                fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), false)).collect::<Vec<_>>(),
            )),
        };
        let end = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match end {
            "grade" => {
                if let Some(unknown) = settings.get("unknown") {
                    let message = format!("the plugin refuses its settings: unknown field `unknown` ({unknown})");
                    return Err(PluginProblem {
                        code: "plugin-settings",
                        message,
                        hint: Some("known are: felt-from".to_owned()),
                    });
                }
                let ports = vec![port("main", &[("grade", DataType::Utf8View)]), port("broken", &[("why", DataType::Utf8View)])];
                let mag = input.schema.index_of("mag").ok();
                Ok(PluginDeclared {
                    ports,
                    reads: vec![mag.map(|index| vec![index])],
                    needs_event_time: false,
                    keeps: Vec::new(),
                })
            }
            "count" => {
                let Some(&key) = input.key.first() else {
                    let message = "the plugin needs a key".to_owned();
                    return Err(PluginProblem { code: "plugin-input", message, hint: Some("add `key-by`".to_owned()) });
                };
                let key = input.schema.field(key).data_type().clone();
                Ok(PluginDeclared {
                    ports: vec![port("main", &[("key", key), ("n", DataType::Int64)])],
                    reads: vec![Some(vec![])],
                    needs_event_time: false,
                    keeps: vec!["seen".to_owned()],
                })
            }
            "timers" => {
                let ports = vec![port("main", &[("n", DataType::Int64)])];
                Ok(PluginDeclared { ports, reads: vec![None], needs_event_time: true, keeps: Vec::new() })
            }
            "match" => {
                let reads = inputs.iter().map(|input| Some(vec![input.schema.fields().len() - 1])).collect();
                Ok(PluginDeclared {
                    ports: vec![port("main", &[("n", DataType::Int64)])],
                    reads,
                    needs_event_time: false,
                    keeps: Vec::new(),
                })
            }
            "odd-types" => Ok(PluginDeclared {
                ports: vec![port("main", &[("c", DataType::UInt8)])],
                reads: vec![None],
                needs_event_time: false,
                keeps: Vec::new(),
            }),
            _ => Err(PluginProblem { code: "plugin-not-found", message: format!("there is no {}", path.display()), hint: None }),
        }
    }
}

fn column(name: &str, offset: usize, input: &Schema) -> Result<usize, ExpressionProblem> {
    let span = Some(offset..offset + name.len());
    input.index_of(name).map_err(|_| ExpressionProblem::UnknownColumn { name: name.to_owned(), span })
}

/// A job, with `HOME_TOWN` set, four cores, and its file in `jobs/`.
pub fn loaded(text: &str) -> Result<(Job, Vec<String>), Vec<String>> {
    loaded_with(text, &[], None)
}

/// The same with options of the command line.
pub fn loaded_with(text: &str, overrides: &[(&str, &str)], parallelism: Option<u32>) -> Result<(Job, Vec<String>), Vec<String>> {
    let overrides: Vec<_> = overrides.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    let env = |name: &str| (name == "HOME_TOWN").then(|| "Delft".to_owned());
    let rendered = |problems: Vec<wasmill_job::Problem>| problems.iter().map(|problem| render(problem, text)).collect();
    match load(text, "jobs/job.yaml", Path::new("jobs"), &overrides, parallelism, 4, &env, &Fake) {
        Ok((job, warnings)) => Ok((job, rendered(warnings))),
        Err(problems) => Err(rendered(problems)),
    }
}

/// A job that must be fine, warnings aside.
pub fn job(text: &str) -> Job {
    loaded(text).unwrap_or_else(|problems| panic!("{}", problems.join("\n"))).0
}

/// The problems of a job that must have some.
pub fn problems(text: &str) -> Vec<String> {
    loaded(text).map(|(job, _)| job).expect_err("a job with problems")
}

/// The one problem of a job, without the lines that show its place in the text.
pub fn problem(text: &str) -> String {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{}", problems.join("\n"));
    brief(&problems[0])
}

/// A problem without the lines that show its place in the text.
pub fn brief(problem: &str) -> String {
    let shows = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    problem.lines().filter(|line| !shows(line)).collect::<Vec<_>>().join("\n")
}

/// A source and a sink, around the operators that a test is about. The first operator stands in line 4, the sink reads `out`.
pub fn around(operators: &str) -> String {
    format!(
        "name: t\nsources: {{ quakes: {{ connector: file, path: q.ndjson, format: json, schema: {{ id: utf8 not null, net: utf8, mag: float64 }} }} }}\noperators:\n{operators}\nsinks: {{ sink: {{ input: out, connector: blackhole }} }}\n"
    )
}
