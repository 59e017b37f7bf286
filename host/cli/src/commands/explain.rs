//! `wasmill explain`: what a job does, what runs where, and what survives a kill.

use crate::arguments::{ExplainArgs, ExplainFormat};
use crate::commands::compose;
use crate::exit::Exit;
use crate::later::not_in_this_version;
use crate::{job_file, report};

/// Explains a job.
pub fn explain(args: &ExplainArgs) -> Exit {
    let format = match args.format {
        ExplainFormat::Text => None,
        ExplainFormat::Json => Some("json"),
        ExplainFormat::Mermaid => Some("mermaid"),
        ExplainFormat::Dot => Some("dot"),
    };
    if let Some(format) = format {
        return not_in_this_version(&format!("`explain --format {format}`"), Some("leave `--format` out for text"));
    }
    let composition = match compose(true) {
        Ok(composition) => composition,
        Err(exit) => return exit,
    };
    let loaded = job_file::open(&args.job, &composition);
    loaded.print_problems();
    match &loaded.job {
        Some(job) => report::result(&wasmill_job::explain::explain(job, &wasmill_job::plan::plan(job))),
        None => Exit::Wrong,
    }
}
