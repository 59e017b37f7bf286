//! Which files a path stands for: one, those of a folder, or those of a pattern.

use std::path::{Component, Path, PathBuf};

use super::{FilePath, fault};
use crate::ConnectorError;

impl FilePath {
    /// The files that this path stands for, in the order of their names: the one file; for a path that ends in `/`, all in that folder
    /// but hidden ones and folders; for a pattern with `*`, `?` or `[`, all that it matches. A file that has such a name is itself.
    ///
    /// # Errors
    /// Codes `file-not-found` for no file at all, `file-unreadable`, `pattern-invalid`.
    pub fn files(&self) -> Result<Vec<Self>, ConnectorError> {
        let found = self.list()?;
        if found.is_empty() {
            let what = if self.is_folder() { "files in this folder" } else { "files that match this pattern" };
            let message = format!("{}: expected {what}, found none", self.written);
            let hint = "check the path; paths in a job file are relative to it";
            return Err(ConnectorError::new("file-not-found", message).with_hint(hint));
        }
        Ok(found)
    }

    /// As [`Self::files`], but none is no error.
    pub(super) fn list(&self) -> Result<Vec<Self>, ConnectorError> {
        let mut paths = if self.is_folder() {
            self.files_of_folder()?
        } else if self.is_pattern() {
            self.matching_files()?
        } else {
            return Ok(vec![self.clone()]);
        };
        paths.sort();
        Ok(paths.into_iter().map(|path| self.named(path)).collect())
    }

    fn is_folder(&self) -> bool {
        self.written.ends_with('/')
    }

    fn is_pattern(&self) -> bool {
        self.written.contains(['*', '?', '[']) && !self.path.exists()
    }

    fn files_of_folder(&self) -> Result<Vec<PathBuf>, ConnectorError> {
        let failed = |error: &std::io::Error| fault::input(self, "listed", error);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(|error| failed(&error))? {
            let entry = entry.map_err(|error| failed(&error))?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if !hidden && entry.path().is_file() {
                paths.push(entry.path());
            }
        }
        Ok(paths)
    }

    fn matching_files(&self) -> Result<Vec<PathBuf>, ConnectorError> {
        let options =
            glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, case_sensitive: true };
        let pattern = self.path.to_str().ok_or_else(|| self.invalid("expected UTF-8"))?;
        let matches = glob::glob_with(pattern, options).map_err(|error| self.invalid(error.msg))?;
        let mut paths = Vec::new();
        for path in matches {
            let path = path.map_err(|error| fault::input(&self.named(error.path().to_owned()), "listed", error.error()))?;
            if path.is_file() {
                paths.push(path);
            }
        }
        Ok(paths)
    }

    fn invalid(&self, why: &str) -> ConnectorError {
        ConnectorError::new("pattern-invalid", format!("{}: the pattern can't be read: {why}", self.written))
            .with_hint("`*` and `?` stand for characters of a name, `**` for folders, `[ab]` for one of some characters")
    }

    /// A path that this one stands for, with what the job would call it: what this path has in front of what the job wrote is left out.
    pub(super) fn named(&self, path: PathBuf) -> Self {
        let written: PathBuf = path.components().skip(self.base().components().count()).collect();
        Self { written: written.display().to_string(), path }
    }

    /// What this path has in front of what the job wrote.
    pub(super) fn base(&self) -> PathBuf {
        let written = Path::new(&self.written);
        if written.is_absolute() {
            return PathBuf::new();
        }
        let names = |path: &Path| path.components().filter(|part| *part != Component::CurDir).count();
        let before = names(&self.path).saturating_sub(names(written));
        self.path.components().take(before).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        }
        folder
    }

    fn files(folder: &Path, written: &str) -> Result<Vec<String>, String> {
        let path = FilePath { written: written.to_owned(), path: folder.join(written) };
        match path.files() {
            Ok(files) => {
                assert!(files.iter().all(|file| file.path.is_file()));
                Ok(files.into_iter().map(|file| file.written).collect())
            }
            Err(error) => Err(format!("{}: {}", error.code, error.message)),
        }
    }

    #[test]
    fn a_pattern_and_a_folder_are_their_files_in_the_order_of_names() {
        let folder =
            folder(&["data/b.csv", "data/a.csv", "data/10.csv", "data/c.txt", "data/.a.csv", "data/more/d.csv", "x[1].csv"]);
        let found = |written| files(folder.path(), written).expect("files");
        assert_eq!(found("data/*.csv"), ["data/10.csv", "data/a.csv", "data/b.csv"]);
        assert_eq!(found("data/?.csv"), ["data/a.csv", "data/b.csv"]);
        assert_eq!(found("data/**/*.csv"), ["data/10.csv", "data/a.csv", "data/b.csv", "data/more/d.csv"]);
        assert_eq!(found("data/"), ["data/10.csv", "data/a.csv", "data/b.csv", "data/c.txt"]);
        assert_eq!(found("./data/more/"), ["data/more/d.csv"]);
        assert_eq!(found("x[1].csv"), ["x[1].csv"]);
        let absolute = folder.path().join("data/?.csv").display().to_string();
        assert_eq!(found(&absolute)[0], folder.path().join("data/a.csv").display().to_string());
    }

    #[test]
    fn no_file_at_all_is_an_error() {
        let folder = folder(&["data/a/b.csv"]);
        let refused = |written| files(folder.path(), written).expect_err("no files");
        assert_eq!(refused("data/*.csv"), "file-not-found: data/*.csv: expected files that match this pattern, found none");
        assert_eq!(refused("data/"), "file-not-found: data/: expected files in this folder, found none");
        assert_eq!(refused("none/"), "file-not-found: none/: there is no such file");
        assert_eq!(refused("data/[.csv"), "pattern-invalid: data/[.csv: the pattern can't be read: invalid range pattern");
    }
}
