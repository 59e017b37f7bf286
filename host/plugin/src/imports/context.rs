//! `context`: what surrounds a call.

use crate::bindings::wasmill::plugin::context::{Host, Timestamp};
use crate::instance::HostState;

impl Host for HostState {
    fn now(&mut self) -> wasmtime::Result<Timestamp> {
        Ok(self.call("context.now")?.now)
    }

    fn watermark(&mut self) -> wasmtime::Result<Timestamp> {
        Ok(self.call("context.watermark")?.watermark)
    }
}
