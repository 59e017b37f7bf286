//! Paths of a job file: relative to it, of the local file system, one file each.

use std::path::{Component, Path, PathBuf};

use crate::place::At;
use crate::problem::{Problems, code};

/// The path of a file that is read.
pub fn input(written: &At<String>, dir: &Path, problems: &mut Problems) -> Option<PathBuf> {
    let path = local(written, dir, problems)?;
    if written.value.contains(['*', '?', '[']) {
        let problem = problems.error(code::NOT_IN_THIS_VERSION, &written.spot).found(written.value.clone());
        problem.expected("the path of one file, not a pattern");
        return None;
    }
    Some(path)
}

/// A path of the local file system.
pub fn local(written: &At<String>, dir: &Path, problems: &mut Problems) -> Option<PathBuf> {
    if written.value.contains("://") {
        let problem = problems.error(code::NOT_IN_THIS_VERSION, &written.spot).found(written.value.clone());
        problem.expected("a path of the local file system");
        return None;
    }
    if written.value.contains('\0') {
        let problem = problems.error(code::INVALID_VALUE, &written.spot).found(written.value.clone());
        problem.expected("a path without zero characters");
        return None;
    }
    Some(join(dir, &written.value))
}

/// A path relative to the job file.
pub fn join(dir: &Path, written: &str) -> PathBuf {
    dir.join(written)
}

/// A path without `.` and `..`, by its text alone: links of the file system are not followed.
pub fn normalized(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_detours() {
        let same = |left: &str, right: &str| normalized(Path::new(left)) == normalized(Path::new(right));
        assert!(same("out/x", "./out//y/../x"));
        assert!(same("/x", "/../x"));
        assert!(same("../x", "a/../../x"));
        assert!(!same("../x", "x"));
    }
}
