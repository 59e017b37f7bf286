//! Timers natively: those that wait, and time that moves on.

use std::collections::{BTreeMap, BTreeSet};

use crate::Timestamp;
use crate::bindings::plan::StateKind;
use crate::error::{Error, Result};
use crate::harness::{Harness, Made};
use crate::host::native::{self, TimerChange};
use crate::instance::Instance;
use crate::process_batch::ProcessBatch;
use crate::timers::{TimeDomain, Timer};

/// How often in a row a key may set a timer whose moment has passed, as the host has it: at the end of input, and before.
const IN_A_ROW: [u32; 2] = [1_000, 100_000];

/// The timers of all keys in one kind of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting<K> {
    of_keys: BTreeMap<K, BTreeSet<i64>>,
}

/// Timers that an operator is handed, one of each key of the call.
pub(super) struct Fired {
    domain: TimeDomain,
    at: Vec<i64>,
    moment: i64,
}

impl<K: Ord> Default for Waiting<K> {
    fn default() -> Self {
        Self { of_keys: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Waiting<K> {
    /// The earliest of each key, where it is due, at most so many: in order of their moments.
    fn due(&self, moment: i64, most: usize) -> Vec<(i64, K)> {
        let first = |(key, moments): (&K, &BTreeSet<i64>)| moments.first().map(|at| (*at, key.clone()));
        let mut due: Vec<(i64, K)> = self.of_keys.iter().filter_map(first).filter(|(at, _)| *at <= moment).collect();
        due.sort();
        due.truncate(most);
        due
    }

    fn change(&mut self, key: &K, at: i64, set: bool) {
        let moments = self.of_keys.entry(key.clone()).or_default();
        if set {
            moments.insert(at);
        } else {
            moments.remove(&at);
        }
        if moments.is_empty() {
            self.of_keys.remove(key);
        }
    }

    fn count(&self) -> u64 {
        self.of_keys.values().map(|moments| moments.len() as u64).sum()
    }
}

impl<P: ProcessBatch, K: Ord + Clone> Harness<P, K> {
    /// Event time comes as far as `to`: timers at or before it fire, of each key the earliest first, and what they set is seen by the next.
    /// A watermark never goes back; an earlier one does nothing.
    pub fn advance_watermark(&mut self, to: Timestamp) -> Result<()> {
        if to.millis() <= self.watermark {
            return Ok(());
        }
        self.watermark = to.millis();
        self.fire(TimeDomain::EventTime, self.watermark)
    }

    /// The host's clock, which stands at the Unix epoch before, comes as far as `to`: timers of processing time at or before it fire. It
    /// never goes back; an earlier time does nothing.
    pub fn advance_clock(&mut self, to: Timestamp) -> Result<()> {
        self.now = self.now.max(to.millis());
        self.fire(TimeDomain::ProcessingTime, self.now)
    }

    /// The timers that a key waits for, as the last call that succeeded left them: those of event time, then those of processing time, each
    /// in order.
    pub fn timers(&self, key: &K) -> Vec<Timer> {
        let of = |domain| {
            let moments = self.waiting(domain).of_keys.get(key).into_iter().flatten();
            moments.map(move |at| Timer { domain, at: Timestamp::from_millis(*at) })
        };
        of(TimeDomain::EventTime).chain(of(TimeDomain::ProcessingTime)).collect()
    }

    /// How many timers were dropped at the end of input, since their moments never came.
    pub fn timers_dropped(&self) -> u64 {
        self.timers_dropped
    }

    pub(super) fn fire(&mut self, domain: TimeDomain, moment: i64) -> Result<()> {
        self.in_a_row.clear();
        loop {
            let (at, keys): (Vec<i64>, Vec<K>) = self.waiting(domain).due(moment, self.most_rows).into_iter().unzip();
            if keys.is_empty() {
                self.forget_values(domain, moment);
                return Ok(());
            }
            let (count, moments) = (keys.len() as u32, at.clone());
            let made = Made { keys: &keys, of_row: &[], fired: Some(Fired { domain, at, moment }), broadcast: false };
            self.call(made, |instance: &mut Instance<P>| instance.on_timers(domain, count, &moments))?;
        }
    }

    /// Forgets values whose moments have come.
    fn forget_values(&mut self, domain: TimeDomain, moment: i64) {
        let lives = |value: &[u8]| value.first_chunk().is_some_and(|until| i64::from_le_bytes(*until) > moment);
        for (values, state) in self.states.iter_mut().zip(&self.plan.states).filter(|(_, state)| state.expires == Some(domain)) {
            values.retain(|_, value| {
                if state.kind == StateKind::ListState {
                    let stored = Some(std::mem::take(value));
                    native::strings(&stored).filter(|item| lives(item)).for_each(|item| native::store_item(item, value));
                    return !value.is_empty();
                }
                if state.kind != StateKind::MapState {
                    return lives(value);
                }
                let mut map = native::map_of(&Some(std::mem::take(value)));
                map.retain(|_, value| lives(value));
                *value = native::stored_map(&map);
                !map.is_empty()
            });
        }
    }

    /// Drops those that wait for the clock: the input has ended.
    pub(super) fn drop_timers(&mut self) {
        self.timers_dropped += self.waiting(TimeDomain::ProcessingTime).count();
        *self.waiting_mut(TimeDomain::ProcessingTime) = Waiting::default();
    }

    /// What becomes of timers by a call about these keys; or why it fails after all.
    pub(super) fn change_timers(&mut self, keys: &[K], changes: &[TimerChange], fired: Option<&Fired>) -> Result<()> {
        for (key, &at) in keys.iter().zip(fired.iter().flat_map(|fired| &fired.at)) {
            fired.iter().for_each(|fired| self.waiting_mut(fired.domain).change(key, at, false));
        }
        for change in changes {
            let key = &keys[change.key as usize];
            let passed = fired.filter(|fired| {
                change.set
                    && (fired.domain, change.domain) == (TimeDomain::EventTime, TimeDomain::EventTime)
                    && change.at <= fired.moment
            });
            if let Some(fired) = passed {
                let times = self.in_a_row.entry(key.clone()).or_default();
                *times += 1;
                let [at_end, before] = IN_A_ROW;
                if fired.moment == i64::MAX && *times > at_end {
                    self.timers_dropped += 1;
                    continue;
                }
                if *times > before {
                    return Err(Error::fail(format!(
                        "set a timer whose moment had passed more than {before} times in a row, each time that it was handed the one before"
                    )));
                }
            }
            self.waiting_mut(change.domain).change(key, change.at, change.set);
        }
        Ok(())
    }

    fn waiting(&self, domain: TimeDomain) -> &Waiting<K> {
        &self.timers[domain as usize]
    }

    fn waiting_mut(&mut self, domain: TimeDomain) -> &mut Waiting<K> {
        &mut self.timers[domain as usize]
    }
}
