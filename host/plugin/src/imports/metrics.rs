//! `metrics`: figures for people, staged with the call.

use crate::bindings::wasmill::plugin::metrics::Host;
use crate::fault::Refusal;
use crate::instance::HostState;

impl Host for HostState {
    fn counter(&mut self, name: String, add: u64) -> wasmtime::Result<()> {
        check(&name)?;
        self.call("metrics.counter")?.counters.push((name, add));
        Ok(())
    }

    fn gauge(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        check(&name)?;
        self.call("metrics.gauge")?.gauges.push((name, value));
        Ok(())
    }
}

fn check(name: &str) -> wasmtime::Result<()> {
    let valid = name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_');
    if valid {
        return Ok(());
    }
    Err(Refusal::contract(format!("named a metric {name:?}; a name is a lower-case letter, then up to 62 of a-z, 0-9 and _")))
}
