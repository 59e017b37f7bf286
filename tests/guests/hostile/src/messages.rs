//! Messages and figures that nobody wants.

use wasmill_sdk::bindings::stream_operator::wasmill::plugin::log::{Level, log};
use wasmill_sdk::bindings::stream_operator::wasmill::plugin::metrics;

use crate::settings::{Do, Settings};

/// Sends what is asked for.
pub(crate) fn send(settings: &Settings) {
    match settings.what {
        Do::LogFlood => (0..settings.count).for_each(|line| info(&format!("line {line} of a flood {}", "~".repeat(80)))),
        Do::LogControl => info("\u{1b}[2J\u{1b}]0;title\u{7}first line\r\nERROR forged second line\u{0}\u{202e}reversed"),
        Do::LogLong => info(&"x".repeat(settings.count as usize)),
        Do::LogThenTrap | Do::LogThenFail => info(&settings.text),
        Do::MetricBadName => metrics::counter(&settings.text, 1),
        Do::MetricManyNames => (0..settings.count).for_each(|name| metrics::counter(&format!("name_{name}"), 1)),
        Do::CountThenFail => metrics::counter("rows", 1),
        _ => {}
    }
}

pub(crate) fn info(text: &str) {
    log(Level::Info, text);
}

pub(crate) fn error(text: &str) {
    log(Level::Error, text);
}
