//! A guest that does, as its settings say, what no plugin should. Written on the bare contract, since the SDK would not let it.
#![cfg(target_arch = "wasm32")]

mod allocator;
mod columns;
mod messages;
mod outputs;
mod plan;
mod raw;
mod settings;
mod states;
mod stops;
mod timers;

use std::cell::{Cell, RefCell};

use wasmill_sdk::bindings::data::{Batch, Keys};
use wasmill_sdk::bindings::plan::TimeDomain;
use wasmill_sdk::bindings::stream_operator::exports::wasmill::plugin::operator::{Guest, Instance};
use wasmill_sdk::bindings::stream_operator::wasmill::plugin::{context, errors::Error, output};
use wasmill_sdk::bindings::{Array, BinaryArray, Column, Input, Origin, Plan, stream_operator};

use settings::{Do, Settings};

thread_local! {
    static SETTINGS: RefCell<Option<Settings>> = const { RefCell::new(None) };
    static CALLS: Cell<i64> = const { Cell::new(0) };
}

/// Rows and keys of a call.
struct Call {
    rows: Batch,
    keys: Option<Keys>,
}

impl Call {
    /// Emits every row as it is.
    fn pass(&self) {
        output::emit(0, &Origin::Batch, &[]);
    }

    /// The number of keys; none for an input without a key.
    fn keys(&self) -> u32 {
        self.keys.as_ref().map_or(0, |keys| keys.count)
    }

    /// The rows where the column that was asked for has the value that was asked for.
    fn chosen(&self, settings: &Settings) -> Vec<u32> {
        match self.rows.columns.first().map(|column| &column.values) {
            Some(Array::Int64(values)) => {
                (0..).zip(values).filter(|(_, value)| **value == settings.equals).map(|(row, _)| row).collect()
            }
            _ => Vec::new(),
        }
    }
}

struct Hostile;

impl Guest for Hostile {
    fn describe(settings: String, inputs: Vec<Input>) -> Result<Plan, Error> {
        let settings = Settings::read(&settings)?;
        match settings.what {
            Do::TrapInDescribe => stops::trap(),
            Do::PanicInDescribe => stops::panic(&settings.text),
            Do::LoopInDescribe => stops::endless(),
            Do::FailInDescribe => return Err(Error::Fail(settings.text)),
            Do::NowInDescribe => drop(context::now()),
            Do::LogInDescribe => messages::info(&settings.text),
            _ => {}
        }
        Ok(plan::plan(&settings, &inputs))
    }

    fn open(settings: String, _: Vec<Input>, _: Instance) -> Result<(), Error> {
        let settings = Settings::read(&settings)?;
        match settings.what {
            Do::TrapInOpen => stops::trap(),
            Do::PanicInOpen => stops::panic(&settings.text),
            Do::LoopInOpen => stops::endless(),
            Do::FailInOpen => return Err(Error::Fail(settings.text)),
            Do::RetryInOpen => return Err(Error::Retry(settings.text)),
            Do::GrowInOpen => stops::grow(),
            Do::StateInOpen => drop(states::load(0)),
            Do::EmitInOpen => output::emit(0, &Origin::Batch, &[]),
            Do::TrapInRealloc | Do::LoopInRealloc | Do::WildRealloc | Do::SkewedRealloc => allocator::spoil(settings.what),
            _ => {}
        }
        SETTINGS.set(Some(settings));
        Ok(())
    }

    fn process(_: u32, rows: Batch, keys: Option<Keys>) -> Result<(), Error> {
        allocator::mend();
        CALLS.set(CALLS.get() + 1);
        SETTINGS.with_borrow(|settings| match settings {
            Some(Settings { what: Do::LoopInPostReturn, .. }) => {
                drop((rows, keys));
                let error = Err(Error::Fail("freed after the call".to_owned()));
                allocator::spoil(Do::LoopInPostReturn);
                error
            }
            Some(settings) => process(settings, &Call { rows, keys }),
            None => Err(Error::Fail("not open".to_owned())),
        })
    }

