//! The host of a component: the contract's imports.

use crate::bindings::stream_operator::wasmill::plugin;

pub(crate) use plugin::context::{now, watermark};
pub(crate) use plugin::log::log;
pub(crate) use plugin::metrics::{counter, gauge};
pub(crate) use plugin::output::{emit, reject};
pub(crate) use plugin::state::{
    broadcast_get, broadcast_put, broadcast_scan, list_append, list_clear, list_load, load, map_clear, map_get, map_put,
    map_scan, store, task_load, task_store,
};
pub(crate) use plugin::timers::{delete, register};
