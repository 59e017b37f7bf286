//! Standard input and standard output.

mod sink;
mod source;

pub use sink::{StdoutSink, stdout_sink};
pub use source::StdinSource;
