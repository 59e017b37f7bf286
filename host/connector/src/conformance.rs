//! What every source and every sink must do, as the numbered contracts say: one suite for each, run for every implementation.

mod sinks;
mod sources;

pub use sinks::{Promise, SinkUnderTest, check_sink, schema};
pub use sources::{SourceUnderTest, check_source};
