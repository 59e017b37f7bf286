//! Runs a plan. Knows neither plugins nor Kafka: operators, sources and sinks come from a [`factory::Factory`].
//!
//! A record's way: `source_task` reads it, `chain` hands it from operator to operator, `exchange` decides which task gets it,
//! `edge` carries it, `inbox` drains it with its neighbours, `stage_task` hands it on to the next chain, up to a sink.
//! `job_run` starts all of it and watches; `checkpoint_driver` has barriers sent, `checkpoint_writer` brings checkpoints into the store.

pub mod factory;

pub mod assembly;
pub mod job_run;

mod chain;
mod dead_letters;
pub mod edge;
mod exchange;
mod inbox;
pub mod memory;
mod source_drift;
mod source_task;
mod source_time;
mod stage_task;

mod checkpoint_driver;
mod checkpoint_writer;
mod control;
pub mod durability;
pub mod facts;
mod names;
mod piece_memory;
pub mod restart;
mod restore;
mod restored_states;
pub mod savepoint;
mod snapshot_pieces;
pub mod verification;

pub mod clock;
pub mod counts;
pub mod error;

pub use clock::{Doing, Spent, TaskClock};
pub use counts::{JobCounts, NodeCounts, TaskGauges};
pub use durability::Durability;
pub use error::{JobError, RowPlace};
pub use factory::{Factory, OperatorParts, SinkId};
pub use facts::facts;
pub use job_run::{JobRun, Outcome};
pub use memory::MemoryBudget;
pub use names::DEAD_LETTERS;
pub use restart::{Restarts, Verdict};
pub use savepoint::SavepointRequest;
pub use verification::{Damage, Verification};
