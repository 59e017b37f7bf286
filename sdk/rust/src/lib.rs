//! Write Wasmill operators in Rust.
//!
//! An operator is a struct: what it remembers for a key are fields of type [`ValueState`], [`ListState`],
//! [`MapState`], [`ReducingState`], [`AggregatingState`], and [`ExpiringState`], [`ExpiringList`] and [`ExpiringMap`], which forget; what it remembers
//! whatever the key, [`BroadcastState`] and [`TaskState`]; moments at which it looks at a key again fields
//! of type [`EventTimers`] and [`ProcessingTimers`], outputs beside the main one fields of type [`Port`], and the rest is its own. What it does with a record is [`Process`]; records are structs too ([`Record`]). An operator with
//! several inputs reads an enum of records ([`Inputs`](trait@Inputs)).
//!
//! ```
//! use wasmill_sdk::{Context, Open, Operator, Process, Record, Result, ValueState};
//!
//! #[derive(Record)]
//! struct Quake<'a> { net: &'a str, mag: Option<f64> }
//!
//! #[derive(Record)]
//! struct Swarm<'a> { net: &'a str, quakes: u64 }
//!
//! #[derive(serde::Deserialize)]
//! struct Settings { threshold: u64 }
//!
//! #[derive(Operator)]
//! struct SwarmAlert { count: ValueState<u64>, threshold: u64 }
//!
//! impl Process for SwarmAlert {
//!     type Input<'a> = Quake<'a>;
//!     type Output = Swarm<'static>;
//!     type Settings = Settings;
//!
//!     fn open(settings: Settings, _: &mut Open) -> Result<Self> {
//!         Ok(Self { count: ValueState::new(), threshold: settings.threshold })
//!     }
//!
//!     fn process(&mut self, quake: Quake<'_>, cx: &mut Context<Self>) -> Result<()> {
//!         let quakes = *self.count.update(|count| count.unwrap_or(0) + 1);
//!         match quake.mag {
//!             None => cx.reject("an earthquake without a magnitude"),
//!             Some(_) if quakes % self.threshold == 0 => cx.emit(Swarm { net: quake.net, quakes }),
//!             Some(_) => {}
//!         }
//!         Ok(())
//!     }
//! }
//!
//! wasmill_sdk::export!(SwarmAlert);
//! ```
//!
//! A function that combines rows into one value is an [`Aggregate`].
//!
//! # What it costs
//!
//! Rows cross the sandbox in batches, as columns: only those that the input record names, and back only those that the output record
//! names. `process` is inlined into the loop over a batch, so a record costs what its code does: a keyed count some 4 ns. A record
//! that borrows (`&str`) costs no memory; a `String` is an allocation for every row. States of a call's keys are loaded once and stored
//! once; a value of a fixed width is read and written in place.
//!
//! # As a component
//!
//! The crate is a `cdylib`, and only that: beside an `rlib` there is no link-time optimisation, and rows take twice as long. Its
//! release profile has `panic = "abort"`, `lto = "fat"`, `codegen-units = 1` and `strip = true`; then a simple operator is some 80 KiB.
//! `wasmill plugin build` does the rest. A panic's message, file and line are logged before the trap.
//!
//! # In tests
//!
//! The same struct runs natively under a [`harness`]. Operators over whole batches, with columns as they are, implement
//! [`ProcessBatch`].

#![deny(missing_docs)]

extern crate self as wasmill_sdk;

mod aggregate;
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
mod inputs;
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
mod timers;
mod timestamp;
mod window;

pub use aggregate::Aggregate;
#[doc(hidden)]
pub use aggregate::component as aggregate_component;
pub use bindings::plan::StateKind;
pub use context::Context;
pub use date::Date;
pub use decimal::Decimal;
pub use error::{Error, Result};
pub use inputs::{InputSpec, Inputs};
pub use open::Open;
pub use operator::{Keep, Operator, PortSpec, StateSpec};
pub use port::{CallOf, Port};
pub use process::Process;
pub use process_batch::{Batch, ProcessBatch};
#[doc(hidden)]
pub use record::unfit;
pub use record::{FieldSpec, ReadRecord, Record, RecordBuilder};
pub use settings::NoSettings;
#[doc(hidden)]
pub use state::sum_of_widths;
pub use state::{
    AggregatingState, AsMapEntry, BroadcastState, Entries, ExpiringList, ExpiringMap, ExpiringState, ListState, MapEntry,
    MapState, ReducingState, Sink, StateValue, TaskState, ValueState,
};
pub use timers::{Domain, EventTime, EventTimers, ProcessingTime, ProcessingTimers, TimeDomain, Timer, TimerBatch, Timers};
pub use timestamp::Timestamp;
/// Makes an enum the inputs of an operator that has several; see the trait [`Inputs`](trait@Inputs):
///
/// ```
/// use wasmill_sdk::{Inputs, Record};
///
/// #[derive(Record)]
/// struct Order<'a> { item: &'a str }
///
/// #[derive(Record)]
/// struct Price { cents: i64 }
///
/// #[derive(Inputs)]
/// enum Row<'a> {
///     Orders(Order<'a>),
///     #[input(name = "list", unkeyed)]
///     Prices(Price),
/// }
///
/// let [orders, list] = <Row as Inputs>::INPUTS else { unreachable!() };
/// assert_eq!((orders.name, list.name, list.keyed), (Some("orders"), Some("list"), false));
/// ```
pub use wasmill_sdk_derive::Inputs;
/// Makes a struct an operator:
///
/// ```
/// use wasmill_sdk::{Operator, Port, Record, ValueState};
///
/// #[derive(Record)]
/// struct Late { by_ms: i64 }
///
/// #[derive(Operator)]
/// #[operator(keep = "input")]
/// struct Watch {
///     #[state(name = "last-seen", version = 2)]
///     last: ValueState<i64>,
///     #[port(keep = "key")]
///     late: Port<Late>,
///     calls: u64, // the author's own: a cache
/// }
/// ```
pub use wasmill_sdk_derive::Operator;
/// Makes a struct a record:
///
/// ```
/// use wasmill_sdk::Record;
///
/// #[derive(Record)]
/// struct Quake<'a> {
///     net: &'a str,
///     #[record(rename = "Mag")]
///     mag: Option<f64>,
/// }
/// ```
pub use wasmill_sdk_derive::Record;
/// Makes a struct a state's value:
///
/// ```
/// use wasmill_sdk::StateValue;
///
/// #[derive(Clone, Default, StateValue)]
/// struct Seen { count: u64, sum: f64 }
/// ```
pub use wasmill_sdk_derive::StateValue;
#[doc(hidden)]
pub use window::component as window_component;
pub use window::{Given, Window, WindowFunction};

/// The README's code, tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
