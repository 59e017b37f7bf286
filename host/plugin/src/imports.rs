//! The host functions that a guest may call, one file for each interface of the contract.
//!
//! What they stage is in the [`call::Call`] under way; outside of one (in `describe`, `open`) only `log` may be called.

pub(crate) mod call;

mod context;
mod log;
mod metrics;
mod output;
mod state;
mod timers;

use crate::bindings::wasmill::plugin::{data, errors, plan};
use crate::instance::HostState;

// Interfaces of types only.
impl data::Host for HostState {}
impl errors::Host for HostState {}
impl plan::Host for HostState {}
