//! An operator and its inputs.

use arrow_schema::SchemaRef;

use crate::graph::{Port, Upstream, Verb};

/// An operator.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Its name.
    pub name: String,
    /// Its inputs, at least one. Only a plugin has several.
    pub inputs: Vec<Input>,
    /// The rows of all its inputs have event times, and so have its own; else none of them have.
    pub timed: bool,
    /// What it keeps for each key and never forgets: running aggregates, and a plugin's states.
    pub keeps: Vec<String>,
    /// It is the same to it when rows of a key are combined before they come to it: it is an aggregate that can be put together of parts, exactly.
    pub combines: bool,
    /// What it does.
    pub verb: Verb,
    /// Its outputs; the first is the main one, but for a split, which has none.
    pub ports: Vec<Port>,
}

impl Operator {
    /// The first input: the only one, but for a plugin with several.
    #[must_use]
    pub fn input(&self) -> &Input {
        &self.inputs[0]
    }

    /// Whether an input is keyed: then it has as many tasks as the job says.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.inputs.iter().any(|input| !input.key_by.is_empty())
    }
}

/// An input of an operator: rows of one kind.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name; [`MAIN_PORT`](crate::graph::MAIN_PORT) where the job gives it none.
    pub name: String,
    /// Where its rows come from: one stream, or several of one schema (a union).
    pub from: Vec<Upstream>,
    /// Its rows' columns.
    pub schema: SchemaRef,
    /// Indices of the columns that it is keyed by; empty where it isn't keyed. Keys of an operator's inputs have the same types.
    pub key_by: Vec<usize>,
    /// Every task is handed all of its rows.
    pub broadcast: bool,
    /// Indices of the columns that the operator reads or passes on, ascending and with those of the key; `None` for all. Never
    /// none at all. An exchange before it moves no others, and the operator is handed the rows with those columns only.
    pub reads: Option<Vec<usize>>,
}
