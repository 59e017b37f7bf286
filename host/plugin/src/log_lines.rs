//! What guests log: limited in rate, escaped, and passed on to the process's own log.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::bindings::wasmill::plugin::log::Level;

/// What a line costs beside its text, in bytes: its time, its level, where it comes from.
const LINE: u64 = 64;

/// The log of one task's instances: they share its rate, so that none has it anew by being one more.
#[derive(Debug)]
pub(crate) struct LogLines {
    operator: String,
    task: u32,
    /// Bytes a second.
    rate: u64,
    meter: Mutex<Meter>,
}

#[derive(Debug)]
struct Meter {
    second: Instant,
    in_second: u64,
    dropped: u64,
}

impl LogLines {
    pub fn new(operator: &str, task: u32, rate: u64) -> Self {
        Self {
            operator: operator.to_owned(),
            task,
            rate,
            meter: Mutex::new(Meter { second: Instant::now(), in_second: 0, dropped: 0 }),
        }
    }

    pub fn line(&self, level: Level, message: &str) {
        if !self.may_log(message.len() as u64 + LINE) {
            return;
        }
        let (operator, task, message) = (&self.operator, self.task, escaped(message));
        match level {
            Level::Debug => tracing::debug!(target: "plugin", operator, task, "{message}"),
            Level::Info => tracing::info!(target: "plugin", operator, task, "{message}"),
            Level::Warn => tracing::warn!(target: "plugin", operator, task, "{message}"),
            Level::Error => tracing::error!(target: "plugin", operator, task, "{message}"),
        }
    }
}

impl LogLines {
    /// Whether so many bytes more are within the rate; where not, they are counted.
    fn may_log(&self, bytes: u64) -> bool {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        if meter.second.elapsed().as_secs() >= 1 {
            self.say_dropped(meter.dropped);
            *meter = Meter { second: Instant::now(), in_second: 0, dropped: 0 };
        }
        meter.in_second += bytes;
        let within = meter.in_second <= self.rate;
        meter.dropped += u64::from(!within);
        within
    }

    fn say_dropped(&self, dropped: u64) {
        if dropped > 0 {
            tracing::warn!(target: "plugin", code = "plugin-log-dropped", operator = self.operator, task = self.task, dropped, "log lines over the rate limit were dropped");
        }
    }
}

impl Drop for LogLines {
    fn drop(&mut self) {
        // A burst at the very end is said, too.
        let dropped = self.meter.get_mut().unwrap_or_else(PoisonError::into_inner).dropped;
        self.say_dropped(dropped);
    }
}

/// A message in which nothing can forge a line or drive a terminal: control characters as their escapes.
pub(crate) fn escaped(message: &str) -> String {
    message.chars().fold(String::with_capacity(message.len()), |mut text, character| {
        if character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_its_rate_and_no_more() {
        let log = LogLines::new("o", 0, 1_000);
        assert!(log.may_log(600) && !log.may_log(600) && !log.may_log(1));
        let meter = log.meter.lock().expect("whole");
        assert_eq!(meter.dropped, 2);
    }

    #[test]
    fn nothing_in_a_message_can_forge_a_line() {
        assert_eq!(escaped("a\nERROR b\x1b[31m é"), "a\\nERROR b\\u{1b}[31m é");
        assert_eq!(escaped("right\u{202e}left"), "right\\u{202e}left");
    }
}
