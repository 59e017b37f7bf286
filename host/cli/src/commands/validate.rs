//! `wasmill validate`: everything that is wrong with a job, without running it.

use serde::Serialize;
use wasmill_job::Problem;

use crate::arguments::{Format, ValidateArgs};
use crate::commands::compose;
use crate::exit::Exit;
use crate::signals::Stop;
use crate::{job_file, report};

/// What `--format json` prints.
#[derive(Serialize)]
struct Verdict<'a> {
    valid: bool,
    problems: &'a [Problem],
}

/// Validates a job; plugins that aren't built are built, since only they know their outputs.
pub fn validate(args: &ValidateArgs) -> Exit {
    let composition = match compose(true, Stop::never()) {
        Ok(composition) => composition,
        Err(exit) => return exit,
    };
    let loaded = job_file::open(&args.job, &composition);
    let valid = loaded.job.is_some();
    let printed = match args.format {
        Format::Json => {
            let verdict = serde_json::to_string(&Verdict { valid, problems: &loaded.problems });
            report::result(&format!("{}\n", verdict.unwrap_or_default()))
        }
        Format::Text => {
            loaded.print_problems();
            match &loaded.job {
                Some(job) => report::result(&format!("{}: job `{}` is valid\n", args.job.job.display(), job.name)),
                None => Exit::Done,
            }
        }
    };
    if valid { printed } else { Exit::Wrong }
}
