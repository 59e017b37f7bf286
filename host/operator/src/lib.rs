//! What happens to a record: the [`contract::Operator`] contract and the built-in operators.

pub mod contract;

pub use contract::{Context, Dead, Declaration, Emitted, Operator, OperatorError, PluginCounts, Port, Step};
