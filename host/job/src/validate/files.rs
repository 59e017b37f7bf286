//! No file is written by two, and none is written that is read: rows would be lost or mixed up.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::place::{At, Spot};
use crate::problem::{Problems, code};
use crate::validate::Given;
use crate::validate::paths::{join, normalized};
use crate::written::{Computation, Job, SinkConnector, SourceConnector, Verb};

/// What can be read or written by one only.
#[derive(PartialEq, Eq, Hash)]
enum Thing {
    File(PathBuf),
    StandardInput,
    StandardOutput,
}

/// That something reads or writes a thing.
struct Claim<'a> {
    thing: Thing,
    /// As written.
    written: String,
    spot: Option<&'a Spot>,
    /// Who, in words: `sink x writes it`.
    by: String,
    /// Whether nobody else may have it.
    alone: bool,
}

/// Complains about every file that is written and has another use.
pub fn check(job: &Job, given: &Given<'_>, problems: &mut Problems) {
    let mut first: HashMap<Thing, (String, bool)> = HashMap::new();
    for claim in claims(job, given) {
        let Some((by, alone)) = first.get(&claim.thing) else {
            first.insert(claim.thing, (claim.by, claim.alone));
            continue;
        };
        if let (Some(spot), true) = (claim.spot, claim.alone || *alone) {
            problems.error(code::SAME_FILE, spot).found(claim.written).expected(format!("a file of its own: {by}"));
        }
    }
    check_many(job, given, problems);
}

/// Complains about every file that is written and that a source would find in its folder or by its pattern, and about every folder of parts
/// in which a source reads: parts that are there already are removed.
fn check_many(job: &Job, given: &Given<'_>, problems: &mut Problems) {
    let sinks = job.sinks.iter().map(|sink| sink.connector.as_ref());
    let written = sinks.chain(job.dead_letters.iter().map(|letters| letters.connector.as_ref()));
    let written: Vec<&At<String>> = written
        .filter_map(|connector| match connector {
            Some(SinkConnector::File { path: Some(path), .. }) => Some(path),
            _ => None,
        })
        .collect();
    for source in &job.sources {
        let Some(SourceConnector::File { path: Some(many), .. }) = &source.connector else { continue };
        for path in &written {
            if path.value.ends_with('/') && holds(given.dir, &path.value, &many.value) {
                let by = format!("source `{}` reads {}, and what is written there replaces parts", source.name.value, many.value);
                problems.error(code::SAME_FILE, &path.spot).found(path.value.clone()).expected(format!("another folder: {by}"));
            } else if finds(given.dir, &many.value, &path.value) {
                let by = format!("source `{}` reads all of {}", source.name.value, many.value);
                problems.error(code::SAME_FILE, &path.spot).found(path.value.clone()).expected(format!("another file: {by}"));
            }
        }
    }
}

/// Whether what a source reads, a file, a folder or a pattern, may lie right in a folder.
fn holds(dir: &Path, folder: &str, source: &str) -> bool {
    let folder = normalized(&join(dir, folder));
    let source_path = normalized(&join(dir, source));
    if source.ends_with('/') {
        return source_path == folder;
    }
    let Some(parent) = source_path.parent() else { return false };
    let pattern = parent.to_str().and_then(|parent| glob::Pattern::new(parent).ok());
    parent == folder || pattern.is_some_and(|pattern| pattern.matches_path(&folder))
}

/// Whether a file is in a folder, which ends in `/`, or matches a pattern.
fn finds(dir: &Path, many: &str, file: &str) -> bool {
    let file = normalized(&join(dir, file));
    let all = normalized(&join(dir, many));
    if many.ends_with('/') {
        return file.parent() == Some(all.as_path());
    }
    let options = glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, case_sensitive: true };
    let pattern = all.to_str().filter(|_| many.contains(['*', '?', '['])).and_then(|all| glob::Pattern::new(all).ok());
    pattern.is_some_and(|pattern| pattern.matches_path_with(&file, options))
}

