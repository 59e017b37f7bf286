//! Where records enter and leave a job.

pub mod error;
pub mod sink;
pub mod source;

pub use error::ConnectorError;
pub use sink::{Prepared, Sink, Visibility};
pub use source::{BatchLimit, Extent, Malformed, Position, Read, Source};
