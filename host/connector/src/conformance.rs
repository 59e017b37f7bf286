//! What every source and every sink must do, as the numbered contracts say: one suite for each, run for every implementation.

mod sinks;
mod sources;
mod splits;
mod tasks;

pub use sinks::{Promise, SinkUnderTest, check_sink, schema};
pub use sources::{SourceUnderTest, check_source};
pub use splits::check_source_tasks;
pub use tasks::{SinkTasksUnderTest, check_sink_tasks};