/// All claims; those that read come first, so that complaints are about what would destroy them.
fn claims<'a>(job: &'a Job, given: &'a Given<'_>) -> Vec<Claim<'a>> {
    let file = |path: &'a At<String>, by: String, alone: bool| Claim {
        thing: Thing::File(normalized(&join(given.dir, &path.value))),
        written: path.value.clone(),
        spot: Some(&path.spot),
        by,
        alone,
    };
    let itself = Thing::File(normalized(Path::new(given.file)));
    let mut claims = vec![Claim {
        thing: itself,
        written: given.file.to_owned(),
        spot: None,
        by: "it is the job file".to_owned(),
        alone: true,
    }];
    for source in &job.sources {
        let by = format!("source `{}` reads it", source.name.value);
        match &source.connector {
            Some(SourceConnector::File { path: Some(path), .. }) => claims.push(file(path, by, false)),
            Some(SourceConnector::Stdio { spot, .. }) => {
                let written = "stdio".to_owned();
                claims.push(Claim { thing: Thing::StandardInput, written, spot: Some(spot), by, alone: true });
            }
            _ => {}
        }
    }
    for operator in &job.operators {
        if let Some(Verb::Plugin { path, .. }) = &operator.verb {
            claims.push(file(path, format!("it is the plugin of `{}`", operator.name.value), false));
        }
        if let Some(Verb::Aggregate { columns, .. }) = &operator.verb {
            for column in columns {
                if let Some(Computation::Plugin(plugin)) = &column.by {
                    let by = format!("it is the plugin of `{}.aggregate.{}`", operator.name.value, column.name.value);
                    claims.push(file(&plugin.path, by, false));
                }
            }
        }
    }
    let store = job.checkpoint.as_ref().and_then(|checkpoint| checkpoint.store.as_ref());
    if let Some(store) = store.filter(|store| !store.value.contains("://") && store.value != "memory:") {
        claims.push(file(store, "checkpoints are kept in it".to_owned(), true));
    }
    let sinks = job.sinks.iter().map(|sink| (sink.connector.as_ref(), format!("sink `{}` writes it", sink.name.value)));
    let letters = job.dead_letters.iter().map(|letters| (letters.connector.as_ref(), "dead letters go to it".to_owned()));
    for (connector, by) in sinks.chain(letters) {
        match connector {
            Some(SinkConnector::File { path: Some(path), .. }) => claims.push(file(path, by, true)),
            Some(SinkConnector::Stdio { spot, .. }) => {
                let written = "stdio".to_owned();
                claims.push(Claim { thing: Thing::StandardOutput, written, spot: Some(spot), by, alone: true });
            }
            _ => {}
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::{finds, holds};
    use std::path::Path;

    #[test]
    fn a_file_is_found_in_its_folder_and_by_patterns_that_match_it() {
        let found = |many, file| finds(Path::new("jobs"), many, file);
        assert!(found("data/", "data/x.csv") && found("./data/", "data/../data/x.csv"));
        assert!(!found("data/", "data/more/x.csv") && !found("data/", "x.csv") && !found("data", "data/x.csv"));
        assert!(found("data/*.csv", "data/x.csv") && found("**/*.csv", "data/more/x.csv") && found("/o/?.csv", "/o/x.csv"));
        assert!(!found("data/*.csv", "data/more/x.csv") && !found("*.csv", "out/x.csv") && !found("*.csv", ".x.csv"));
    }

    #[test]
    fn a_folder_of_parts_holds_what_is_read_right_in_it() {
        let held = |folder, source| holds(Path::new("jobs"), folder, source);
        assert!(held("data/", "data/part-*.ndjson") && held("data/", "./data/") && held("data/", "x/../data/part-1-0.ndjson"));
        assert!(held("data/", "*/x.csv") && held("data/", "da?a/*.csv"));
        assert!(!held("data/", "data/more/*.csv") && !held("data/", "*.csv") && !held("data/", "other/x.csv"));
    }
}
