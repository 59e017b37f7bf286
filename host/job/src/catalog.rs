//! What this crate must ask others: the types of expressions, what plugins declare, which columns a file brings.

use std::ops::Range;
use std::path::Path;

use arrow_schema::{Field, Schema, SchemaRef};
use serde_json::Value;

use crate::graph::{Aggregate, ColumnarIn, Limits, Port};

/// Answers what only an SQL engine, a plugin or a file can know. Called while a job is validated, never while it runs.
pub trait Catalog {
    /// Checks an expression over the columns of one row.
    ///
    /// # Errors
    /// Why it is none, or doesn't fit these columns.
    fn expression(&self, text: &str, input: &Schema) -> Result<Checked, ExpressionProblem>;

    /// Checks an aggregate over rows of these columns, as `count(*)`.
    ///
    /// # Errors
    /// Why it is none, or doesn't fit these columns.
    fn aggregate(&self, text: &str, input: &Schema) -> Result<Checked, ExpressionProblem>;

    /// Asks a plugin what it does with these settings and inputs, within these limits. May take as long as compiling it.
    ///
    /// # Errors
    /// Why the file is no plugin, or what the plugin says against the settings or the inputs.
    fn plugin(
        &self,
        path: &Path,
        settings: &Value,
        inputs: &[InputSchema<'_>],
        limits: &Limits,
    ) -> Result<PluginDeclared, PluginProblem>;

    /// Asks a plugin which column it makes of these, as an aggregate, with these settings and within these limits. The name doesn't
    /// matter. May take as long as compiling it.
    ///
    /// # Errors
    /// Why the file is no aggregate, or what the plugin says against the settings or the columns.
    fn aggregate_plugin(
        &self,
        path: &Path,
        settings: &Value,
        arguments: &Schema,
        limits: &Limits,
    ) -> Result<Field, PluginProblem>;

    /// Asks a plugin what it makes of all rows of a window, with these settings and within these limits. May take as long as compiling it.
    ///
    /// # Errors
    /// Why the file is no window function, or what the plugin says against the settings or the columns.
    fn window_plugin(
        &self,
        path: &Path,
        settings: &Value,
        rows: &SchemaRef,
        limits: &Limits,
    ) -> Result<WindowDeclared, PluginProblem>;

    /// Whether an aggregate that was checked over these columns gives exactly the same when it is put together of parts of its rows. To say no is
    /// right for any.
    fn combines(&self, aggregate: &Aggregate, input: &Schema) -> bool {
        let _ = (aggregate, input);
        false
    }

    /// Whether rows can be taken back from an aggregate that was checked over these columns. To say no is right for any.
    fn retracts(&self, aggregate: &Aggregate, input: &Schema) -> bool {
        let _ = (aggregate, input);
        false
    }

    /// Asks a file of columns for those that its rows have; `declared` are those that the job wants, where it says so.
    ///
    /// # Errors
    /// Why the file can't be read, or doesn't fit what is wanted.
    fn columns(&self, file: &ColumnarFile<'_>, declared: Option<&SchemaRef>) -> Result<SchemaRef, FileProblem>;
}

/// A file that brings its columns.
#[derive(Debug, Clone, Copy)]
pub struct ColumnarFile<'a> {
    /// Its path as the job has it, for messages.
    pub written: &'a str,
    /// Its path.
    pub path: &'a Path,
    /// Its format.
    pub format: ColumnarIn,
}

/// Why a file can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// A stable code, as `file-not-found`.
    pub code: &'static str,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to do, in words, if that is known.
    pub hint: Option<String>,
}

/// An expression that fits its input.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The type of its result, and whether it can be null. The name doesn't matter.
    pub field: Field,
    /// Indices of the columns that it reads, in any order.
    pub reads: Vec<usize>,
}

/// Why an expression is none, or doesn't fit its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpressionProblem {
    /// It names a column that isn't there.
    UnknownColumn {
        /// The column's name.
        name: String,
        /// Where in the text, in bytes, if that is known.
        span: Option<Range<usize>>,
    },
    /// Anything else.
    Invalid {
        /// What is wrong, as a sentence without a full stop.
        message: String,
        /// Where in the text, in bytes, if that is known.
        span: Option<Range<usize>>,
        /// What to do, in words, if that is known.
        suggestion: Option<String>,
    },
}

/// An input of a plugin.
#[derive(Debug, Clone)]
pub struct InputSchema<'a> {
    /// Its name; `main` for the only one.
    pub name: &'a str,
    /// Its columns.
    pub schema: &'a SchemaRef,
    /// Indices of the columns that it is keyed by, in the order of the key; empty where it isn't keyed.
    pub key: &'a [usize],
    /// Every task is handed all of its rows.
    pub broadcast: bool,
}

/// What a plugin declares.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginDeclared {
    /// Its outputs; the first is the main one.
    pub ports: Vec<Port>,
    /// For each input, the indices of the columns that it reads or passes on, in any order; `None` for all.
    pub reads: Vec<Option<Vec<usize>>>,
    /// It goes by event time, as for timers, so that its rows must have some.
    pub needs_event_time: bool,
    /// The states that it keeps for each key until it takes them away itself.
    pub keeps: Vec<String>,
}

/// What a window function declares.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowDeclared {
    /// The columns that it gives.
    pub gives: Vec<Field>,
    /// The indices of the columns that it reads, in any order.
    pub reads: Vec<usize>,
}

/// Why a plugin can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginProblem {
    /// A stable code, as `plugin-wrong-world`.
    pub code: &'static str,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to do, in words, if that is known.
    pub hint: Option<String>,
}
