//! What operators keep: the memory for it, and how checkpoints describe it.

use std::collections::BTreeMap;

use wasmill_checkpoint::StateFacts;
use wasmill_flow::{TaskIndex, column_type};
use wasmill_job::graph::{Operator, Verb};
use wasmill_operator::{Declaration, StateForm};
use wasmill_runtime::JobError;
use wasmill_state::memory::MemoryState;
use wasmill_state::{KeyedState, StateNeed};

use super::JobFactory;

/// What an operator keeps of its keys.
#[derive(Debug, Default)]
pub(super) struct Kept {
    states: Vec<StateNeed>,
    form: Option<StateForm>,
}

impl From<Declaration> for Kept {
    fn from(declaration: Declaration) -> Self {
        Self { states: declaration.states, form: declaration.form }
    }
}

impl Kept {
    /// Room for it, with nothing in it yet; none where the operator neither keeps anything nor has keys.
    pub(super) fn state(self, operator: &Operator) -> Option<Box<dyn KeyedState>> {
        if self.states.is_empty() && !operator.is_keyed() {
            return None;
        }
        Some(Box::new(match &operator.verb {
            // Only a plugin can make something of another version of its state; for others it is refused when it is restored.
            Verb::Plugin(_) => MemoryState::new(self.states).keeping_versions(),
            _ if self.form.is_some_and(|form| form.space.is_some()) => MemoryState::in_spaces(self.states),
            _ => MemoryState::new(self.states),
        }))
    }
}

impl JobFactory<'_> {
    /// What the operators that keep state keep, by their places.
    ///
    /// # Errors
    /// Where an operator can't be made.
    pub fn states(&self) -> Result<BTreeMap<usize, StateFacts>, JobError> {
        let mut states = BTreeMap::new();
        for (index, operator) in self.job.operators.iter().enumerate().filter(|(index, _)| self.is_stateful(*index)) {
            let made = self.made(index, TaskIndex { index: 0, of: 1 });
            let (_, kept) = made.map_err(|error| JobError::operator(&operator.name, error))?;
            states.insert(index, StateFacts { key: key(operator), form: kept.form.map(form) });
        }
        Ok(states)
    }
}

/// The columns of an operator's keys.
fn key(operator: &Operator) -> Vec<(String, String)> {
    let keyed = operator.inputs.iter().find(|input| !input.key_by.is_empty());
    let column = |schema: &arrow_schema::Schema, column: usize| {
        let field = schema.field(column);
        (field.name().clone(), column_type::name(field.data_type()))
    };
    keyed.map_or_else(Vec::new, |input| input.key_by.iter().map(|&index| column(&input.schema, index)).collect())
}

#[expect(clippy::expect_used, reason = "names, numbers and lists: nothing that JSON can't say")]
fn form(form: StateForm) -> serde_json::Value {
    serde_json::to_value(form).expect("a form is JSON")
}
