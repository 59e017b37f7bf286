//! Buckets of clouds: from their URLs and the environment to object stores, and which of their faults pass.
//!
//! What a job writes to buckets and what it keeps in them, its checkpoints, are reached by the same URLs and variables.

mod address;
mod fault;

pub use address::{AddressError, open};
pub use fault::passes;
