//! What can be followed, and shared out to tasks.

use crate::graph::Compression;
use crate::place::At;
use crate::problem::{Problems, code};

/// Complains about files that are followed and can't be, compressed ones and those that are shared out to tasks, and about a limit of rows that
/// several tasks would each have for themselves.
pub fn check(
    path: &At<String>,
    compression: Option<Compression>,
    parallel_files: Option<&At<bool>>,
    follow: Option<&At<bool>>,
    limit: Option<u64>,
    problems: &mut Problems,
) {
    if let (Some(parallel), Some(_)) = (parallel_files.filter(|parallel| parallel.value), limit) {
        let problem = problems.error(code::NOT_IN_THIS_VERSION, &parallel.spot);
        problem.found_to_be("`parallel-files` with `limit`").expected("one of them");
    }
    let Some(follow) = follow.filter(|follow| follow.value) else { return };
    let compressed = match compression {
        Some(compression) => compression != Compression::None,
        None => path.value.ends_with(".gz") || path.value.ends_with(".zst"),
    };
    let mut refuse = |found: &str, expected: &str| {
        problems.error(code::NOT_IN_THIS_VERSION, &follow.spot).found_to_be(found).expected(expected);
    };
    if compressed {
        refuse("a compressed file that is followed", "`follow` with a file that isn't compressed");
    }
    if parallel_files.is_some_and(|parallel| parallel.value) {
        refuse("`follow` with `parallel-files`", "one of them");
    }
}
