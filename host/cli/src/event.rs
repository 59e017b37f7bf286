//! What the program says, as events for programs: one JSON object a line, each with a stable code.

use std::fmt;
use std::sync::OnceLock;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::arguments::LogFormat;
use crate::screen;

static FORMAT: OnceLock<LogFormat> = OnceLock::new();
static JOB: OnceLock<String> = OnceLock::new();

/// Says how events are printed from now on; the first to say so counts.
pub fn set_format(format: LogFormat) {
    let _ = FORMAT.set(format);
}

/// Says which job events are of from now on.
pub fn set_job(name: &str) {
    let _ = JOB.set(name.to_owned());
}

/// Whether events are printed as JSON.
#[must_use]
pub fn as_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// An event: what every one has, and what is its own.
#[derive(Debug)]
pub struct Event(Map<String, Value>);

impl Event {
    /// An event of now: `level` is `debug`, `info`, `warn` or `error`.
    #[must_use]
    pub fn new(level: &str, code: &str, message: impl Into<String>) -> Self {
        let now: DateTime<Utc> = SystemTime::now().into();
        let mut fields = Map::new();
        fields.insert("time".to_owned(), now.to_rfc3339_opts(SecondsFormat::Millis, true).into());
        fields.insert("level".to_owned(), level.into());
        fields.insert("code".to_owned(), code.into());
        fields.insert("message".to_owned(), message.into().into());
        fields.insert("job".to_owned(), JOB.get().cloned().into());
        fields.insert("operator".to_owned(), Value::Null);
        Self(fields)
    }

    /// The same with a field, or with another value of one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Prints it.
    pub fn print(self) {
        screen::print(self.line().as_bytes());
    }

    /// It as a line.
    #[must_use]
    pub fn line(self) -> String {
        format!("{}\n", Value::Object(self.0))
    }
}

/// Log lines as events. Their code is the field `code`, or what their target stands for.
pub struct EventLayer;

impl<S: Subscriber> Layer<S> for EventLayer {
    fn on_event(&self, logged: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = logged.metadata();
        let level = match *metadata.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        };
        let code = if metadata.target() == "plugin" { "plugin-log" } else { "log" };
        let mut event = Event::new(level, code, "");
        logged.record(&mut event);
        screen::log(event.line().as_bytes());
    }
}

impl Visit for Event {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_time_level_code_message_job_and_operator_always() {
        let Event(fields) = Event::new("warn", "a-code", "said").with("operator", "graded").with("row", 7);
        let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
        for key in ["time", "level", "code", "message", "job", "operator", "row"] {
            assert!(keys.contains(&key), "{key}");
        }
        assert_eq!((&fields["code"], &fields["operator"], &fields["row"]), (&"a-code".into(), &"graded".into(), &7.into()));
        let time = fields["time"].as_str().expect("a text");
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    }
}
