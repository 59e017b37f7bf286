//! Where a job's parts come from: the composition root knows every connector and every kind of operator, the runtime none.

use wasmill_connector::{ConnectorError, Sink, Source, Visibility};
use wasmill_flow::TaskIndex;
use wasmill_operator::{Combiner, Operator, OperatorError};
use wasmill_state::KeyedState;

/// An operator's task.
pub struct OperatorParts {
    /// The operator.
    pub operator: Box<dyn Operator>,
    /// Its state, empty; none where it keeps none.
    pub state: Option<Box<dyn KeyedState>>,
}

/// Which sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkId {
    /// By its place in the job.
    Sink(usize),
    /// The dead letters'.
    DeadLetters,
}

/// Makes a job's parts, once a task. Indices are places in the job.
pub trait Factory: Send + Sync {
    /// A source's reader.
    ///
    /// # Errors
    /// Where it can't be opened.
    fn source(&self, source: usize, task: TaskIndex) -> Result<Box<dyn Source>, ConnectorError>;

    /// An operator.
    ///
    /// # Errors
    /// Where it can't be made.
    fn operator(&self, operator: usize, task: TaskIndex) -> Result<OperatorParts, OperatorError>;

    /// What combines the rows that a task sends to an operator, where the plan says that they may be; without it they go as they are.
    ///
    /// # Errors
    /// Where it can't be made.
    fn combiner(&self, operator: usize, task: TaskIndex) -> Result<Option<Combiner>, OperatorError>;

    /// A sink's writer.
    ///
    /// # Errors
    /// Where it can't be opened.
    fn sink(&self, sink: SinkId, task: TaskIndex, visibility: Visibility) -> Result<Box<dyn Sink>, ConnectorError>;
}
