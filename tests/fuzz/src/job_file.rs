//! Job files: a text ends as a job, which can be planned and explained, or as problems, which can be shown.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;
use wasmill_job::catalog::{
    Catalog, Checked, ColumnarFile, ExpressionProblem, FileProblem, InputSchema, PluginDeclared, PluginProblem, WindowDeclared,
};
use wasmill_job::explain::{Explanation, explain};
use wasmill_job::graph::{Limits, Port};
use wasmill_job::plan::plan;
use wasmill_job::problem::Severity;
use wasmill_job::{load, render};

/// The bytes are a job file.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let env = |name: &str| (name == "HOME_TOWN").then(|| "Delft".to_owned());
    match load(text, "job.yaml", Path::new("/jobs"), &[], None, 4, &env, &Pure) {
        Ok((job, warnings)) => {
            let plan = plan(&job);
            let explained = Explanation::of(&job, &plan);
            assert!(![explain(&job, &plan), explained.mermaid(), explained.dot()].iter().any(String::is_empty));
            warnings.iter().for_each(|warning| assert!(!render(warning, text).is_empty()));
        }
        Err(problems) => {
            assert!(problems.iter().any(|problem| problem.severity == Severity::Error), "{problems:?}");
            problems.iter().for_each(|problem| assert!(!render(problem, text).is_empty()));
        }
    }
}

/// Answers from what it is asked alone.
struct Pure;

impl Pure {
    /// Text that begins with a column's name is of its type, what begins with a digit a float; with a word behind it, true or false.
    fn typed(text: &str, input: &Schema) -> Result<Checked, ExpressionProblem> {
        let name = text.split(' ').next().unwrap_or_default();
        let compares = text.len() > name.len();
        let (kind, reads) = match input.index_of(name) {
            Ok(index) => (input.field(index).data_type().clone(), vec![index]),
            Err(_) if name.starts_with(|first: char| first.is_ascii_digit()) => (DataType::Float64, vec![]),
            Err(_) => return Err(ExpressionProblem::UnknownColumn { name: name.to_owned(), span: Some(0..name.len()) }),
        };
        let kind = if compares { DataType::Boolean } else { kind };
        Ok(Checked { field: Field::new("value", kind, true), reads })
    }
}

impl Catalog for Pure {
    fn expression(&self, text: &str, input: &Schema) -> Result<Checked, ExpressionProblem> {
        Self::typed(text, input)
    }

    fn aggregate(&self, text: &str, input: &Schema) -> Result<Checked, ExpressionProblem> {
        let Some(inner) = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')) else {
            let message = format!("`{text}` is no aggregate");
            return Err(ExpressionProblem::Invalid { message, span: Some(0..text.len()), suggestion: None });
        };
        if inner == "*" {
            Ok(Checked { field: Field::new("n", DataType::Int64, false), reads: vec![] })
        } else {
            Self::typed(inner, input)
        }
    }

    fn plugin(
        &self,
        path: &Path,
        settings: &Value,
        inputs: &[InputSchema<'_>],
        _: &Limits,
    ) -> Result<PluginDeclared, PluginProblem> {
        if settings.get("refuse").is_some() {
            return Err(PluginProblem { code: "plugin-settings", message: format!("{} refuses", path.display()), hint: None });
        }
        let schema = inputs.first().map_or_else(|| Arc::new(Schema::empty()), |input| Arc::clone(input.schema));
        let port = |name: &str| Port { name: name.to_owned(), schema: Arc::clone(&schema) };
        Ok(PluginDeclared {
            ports: vec![port("main"), port("side")],
            reads: inputs.iter().map(|_| None).collect(),
            needs_event_time: false,
            keeps: Vec::new(),
        })
    }

    fn aggregate_plugin(&self, path: &Path, settings: &Value, arguments: &Schema, _: &Limits) -> Result<Field, PluginProblem> {
        match arguments.fields().first() {
            Some(field) if settings.get("refuse").is_none() => Ok(field.as_ref().clone()),
            _ => Err(PluginProblem { code: "plugin-settings", message: format!("{} refuses", path.display()), hint: None }),
        }
    }

    fn window_plugin(
        &self,
        path: &Path,
        settings: &Value,
        rows: &SchemaRef,
        _: &Limits,
    ) -> Result<WindowDeclared, PluginProblem> {
        match rows.fields().first() {
            Some(field) if settings.get("refuse").is_none() => {
                Ok(WindowDeclared { gives: vec![field.as_ref().clone().with_name("given")], reads: vec![0] })
            }
            _ => Err(PluginProblem { code: "plugin-settings", message: format!("{} refuses", path.display()), hint: None }),
        }
    }

    fn columns(&self, _: &ColumnarFile<'_>, declared: Option<&SchemaRef>) -> Result<SchemaRef, FileProblem> {
        let all = ["a", "b"].map(|name| Field::new(name, DataType::Int64, false));
        Ok(declared.cloned().unwrap_or_else(|| Arc::new(Schema::new(all.to_vec()))))
    }
}
