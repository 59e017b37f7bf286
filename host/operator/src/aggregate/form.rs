//! What an operator that aggregates keeps of its keys, in words that outlive the job: with them checkpoints are read without it.

use arrow_schema::Schema;
use serde::{Deserialize, Serialize};
use wasmill_flow::column_type;

use super::foreign::Computation;

/// The name of the state that has what was last said of keys in windows whose results are changes.
pub(crate) const SAID: &str = "said";

/// What an operator that aggregates keeps of its keys. Stored with checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateForm {
    /// The columns that the aggregates are over, by name and type as job files have it.
    pub input: Vec<(String, String)>,
    /// The aggregates by name, in the order in which they lie in a value; also those that only the operator sees, whose names begin with `@`.
    pub aggregates: Vec<(String, ComputationForm)>,
    /// Rows are taken back from them, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retracts: bool,
    /// The columns of rows that are kept themselves, by their places in `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<usize>>,
    /// What was last said of a key is kept: the values of the aggregates from this one on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<usize>,
    /// What the spaces that keys are in are; absent where they are in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<Space>,
}

/// How an aggregate is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComputationForm {
    /// By SQL.
    Sql(String),
    /// Elsewhere, so that only its bytes are known.
    Plugin {
        /// The name of its accumulators' encoding.
        format: String,
        /// The columns that it is over, by their places in the input.
        of: Vec<usize>,
        /// The bytes of each accumulator, where all have as many.
        width: Option<usize>,
    },
}

/// What a space of keys is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// A window, by its start.
    Window,
    /// A slice that windows share, by its start.
    Slice,
    /// One of a key's sessions, by its number among them.
    Session,
}

impl StateForm {
    /// Of aggregates over these columns, of keys that are in no spaces.
    pub(super) fn new(input: &Schema, aggregates: &[(String, Computation)], rows: Option<&[usize]>, retracts: bool) -> Self {
        let computed = |(name, computation): &(String, Computation)| {
            let form = match computation {
                Computation::Sql(text) => ComputationForm::Sql(text.clone()),
                Computation::Foreign { format, of, aggregate, .. } => {
                    let width = aggregate.initial().map(<[u8]>::len);
                    ComputationForm::Plugin { format: format.clone(), of: of.clone(), width }
                }
                Computation::Rows(_) => return None,
            };
            Some((name.clone(), form))
        };
        let column = |field: &arrow_schema::FieldRef| (field.name().clone(), column_type::describe(field));
        Self {
            input: input.fields().iter().map(column).collect(),
            aggregates: aggregates.iter().filter_map(computed).collect(),
            retracts,
            rows: rows.map(<[usize]>::to_vec),
            said: None,
            space: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}
