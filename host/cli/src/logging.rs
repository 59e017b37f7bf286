//! Log lines to standard error: warnings, and what plugins say.

use std::io::{self, IsTerminal as _};

use crate::progress::Above;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. Where that was done before in this process, nothing changes.
pub fn start() {
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("plugin", LevelFilter::INFO)
        .with_target("wasmill_runtime::restore", LevelFilter::INFO);
    let lines = fmt::layer().with_writer(|| Above).with_ansi(io::stderr().is_terminal()).with_filter(levels);
    // The one error is that there is a subscriber already.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}
