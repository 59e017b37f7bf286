//! Write Wasmill operators in Rust.

extern crate self as wasmill_sdk;

pub mod bindings;
pub mod column;
#[doc(hidden)]
pub mod component;
mod context;
mod date;
mod decimal;
mod describe;
mod error;
#[cfg(not(target_arch = "wasm32"))]
pub mod harness;
mod host;
mod instance;
pub mod log;
pub mod metrics;
mod open;
mod operator;
mod panic_message;
mod port;
mod process;
mod process_batch;
mod record;
mod settings;
pub mod state;
mod timestamp;

pub use context::Context;
pub use date::Date;
pub use decimal::Decimal;
pub use error::{Error, Result};
pub use open::Open;
pub use operator::{Keep, Operator, PortSpec, StateSpec};
pub use port::Port;
pub use process::Process;
pub use process_batch::{Batch, ProcessBatch};
#[doc(hidden)]
pub use record::unfit;
pub use record::{FieldSpec, ReadRecord, Record, RecordBuilder};
pub use settings::NoSettings;
#[doc(hidden)]
pub use state::sum_of_widths;
pub use state::{Sink, StateValue, ValueState};
pub use timestamp::Timestamp;
pub use wasmill_sdk_derive::{Operator, Record, StateValue};
