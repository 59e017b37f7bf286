//! What travels on an edge of a running job, and nothing else: no I/O, no async, only Arrow.
//!
//! Rows travel as Arrow record batches ([`Batch`]), between [`Barrier`]s that cut the stream into epochs, until the
//! [`Message::End`]. Keyed rows carry the hash of their key ([`key`]), which decides their key group and so their task. Rows of sources that
//! say what time it was carry their event time, and [`Progress`] between them says how far that has come.

pub mod event_time;
pub mod message;

pub mod batch;
pub mod column_type;
pub mod comparison;
pub mod key;

pub mod dead_letter;
pub mod ids;

pub use batch::Batch;
pub use event_time::{Progress, Watermark};
pub use ids::{Epoch, KeyGroups, TaskIndex};
pub use message::{Barrier, Message};
