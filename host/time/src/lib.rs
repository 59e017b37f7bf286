//! How far event time has come: decisions only, without I/O; and the one clock, of processing time.
//!
//! A source's [`PartitionTime`] raises its watermark with its rows, and says where batches must be cut so that results don't depend on how
//! rows are read together. Whoever has several inputs is as far as its [`Frontier`]. Readers that are to stay near each other ask their
//! [`Drift`].

pub mod clock;
pub mod drift;
pub mod frontier;
pub mod partition;
pub mod timers;

pub use clock::ProcessingClock;
pub use drift::Drift;
pub use frontier::Frontier;
pub use partition::{Cut, PartitionTime, Reached};
pub use timers::TimerQueue;
