//! The host as an operator sees it: the imports of the component, or, natively, a stand-in that the harness holds.

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;

#[cfg(target_arch = "wasm32")]
pub(crate) use component::{
    broadcast_get, broadcast_put, broadcast_scan, counter, delete, emit, gauge, list_append, list_clear, list_load, load, log,
    map_clear, map_get, map_put, map_scan, now, register, reject, store, task_load, task_store, watermark,
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{
    broadcast_get, broadcast_put, broadcast_scan, counter, delete, emit, gauge, list_append, list_clear, list_load, load, log,
    map_clear, map_get, map_put, map_scan, now, register, reject, store, task_load, task_store, watermark,
};
