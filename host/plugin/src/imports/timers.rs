//! `timers`: moments at which keys are looked at again.

use super::call::Call;
use crate::bindings::wasmill::plugin::plan::TimeDomain;
use crate::bindings::wasmill::plugin::timers::Host;
use crate::fault::Refusal;
use crate::instance::HostState;
use crate::limits::TIMERS_PER_CALL;
use crate::timers::TimerChange;

impl Host for HostState {
    fn register(&mut self, domain: TimeDomain, keys: Vec<u32>, at: Vec<i64>) -> wasmtime::Result<()> {
        stage(self.call("timers.register")?, "timers.register", domain, &keys, &at, true)
    }

    fn delete(&mut self, domain: TimeDomain, keys: Vec<u32>, at: Vec<i64>) -> wasmtime::Result<()> {
        stage(self.call("timers.delete")?, "timers.delete", domain, &keys, &at, false)
    }
}

fn stage(call: &mut Call, function: &str, domain: TimeDomain, keys: &[u32], at: &[i64], set: bool) -> wasmtime::Result<()> {
    let Some(keyed) = call.keyed.as_ref().filter(|_| !call.key.is_empty()) else {
        return Err(Refusal::contract(format!("called {function} where there is no key")));
    };
    if call.plan.timer_state(domain).is_none() {
        let (domain, wanted) = match domain {
            TimeDomain::EventTime => ("event time", "event-timers"),
            TimeDomain::ProcessingTime => ("processing time", "processing-timers"),
        };
        return Err(Refusal::contract(format!("called {function} for {domain}, but its plan doesn't want {wanted}")));
    }
    if keys.len() != at.len() {
        return Err(Refusal::contract(format!("called {function} with {} keys and {} moments", keys.len(), at.len())));
    }
    let count = keyed.keys.count();
    if let Some(key) = keys.iter().find(|&&key| key as usize >= count) {
        return Err(Refusal::contract(format!("called {function} with key {key} of {count} keys")));
    }
    if call.timers.len() + keys.len() > TIMERS_PER_CALL {
        return Err(Refusal::limit(format!("set and deleted more than {TIMERS_PER_CALL} timers in one call")));
    }
    call.timers.extend(keys.iter().zip(at).map(|(&key, &at)| TimerChange { domain, key, at, set }));
    Ok(())
}
