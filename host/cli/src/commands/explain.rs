//! `wasmill explain`: what a job does, what runs where, and what survives a kill.

use wasmill_job::explain::{Explanation, explain as as_text};
use wasmill_job::plan::plan;

use crate::arguments::{ExplainArgs, ExplainFormat};
use crate::commands::compose;
use crate::exit::Exit;
use crate::signals::Stop;
use crate::{job_file, report};

/// Explains a job.
pub fn explain(args: &ExplainArgs) -> Exit {
    let composition = match compose(true, Stop::never()) {
        Ok(composition) => composition,
        Err(exit) => return exit,
    };
    let loaded = job_file::open(&args.job, &composition);
    loaded.print_problems();
    let Some(job) = &loaded.job else { return Exit::Wrong };
    let plan = plan(job);
    let explanation = || Explanation::of(job, &plan);
    report::result(&match args.format {
        ExplainFormat::Text => as_text(job, &plan),
        ExplainFormat::Json => format!("{}\n", serde_json::to_string(&explanation()).unwrap_or_default()),
        ExplainFormat::Mermaid => explanation().mermaid(),
        ExplainFormat::Dot => explanation().dot(),
    })
}
