//! An open operator and the calls made to it.

use crate::bindings::data::{self, Keys};
use crate::bindings::{BinaryArray, Input, Plan};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::open::Open;
use crate::operator::StateSpec;
use crate::port::CallOf;
use crate::process_batch::{Batch, ProcessBatch};
use crate::state::item_of;
use crate::timers::{TimeDomain, TimerBatch};
use crate::{describe, metrics, settings};

/// An open operator.
pub struct Instance<P: ProcessBatch> {
    operator: P,
    cx: Context<P>,
    /// For each of the job's inputs, which of the operator's it is.
    inputs: Vec<usize>,
}

impl<P: ProcessBatch> Instance<P> {
    /// What the operator does with these settings and inputs.
    pub fn describe(settings: &str, inputs: &[Input]) -> Result<Plan> {
        describe::plan::<P>(settings, inputs)
    }

    /// Makes an instance.
    pub fn open(settings: &str, inputs: Vec<Input>, task: u32, parallelism: u32) -> Result<Self> {
        let places = describe::places::<P>(&inputs)?;
        let settings = settings::parse(settings)?;
        P::check(&settings)?;
        let mut operator = P::open(settings, &mut Open { task, parallelism, inputs })?;
        operator.number();
        Ok(Self { operator, cx: Context::new(), inputs: places })
    }

    /// Processes a batch of one of the job's inputs.
    pub fn process(&mut self, input: u32, batch: &data::Batch, keys: Option<&Keys>) -> Result<()> {
        let Self { operator, cx, inputs } = self;
        let input = *inputs.get(input as usize).ok_or_else(|| Error::fail("the host gave rows of an input that isn't there"))?;
        let keyed = P::STATES.iter().any(StateSpec::is_of_key) || !P::TIMERS.is_empty();
        if keyed && <P::Input<'_> as Inputs<'_>>::INPUTS[input].keyed && keys.is_none() {
            return Err(Error::fail("the operator keeps state, but the host gave rows without keys"));
        }
        operator.begin(keys.map_or(0, |keys| keys.count), CallOf::Rows(batch.rows));
        cx.begin(CallOf::Rows(batch.rows));
        let done = match Batch::bind(input, batch.rows, &batch.columns, keys) {
            Ok(rows) => operator.process_batch(rows, cx),
            Err(error) => Err(error),
        };
        self.finish(done)
    }

    /// The moments of timers have come, one of each key.
    pub fn on_timers(&mut self, domain: TimeDomain, keys: u32, at: &[i64]) -> Result<()> {
        if at.len() != keys as usize {
            return Err(Error::fail("the host gave another number of timers than of keys"));
        }
        self.operator.begin(keys, CallOf::Timers(keys));
        self.cx.begin(CallOf::Timers(keys));
        let done = self.operator.on_timers(TimerBatch { domain, at }, &mut self.cx);
        self.finish(done)
    }

    /// Values of an earlier version of a state, as the operator has them now.
    pub fn migrate(state: u32, from: u32, values: &BinaryArray) -> Result<BinaryArray> {
        let mut migrated = BinaryArray { offsets: vec![0], data: Vec::new() };
        for index in 0..values.offsets.len().saturating_sub(1) {
            migrated.data.extend(P::migrate(state, from, item_of(values, index))?);
            migrated.offsets.push(migrated.data.len() as u32);
        }
        Ok(migrated)
    }

    /// The end of bounded input.
    pub fn on_end(&mut self) -> Result<()> {
        self.operator.begin(0, CallOf::End);
        self.cx.begin(CallOf::End);
        let done = self.operator.on_end(&mut self.cx);
        self.finish(done)
    }

    fn finish(&mut self, done: Result<()>) -> Result<()> {
        let done = done.and_then(|()| self.operator.finish());
        match done {
            Ok(()) => {
                self.cx.finish();
                metrics::flush();
            }
            Err(_) => metrics::discard(),
        }
        done
    }
}
