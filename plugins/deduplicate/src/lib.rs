//! Lets the first of rows with the same key through, and the next when none has come for a while.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;
use wasmill_sdk::{Context, Error, ExpiringState, Open, Operator, Process, Record, Result, Timestamp};

/// What is read of a row.
#[derive(Record)]
pub struct Row {
    at: Timestamp,
}

/// What comes out: the row as it is.
#[derive(Record)]
pub struct Same {}

/// What a job writes under `settings`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// A key is remembered for so many seconds after its last row.
    seconds: u32,
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "input")]
pub struct Deduplicate {
    seen: ExpiringState<()>,
}

impl Process for Deduplicate {
    type Input<'a> = Row;
    type Output = Same;
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<()> {
        if settings.seconds == 0 { Err(Error::fail("settings: seconds: expected 1 or more")) } else { Ok(()) }
    }

    fn open(settings: Settings, _: &mut Open) -> Result<Self> {
        Ok(Self { seen: ExpiringState::new(Duration::from_secs(settings.seconds.into())) })
    }

    fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
        if self.seen.get(row.at).is_none() {
            cx.emit(Same {});
        }
        self.seen.set((), row.at);
        Ok(())
    }
}

wasmill_sdk::export!(Deduplicate);
