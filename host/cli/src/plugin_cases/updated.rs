//! Writes what comes out of a case as what is expected of it.

use std::fs;
use std::io;

use wasmill_job::catalog::PluginProblem;

use super::case::{Case, Outcome, invalid};

/// Writes the files of what comes out; those of outputs without rows are taken away, but for the main one. The names of those that
/// changed.
///
/// # Errors
/// Where a file can't be written.
pub fn update(case: &Case, found: &Outcome) -> Result<Vec<String>, PluginProblem> {
    let mut changed = Vec::new();
    for (number, (file, lines)) in found.iter().enumerate() {
        let path = case.folder.join(file);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let before = fs::read_to_string(&path).ok();
        let written = match (number == 0 || !lines.is_empty(), before) {
            (true, Some(before)) if before == text => continue,
            (true, _) => fs::write(&path, text),
            (false, None) => continue,
            (false, Some(_)) => fs::remove_file(&path),
        };
        written.map_err(|error: io::Error| invalid(&path, format!("can't be written: {error}")))?;
        changed.push(file.clone());
    }
    Ok(changed)
}
