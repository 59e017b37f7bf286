//! Runs a plan. Knows neither plugins nor Kafka: operators, sources and sinks come from a [`factory::Factory`].
//!
//! A record's way: [`source_task`] reads it, [`chain`] hands it from operator to operator, [`exchange`] decides which task gets it,
//! [`edge`] carries it, [`inbox`] drains it with its neighbours, [`stage_task`] hands it on to the next chain, up to a sink.
//! [`job_run`] starts all of it and watches; [`checkpoint_driver`] has barriers sent and checkpoints written.

pub mod factory;

pub mod job_run;
pub mod assembly;

mod source_task;
mod stage_task;
mod chain;
mod dead_letters;
mod exchange;
pub mod edge;
mod inbox;

mod checkpoint_driver;
mod control;
pub mod durability;
pub mod facts;
mod names;
mod restore;

pub mod counts;
pub mod error;

pub use durability::Durability;
pub use facts::facts;
pub use names::DEAD_LETTERS;
pub use counts::{JobCounts, NodeCounts};
pub use error::JobError;
pub use factory::{Factory, OperatorParts, SinkId};
pub use job_run::{JobRun, Outcome};
