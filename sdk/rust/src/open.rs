//! What a new instance is told.

use crate::bindings::{Field, Input};

/// What [`Process::open`](crate::Process::open) is told about where the instance runs.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct It { is_keyed: bool }
/// # impl Process for It {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// fn open(_: NoSettings, host: &mut Open) -> Result<Self> {
///     log::info(format!("task {} of {}", host.task(), host.parallelism()));
///     Ok(Self { is_keyed: !host.key().is_empty() })
/// }
/// #     fn process(&mut self, _: Row, _: &mut Context<Self>) -> Result<()> { Ok(()) }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Open {
    pub(crate) task: u32,
    pub(crate) parallelism: u32,
    pub(crate) inputs: Vec<Input>,
}

impl Open {
    /// Which of the parallel tasks this instance serves, counted from 0.
    pub fn task(&self) -> u32 {
        self.task
    }

    /// How many parallel tasks there are.
    pub fn parallelism(&self) -> u32 {
        self.parallelism
    }

    /// All columns of the first input, also those that the operator doesn't read.
    pub fn columns(&self) -> &[Field] {
        &self.inputs[0].schema
    }

    /// The columns that the first input is keyed by, in order; none if it isn't keyed.
    pub fn key(&self) -> &[String] {
        &self.inputs[0].key
    }

    /// All inputs as the job gives them: their names, columns and keys.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }
}
