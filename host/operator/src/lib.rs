//! What happens to a record: the [`contract::Operator`] contract and the built-in operators.
//!
//! A built-in operator is made from the texts of its definition and the columns that it will be handed, says with
//! `declaration()` what comes out of it, and then takes one batch after the other:
//!
//! | verb | operator |
//! |---|---|
//! | `filter` | [`filter::Filter`] |
//! | `select` | [`select::Select`] |
//! | `with`, `drop` | [`with::With`] |
//! | `unnest` | [`unnest::Unnest`] |
//! | `split` | [`split::Split`] |
//! | none, several inputs | [`union::Union`] |
//! | `key-by` and `aggregate` | [`aggregate::RunningAggregate`] |
//!
//! [`expression::Expression`] is what their texts are made of. A row that an expression fails on dies alone.

pub mod combine;
pub mod contract;

pub mod definition;
pub mod expression;

mod computed;
pub mod filter;
pub mod select;
pub mod split;
pub mod unnest;
pub mod window;
pub mod with;

pub mod aggregate;
pub mod union;

#[cfg(test)]
mod testing;

pub use aggregate::{Aggregate, Computation, Emit, ForeignAggregate, Held, RunningAggregate, Space, StateForm, StateReader};
pub use combine::Combiner;
pub use contract::{Context, Dead, Declaration, Due, Emitted, Firing, Operator, OperatorError, PluginCounts, Port, Step};
pub use definition::{DefinitionProblem, DefinitionProblems};
pub use expression::{Evaluated, Expression, ExpressionProblem};
pub use filter::Filter;
pub use select::Select;
pub use split::Split;
pub use union::Union;
pub use unnest::Unnest;
pub use with::With;
