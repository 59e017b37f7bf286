//! How far event time has come: decisions only, without a clock and without I/O.
//!
//! A source's [`PartitionTime`] raises its watermark with its rows, and says where batches must be cut so that results don't depend on how
//! rows are read together. Whoever has several inputs is as far as its [`Frontier`].

pub mod frontier;
pub mod partition;

pub use frontier::Frontier;
pub use partition::{Cut, PartitionTime};
