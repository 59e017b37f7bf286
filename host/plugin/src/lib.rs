//! The WebAssembly boundary: the only crate that names wasmtime.
//!
//! A plugin's way: `file` reads it and tells what it is; `preflight` refuses what is too big to compile; `compiled` has the `compiler`
//! compile it, in a process of its own, or takes the result from the `cache`; `world` checks what it imports and exports; `declaration` asks it what it does with some
//! settings and inputs. Then [`operator::PluginOperator`], [`aggregate::PluginAggregate`] or [`window::PluginWindow`] runs it: an `instance` at a time, each call within its `limits`, rows
//! crossing by `columns_in` and `columns_out`, host functions in `imports`; its
//! `timers` are kept beside its state, which a `migration` brings to its version; a call that fails is a `fault`, and `poison`
//! decides what is tried next.

pub mod limits;

pub mod cache;
pub mod compiled;
pub mod compiler;
pub mod declaration;
pub mod file;
pub mod preflight;
pub mod world;

pub mod aggregate;
mod bindings;
mod columns_in;
mod columns_out;
#[cfg(feature = "test-suite")]
pub mod conformance;
mod engine;
mod expiry;
pub mod fault;
mod imports;
mod instance;
mod log_lines;
mod migration;
pub mod operator;
pub mod poison;
mod staged_items;
mod timers;
pub mod window;

pub mod error;

pub use aggregate::{AggregateDefinition, AggregatePlan, PluginAggregate};
pub use compiled::{Component, Sandbox};
pub use compiler::{Compiler, CompilerProcess};
pub use declaration::{InputShape, Plan};
pub use error::PluginError;
pub use limits::Limits;
pub use operator::{OnPoison, PluginOperator};
pub use window::{PluginWindow, WindowDefinition, WindowPlan};
