//! Says when no rows of a key have come for a while, by the rows' own time.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;
use wasmill_sdk::{
    Context, Error, EventTimers, Open, Operator, Process, Record, Result, StateValue, Timer, Timestamp, ValueState,
};

/// What is read of a row.
#[derive(Record)]
pub struct Reading {
    at: Timestamp,
}

/// What comes out, once a silence, behind the columns of the key.
#[derive(Record, Debug, PartialEq)]
pub struct Silence {
    /// When its last row was.
    since: Timestamp,
    /// When it had been silent for so long.
    at: Timestamp,
}

/// What a job writes under `settings`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// So many seconds without a row are a silence.
    seconds: u32,
}

/// Rows of a key with no silence between them: when the first and the last was, in milliseconds.
#[derive(Clone, Debug, PartialEq, StateValue)]
pub struct Run {
    first: i64,
    last: i64,
}

/// The operator. A key has a timer for each of its runs, for when it will have been silent after it: then all rows until there have come,
/// so that what it says doesn't depend on the order in which rows come, nor on how many come together.
#[derive(Operator)]
#[operator(keep = "key")]
pub struct SilenceAlert {
    runs: ValueState<Vec<Run>>,
    timers: EventTimers,
    silence: Duration,
}

impl Process for SilenceAlert {
    type Input<'a> = Reading;
    type Output = Silence;
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<()> {
        if settings.seconds == 0 { Err(Error::fail("settings: seconds: expected 1 or more")) } else { Ok(()) }
    }

    fn open(settings: Settings, _: &mut Open) -> Result<Self> {
        let silence = Duration::from_secs(settings.seconds.into());
        Ok(Self { runs: ValueState::new(), timers: EventTimers::new(), silence })
    }

    fn process(&mut self, reading: Reading, cx: &mut Context<Self>) -> Result<()> {
        let (at, silence) = (reading.at, self.silence);
        let mut runs = self.runs.get().unwrap_or_default();
        let joins = |run: &Run| {
            let (first, last) = (Timestamp::from_millis(run.first), Timestamp::from_millis(run.last));
            first < at + silence && at < last + silence
        };
        if !runs.iter().any(joins) && cx.watermark().is_some_and(|watermark| at + silence <= watermark) {
            return Ok(()); // too late: its silence would be over already
        }
        let mut joined = Run { first: at.millis(), last: at.millis() };
        for run in runs.extract_if(.., |run| joins(run)) {
            self.timers.delete(Timestamp::from_millis(run.last) + silence);
            joined = Run { first: joined.first.min(run.first), last: joined.last.max(run.last) };
        }
        self.timers.set(Timestamp::from_millis(joined.last) + silence);
        runs.push(joined);
        self.runs.set(runs);
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<Self>) -> Result<()> {
        let last = timer.at - self.silence;
        let mut runs = self.runs.get().unwrap_or_default();
        runs.retain(|run| run.last != last.millis());
        if runs.is_empty() {
            self.runs.clear()
        } else {
            self.runs.set(runs)
        }
        cx.emit(Silence { since: last, at: timer.at });
        Ok(())
    }
}

wasmill_sdk::export!(SilenceAlert);