    fn on_timers(domain: TimeDomain, keys: Keys, at: Vec<i64>) -> Result<(), Error> {
        SETTINGS.with_borrow(|settings| match settings {
            Some(settings) => timers::fired(settings, domain, &keys, &at),
            None => Err(Error::Fail("not open".to_owned())),
        })
    }

    fn migrate_state(_: u32, _: u32, _: Option<BinaryArray>, values: BinaryArray) -> Result<BinaryArray, Error> {
        Ok(values)
    }

    fn on_end() -> Result<(), Error> {
        SETTINGS.with_borrow(|settings| match settings {
            Some(settings) => on_end(settings),
            None => Err(Error::Fail("not open".to_owned())),
        })
    }
}

fn process(settings: &Settings, call: &Call) -> Result<(), Error> {
    let failed = || Err(Error::Fail(settings.text.clone()));
    let chosen = call.chosen(settings);
    let some = !chosen.is_empty();
    match settings.what {
        Do::Trap => stops::trap(),
        Do::Panic => stops::panic(&settings.text),
        Do::Loop => stops::endless(),
        Do::Spin => stops::spin(settings.count),
        Do::Recurse => drop(stops::recurse(0)),
        Do::Grow => stops::grow(),
        Do::GrowAtOnce => stops::grow_at_once(),
        Do::Leak => stops::leak(settings.count),
        Do::Fail => return failed(),
        Do::Retry => return Err(Error::Retry(settings.text.clone())),
        Do::RetryUntil if context::now() < settings.until => return Err(Error::Retry(settings.text.clone())),
        Do::TrapOn if some => stops::trap(),
        Do::PanicOn if some => stops::panic(&settings.text),
        Do::LoopOn if some => stops::endless(),
        Do::FailOn if some => return failed(),
        Do::RetryOn if some => return Err(Error::Retry(settings.text.clone())),
        Do::RejectOn => {
            output::reject(&chosen, &vec![settings.text.clone(); chosen.len()]);
            let rest: Vec<u32> = (0..call.rows.rows).filter(|row| !chosen.contains(row)).collect();
            output::emit(0, &Origin::Rows(rest), &[]);
            return Ok(());
        }
        Do::CountCalls => {
            let calls = vec![CALLS.get(); call.rows.rows as usize];
            output::emit(0, &Origin::Batch, &[Column { values: Array::Int64(calls), validity: None }]);
            return Ok(());
        }
        _ => return later(settings, call),
    }
    call.pass();
    Ok(())
}

/// What goes wrong with columns, outputs, states and messages.
fn later(settings: &Settings, call: &Call) -> Result<(), Error> {
    if columns::emit(settings, call) || outputs::emit(settings, call) || timers::set(settings, call) || raw::call(settings.what) {
        return Ok(());
    }
    states::touch(settings, call);
    messages::send(settings);
    match settings.what {
        Do::StoreThenTrap | Do::LogThenTrap => stops::trap(),
        Do::EmitThenTrap => {
            call.pass();
            stops::trap();
        }
        Do::EmitThenFail => {
            call.pass();
            return Err(Error::Fail(settings.text.clone()));
        }
        Do::StoreThenFail | Do::ItemsThenFail | Do::LogThenFail | Do::CountThenFail => {
            return Err(Error::Fail(settings.text.clone()));
        }
        _ => {}
    }
    call.pass();
    Ok(())
}

fn on_end(settings: &Settings) -> Result<(), Error> {
    match settings.what {
        Do::TrapInEnd => stops::trap(),
        Do::LoopInEnd => stops::endless(),
        Do::FailInEnd => return Err(Error::Fail(settings.text.clone())),
        Do::StateInEnd => drop(states::load(0)),
        Do::BatchInEnd => output::emit(0, &Origin::Batch, &[]),
        Do::RejectInEnd => output::reject(&[0], std::slice::from_ref(&settings.text)),
        _ => {}
    }
    Ok(())
}

stream_operator::export!(Hostile with_types_in stream_operator);
