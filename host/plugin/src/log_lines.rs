//! What guests log: limited in rate, escaped, and passed on to the process's own log.

use std::time::Instant;

use crate::bindings::wasmill::plugin::log::Level;

/// What a line costs beside its text, in bytes: its time, its level, where it comes from.
const LINE: u64 = 64;

/// The log of one operator's instances.
#[derive(Debug)]
pub(crate) struct LogLines {
    operator: String,
    task: u32,
    /// Bytes a second.
    rate: u64,
    second: Instant,
    in_second: u64,
    dropped: u64,
}

impl LogLines {
    pub fn new(operator: &str, task: u32, rate: u64) -> Self {
        Self { operator: operator.to_owned(), task, rate, second: Instant::now(), in_second: 0, dropped: 0 }
    }

    pub fn line(&mut self, level: Level, message: &str) {
        if self.second.elapsed().as_secs() >= 1 {
            if self.dropped > 0 {
                tracing::warn!(target: "plugin", code = "plugin-log-dropped", operator = self.operator, task = self.task, dropped = self.dropped, "log lines over the rate limit were dropped");
            }
            (self.second, self.in_second, self.dropped) = (Instant::now(), 0, 0);
        }
        self.in_second += message.len() as u64 + LINE;
        if self.in_second > self.rate {
            self.dropped += 1;
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
    fn nothing_in_a_message_can_forge_a_line() {
        assert_eq!(escaped("a\nERROR b\x1b[31m é"), "a\\nERROR b\\u{1b}[31m é");
        assert_eq!(escaped("right\u{202e}left"), "right\\u{202e}left");
    }
}
