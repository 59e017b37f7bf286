//! Says when rows of a key come in a burst: so many within so long, by the rows' own time.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use wasmill_sdk::{Context, Error, Open, Operator, Process, Record, Result, StateValue, Timestamp, ValueState};

/// What is read of a row.
#[derive(Record)]
pub struct Event {
    at: Timestamp,
}

/// What comes out, once a burst, behind the columns of the key.
#[derive(Record)]
pub struct Burst {
    /// When its first row was.
    since: Timestamp,
    /// When the row was that made it a burst.
    at: Timestamp,
    /// The rows until then, that one included.
    rows: u64,
}

/// What a job writes under `settings`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// So many rows are a burst.
    rows: u64,
    /// Within so many seconds of the first.
    seconds: u32,
}

/// The rows of a key that may become a burst.
#[derive(Clone, Default, StateValue)]
pub struct Run {
    since: i64,
    rows: u64,
}

/// The operator.
#[derive(Operator)]
#[operator(keep = "key")]
pub struct BurstAlert {
    run: ValueState<Run>,
    settings: Settings,
}

impl Process for BurstAlert {
    type Input<'a> = Event;
    type Output = Burst;
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<()> {
        match settings {
            Settings { rows: 2.., seconds: 1.. } => Ok(()),
            Settings { rows: 0 | 1, .. } => Err(Error::fail("settings: rows: expected 2 or more")),
            Settings { .. } => Err(Error::fail("settings: seconds: expected 1 or more")),
        }
    }

    fn open(settings: Settings, _: &mut Open) -> Result<Self> {
        Ok(Self { run: ValueState::new(), settings })
    }

    fn process(&mut self, event: Event, cx: &mut Context<Self>) -> Result<()> {
        let at = event.at.millis();
        let mut run = self.run.get().unwrap_or_default();
        let length = i64::from(self.settings.seconds) * 1_000;
        if run.rows == 0 || at - run.since >= length {
            run = Run { since: at, rows: 0 };
        }
        run.rows = run.rows.saturating_add(1);
        if run.rows == self.settings.rows {
            cx.emit(Burst { since: Timestamp::from_millis(run.since), at: event.at, rows: run.rows });
        }
        self.run.set(run);
        Ok(())
    }
}

wasmill_sdk::export!(BurstAlert);
