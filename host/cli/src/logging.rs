//! Log lines to standard error: warnings, and what plugins say.

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::arguments::LogFormat;
use crate::event::{self, Event, EventLayer};
use crate::{report, screen};

/// Starts logging. Where that was done before in this process, nothing changes.
pub fn start(format: LogFormat) {
    event::set_format(format);
    if let Err(error) = screen::print_logged(dropped) {
        report::note(&format!("the system refuses a thread for log lines, so none are shown: {error}"));
    }
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("plugin", LevelFilter::INFO)
        .with_target("wasmill_runtime::restore", LevelFilter::INFO);
    // The one error is that there is a subscriber already.
    let _ = match format {
        LogFormat::Text => {
            let lines = fmt::layer().with_writer(|| screen::Lines).with_ansi(screen::has_colours());
            tracing_subscriber::registry().with(lines.with_filter(levels)).try_init()
        }
        LogFormat::Json => tracing_subscriber::registry().with(EventLayer.with_filter(levels)).try_init(),
    };
}

/// What is printed in the place of lines that were dropped.
fn dropped(lines: u64) -> String {
    let text = format!("{lines} log lines were dropped: standard error was not read");
    if event::as_json() { Event::new("warn", "log-dropped", text).line() } else { format!("note: {text}\n") }
}
