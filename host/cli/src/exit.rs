//! How the program ends: scripts rely on these numbers.

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done, or the job was stopped cleanly.
    Done,
    /// The job failed.
    Failed,
    /// Wrong use, or an invalid job.
    Wrong,
    /// A second signal came.
    Interrupted,
}

impl From<Exit> for i32 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Wrong => 2,
            Exit::Interrupted => 130,
        }
    }
}
