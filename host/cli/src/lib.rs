//! The `wasmill` command: puts jobs together from the crates that know their parts, and talks to people.
//!
//! A command's way: [`arguments`] reads what was asked for, [`commands`] does it, [`report`] prints what came of it, [`exit`] is how the
//! program ends. [`composition`] is the one place that knows every connector and every kind of operator.

pub mod arguments;
pub mod commands;
pub mod composition;
mod control;

mod event;
pub mod exit;
pub mod report;
mod screen;

mod activity;
pub mod error_codes;
mod job_file;
mod later;
mod logging;
mod metrics;
mod plugin_build;
mod plugin_cases;
pub mod plugin_directory;
mod plugin_project;
mod process;
mod progress;
mod recovery;
pub mod sandbox;
pub mod signals;
mod summary;
mod supervision;
mod table;
mod wasm_target;
mod watch;

use clap::Parser;
use wasmill_runtime::JobError;

use crate::arguments::Arguments;
use crate::exit::Exit;

/// Does what the command line asks for.
#[must_use]
pub fn main() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and the version are results, and go to standard output.
            let wrong = error.use_stderr();
            return match error.print() {
                Ok(()) if !wrong => Exit::Done,
                _ => Exit::Wrong,
            };
        }
    };
    logging::start(arguments.log_format);
    // For tests: ends the process at a place that is named, as a kill would.
    if let Ok(place) = std::env::var("WASMILL_ABORT_AT")
        && let Err(error) = wasmill_failpoint::abort_at(&place)
    {
        report::error(&JobError::new("invalid-option", format!("WASMILL_ABORT_AT: {error}")));
        return Exit::Wrong;
    }
    let exit = commands::run(arguments.command);
    screen::flush();
    exit
}
