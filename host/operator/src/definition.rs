//! What a built-in operator's definition comes to: its declaration, or what is wrong with it.

use arrow_schema::SchemaRef;

use crate::contract::{Declaration, Port};
use crate::expression::ExpressionProblem;

/// One problem of an operator's definition, and where in the definition it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct DefinitionProblem {
    /// The place below the operator: `filter`, `select.felt`, `with.felt`, `drop`, `unnest`, `split.big`, `key-by`, `aggregate.n`.
    pub path: String,
    /// What is wrong there.
    pub problem: ExpressionProblem,
}

impl DefinitionProblem {
    pub(crate) fn new(path: impl Into<String>, problem: ExpressionProblem) -> Self {
        Self { path: path.into(), problem }
    }
}

/// Every problem of a definition at once; at least one.
pub type DefinitionProblems = Vec<DefinitionProblem>;

/// The declaration of an operator with one output and no state.
pub(crate) fn one_output(schema: SchemaRef, reads: Option<Vec<usize>>) -> Declaration {
    Declaration { ports: vec![Port { name: "main".to_owned(), schema }], states: Vec::new(), form: None, reads: vec![reads] }
}
