//! Timers that nobody wants, and what goes wrong when they fire.

use wasmill_sdk::bindings::Origin;
use wasmill_sdk::bindings::data::Keys;
use wasmill_sdk::bindings::plan::{TimeDomain, Wants};
use wasmill_sdk::bindings::stream_operator::wasmill::plugin::errors::Error;
use wasmill_sdk::bindings::stream_operator::wasmill::plugin::{context, output, timers};

use crate::Call;
use crate::settings::{Do, Settings};
use crate::stops;

/// What the plan wants for it; none where it has nothing to do with timers.
pub(crate) fn wanted(what: Do) -> Option<Wants> {
    match what {
        Do::ClockAgain => Some(Wants::PROCESSING_TIMERS),
        Do::LoopInTimer | Do::TrapInTimer | Do::TrapInTimerOn | Do::PanicInTimer | Do::FailInTimer | Do::TimerAgain => {
            Some(Wants::EVENT_TIMERS)
        }
        Do::TimerExtremes | Do::TimersOfOneKey | Do::TimersTooMany | Do::TimerUnknownKey | Do::TimerUneven => {
            Some(Wants::EVENT_TIMERS)
        }
        Do::TimerUnwanted | Do::BatchInTimer | Do::InputInTimer | Do::RejectInTimer => Some(Wants::EVENT_TIMERS),
        _ => None,
    }
}

/// Sets timers, if that is what is asked for.
pub(crate) fn set(settings: &Settings, call: &Call) -> bool {
    let keys: Vec<u32> = (0..call.keys()).collect();
    let event = |at: i64| timers::register(TimeDomain::EventTime, &keys, &vec![at; keys.len()]);
    match settings.what {
        what if wanted(what).is_none() => return false,
        Do::ClockAgain => timers::register(TimeDomain::ProcessingTime, &keys, &vec![context::now(); keys.len()]),
        Do::TimerExtremes => {
            event(i64::MIN);
            event(i64::MAX);
        }
        Do::TimersOfOneKey | Do::TimersTooMany => {
            let count = settings.count as i64;
            timers::register(TimeDomain::EventTime, &vec![0; settings.count as usize], &(0..count).collect::<Vec<_>>());
        }
        Do::TimerUnknownKey => timers::register(TimeDomain::EventTime, &[call.keys()], &[0]),
        Do::TimerUneven => timers::delete(TimeDomain::EventTime, &[0], &[]),
        Do::TimerUnwanted => timers::register(TimeDomain::ProcessingTime, &[0], &[0]),
        _ => event(0),
    }
    true
}

/// Timers fire.
pub(crate) fn fired(settings: &Settings, domain: TimeDomain, keys: &Keys, at: &[i64]) -> Result<(), Error> {
    let all: Vec<u32> = (0..keys.count).collect();
    match settings.what {
        Do::LoopInTimer => stops::endless(),
        Do::TrapInTimer => stops::trap(),
        Do::TrapInTimerOn if keys.columns.iter().any(|column| has(column, settings.equals)) => stops::trap(),
        Do::PanicInTimer => stops::panic(&settings.text),
        Do::FailInTimer => return Err(Error::Fail(settings.text.clone())),
        Do::TimerAgain | Do::ClockAgain => timers::register(domain, &all, at),
        Do::BatchInTimer => output::emit(0, &Origin::Batch, &[]),
        Do::InputInTimer => output::emit(0, &Origin::Keys(all), &[]),
        Do::RejectInTimer => output::reject(&[0], std::slice::from_ref(&settings.text)),
        _ => output::emit(0, &Origin::Keys(all), &[]),
    }
    Ok(())
}

fn has(column: &wasmill_sdk::bindings::Column, value: i64) -> bool {
    matches!(&column.values, wasmill_sdk::bindings::Array::Int64(values) if values.contains(&value))
}
