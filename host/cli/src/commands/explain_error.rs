//! `wasmill explain-error`: what a code means, an example that gives it, and what to do.

use wasmill_job::nearest::nearest;
use wasmill_runtime::JobError;

use crate::error_codes::{PAGES, page};
use crate::exit::Exit;
use crate::report;

/// Explains a code; without one lists them all.
pub fn explain_error(code: Option<&str>) -> Exit {
    let Some(written) = code else {
        return report::result(&PAGES.iter().map(|page| format!("{:<28}{}\n", page.code, page.title)).collect::<String>());
    };
    // As it is printed, with what is around it.
    let code = written.trim_start_matches("error").trim_matches(['[', ']', ':', ' ']);
    if let Some(page) = page(code) {
        return report::result(&format!("{}\n\n{}", page.code, page.text));
    }
    let hint = match nearest(code, PAGES.iter().map(|page| page.code)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`wasmill explain-error` without a code lists them all".to_owned(),
    };
    report::error(&JobError::new("unknown-code", format!("there is no error `{written}`")).with_hint(hint));
    Exit::Wrong
}
