//! Says when a sensor reads much more than it usually does.
//!
//! `process` is called for each row. What a sensor usually reads is state: the host keeps it for each key of `key-by`, takes
//! checkpoints of it, and hands it to whichever task has that key.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use wasmill_sdk::{Context, Error, Open, Operator, Process, Record, Result, StateValue, ValueState};

/// What is read of a row. Fields are columns by name and type; other columns of the input don't cross the sandbox. An `Option` may be null.
#[derive(Record)]
pub struct Reading {
    value: Option<f64>,
}

/// What is added to a row that comes out.
#[derive(Record)]
pub struct Spike {
    usual: f64,
}

/// What a job writes under `settings`. A setting that is wrong, missing or unknown is an error before the job starts.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// How many times as much as usual is too much.
    factor: f64,
    /// So many readings of a sensor are needed before any is judged.
    #[serde(default = "some_readings")]
    after: u64,
}

fn some_readings() -> u64 {
    3
}

/// What is remembered of a sensor.
#[derive(Clone, Default, StateValue)]
pub struct Seen {
    count: u64,
    sum: f64,
}

/// The operator. Fields of type `ValueState` hold a value for each key; other fields are a cache, gone whenever the host likes.
#[derive(Operator)]
#[operator(keep = "input")] // a row that comes out has all columns of the row that it comes from, then those of `Spike`
pub struct MyOperator {
    seen: ValueState<Seen>,
    settings: Settings,
}

impl Process for MyOperator {
    type Input<'a> = Reading;
    type Output = Spike;
    type Settings = Settings;

    /// Whether settings make sense; asked by `wasmill validate` and before every run.
    fn check(settings: &Settings) -> Result<()> {
        if settings.factor > 0.0 {
            return Ok(());
        }
        Err(Error::fail("settings: factor: expected a number above 0"))
    }

    fn open(settings: Settings, _: &mut Open) -> Result<Self> {
        Ok(Self { seen: ValueState::new(), settings })
    }

    fn process(&mut self, reading: Reading, cx: &mut Context<Self>) -> Result<()> {
        // A row that makes no sense goes to the job's dead letters with a reason. An `Err` or a panic would undo the whole batch.
        let Some(value) = reading.value else {
            cx.reject("value: a reading without a value can't be judged");
            return Ok(());
        };
        let mut seen = self.seen.get().unwrap_or_default();
        if seen.count >= self.settings.after {
            let usual = seen.sum / seen.count as f64;
            if value > self.settings.factor * usual {
                cx.emit(Spike { usual });
            }
        }
        seen.count += 1;
        seen.sum += value;
        self.seen.set(seen);
        Ok(())
    }
}

wasmill_sdk::export!(MyOperator);
