//! A plugin's directory: where its file is, whether that is older than its sources, and how a job gets at it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasmill_job::catalog::PluginProblem;

use crate::composition::Prepare;
use crate::plugin_build;
use crate::report;
use crate::signals::Stop;

/// A directory with a plugin's sources, or with what was built of them.
#[derive(Debug, Clone)]
pub struct PluginDirectory {
    /// The directory as it was named.
    pub path: PathBuf,
    /// The plugin's name: the directory's.
    pub name: String,
}

/// Folders of a plugin's directory that it isn't made of.
const NOT_SOURCES: [&str; 6] = ["dist", "target", "cases", "tests", "examples", "out"];

/// What there is in `dist`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Built {
    /// The plugin, of these sources.
    Current,
    /// The plugin, older than this file.
    Older(PathBuf),
    /// Nothing.
    Missing,
}

impl PluginDirectory {
    /// The plugin's directory of this path.
    ///
    /// # Errors
    /// Where the path leads nowhere.
    pub fn of(path: &Path) -> Result<Self, PluginProblem> {
        let whole = path.canonicalize().map_err(|error| problem("plugin-unreadable", path, format!("can't be read: {error}")))?;
        let name = whole.file_name().map_or_else(|| "plugin".to_owned(), |name| name.to_string_lossy().into_owned());
        // Without a `.` in between, as in `jobs/./dist`.
        Ok(Self { path: path.components().collect(), name })
    }

    /// The same for a command that works on a plugin's directory.
    ///
    /// # Errors
    /// Where the path leads nowhere or to a file.
    pub fn checked(path: &Path) -> Result<Self, PluginProblem> {
        if path.is_dir() {
            return Self::of(path);
        }
        let found = if path.exists() { "is a file" } else { "isn't there" };
        Err(problem("plugin-unreadable", path, format!("{found}, expected a plugin's directory")))
    }

    /// The plugin's file, there or not.
    #[must_use]
    pub fn dist(&self) -> PathBuf {
        self.path.join("dist").join(format!("{}.wasm", self.name))
    }

    /// Whether there are sources that Cargo can build.
    #[must_use]
    pub fn has_sources(&self) -> bool {
        self.path.join("Cargo.toml").is_file()
    }

    /// Compares the plugin's file with all files of the directory that it may be made of: not with hidden ones (but for an SDK in
    /// `.wasmill`), nor with what was made, what tests it, and what a job wrote.
    ///
    /// # Errors
    /// Where the directory can't be read.
    pub fn built(&self) -> Result<Built, PluginProblem> {
        let unreadable = |error: io::Error| problem("plugin-unreadable", &self.path, format!("can't be read: {error}"));
        let built = match fs::metadata(self.dist()).and_then(|metadata| metadata.modified()) {
            Ok(built) => built,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Built::Missing),
            Err(error) => return Err(unreadable(error)),
        };
        if !self.has_sources() {
            return Ok(Built::Current);
        }
        let newer = newer_than(built, &self.path, true).map_err(unreadable)?;
        Ok(newer.map_or(Built::Current, Built::Older))
    }
}

/// A way from what a job names to a plugin's file: a file is itself; of a directory it is what was built, and with `build` it is built
/// where it is missing or older than its sources, until the program is asked to stop.
#[must_use]
pub fn prepare(build: bool, stop: Stop) -> Box<Prepare> {
    Box::new(move |path| {
        if !path.is_dir() {
            return Ok(path.to_owned());
        }
        let directory = PluginDirectory::of(path)?;
        let dist = directory.dist();
        let lacking = match directory.built()? {
            Built::Current => return Ok(dist),
            Built::Older(source) => format!("dist/{}.wasm is older than {}", directory.name, source.display()),
            Built::Missing if !directory.has_sources() => {
                let found = format!("is a directory with neither a Cargo.toml nor dist/{}.wasm", directory.name);
                return Err(problem(
                    "plugin-unreadable",
                    path,
                    format!("{found}, expected a .wasm file or a plugin's directory"),
                ));
            }
            Built::Missing => format!("dist/{}.wasm isn't there", directory.name),
        };
        if !build {
            let hint = format!("run `wasmill plugin build {}`, or leave --no-build out", path.display());
            return Err(PluginProblem { hint: Some(hint), ..problem("plugin-not-built", path, lacking) });
        }
        report::note(&format!("building plugin {}: {lacking}", directory.path.display()));
        plugin_build::build(&directory, &stop)
    })
}

/// A problem with the plugin of a path.
pub(crate) fn problem(code: &'static str, path: &Path, what: impl std::fmt::Display) -> PluginProblem {
    PluginProblem { code, message: format!("plugin {}: {what}", path.display()), hint: None }
}

/// A file of a directory that was changed after a moment, by its path from there.
fn newer_than(moment: SystemTime, directory: &Path, top: bool) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        let beside = top && NOT_SOURCES.iter().any(|beside| name == *beside);
        if beside || (name.to_string_lossy().starts_with('.') && name != ".wasmill") {
            continue;
        }
        if kind.is_dir() {
            if let Some(newer) = newer_than(moment, &entry.path(), false)? {
                return Ok(Some(Path::new(&name).join(newer)));
            }
        } else if fs::metadata(entry.path()).and_then(|metadata| metadata.modified()).is_ok_and(|changed| changed > moment) {
            return Ok(Some(name.into()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn write(path: &Path, age: u64) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        let file = fs::File::create(path).expect("written");
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("dated");
    }

    #[test]
    fn a_plugin_is_built_again_when_a_source_is_newer() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("grade");
        write(&path.join("Cargo.toml"), 100);
        write(&path.join("src/lib.rs"), 100);
        let directory = PluginDirectory::of(&path).expect("there");
        assert_eq!(directory.dist(), path.join("dist/grade.wasm"));
        assert_eq!(directory.built(), Ok(Built::Missing));
        write(&directory.dist(), 50);
        write(&path.join("target/x"), 0);
        write(&path.join("cases/one/expected.jsonl"), 0);
        write(&path.join("out/rows.ndjson"), 0);
        write(&path.join(".hidden"), 0);
        assert_eq!(directory.built(), Ok(Built::Current));
        write(&path.join("src/rows/one.rs"), 10);
        assert_eq!(directory.built(), Ok(Built::Older("src/rows/one.rs".into())));
        write(&directory.dist(), 5);
        write(&path.join(".wasmill/sdk/src/lib.rs"), 1);
        assert_eq!(directory.built(), Ok(Built::Older(".wasmill/sdk/src/lib.rs".into())));
    }

    #[test]
    fn what_is_not_built_and_must_not_be_is_an_error_that_says_what_to_do() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("grade");
        let refused = |path: &Path| prepare(false, Stop::never())(path).expect_err("refused");
        fs::create_dir(&path).expect("made");
        let shown = path.display();
        assert_eq!(
            refused(&path).message,
            format!(
                "plugin {shown}: is a directory with neither a Cargo.toml nor dist/grade.wasm, expected a .wasm file or a plugin's directory"
            )
        );
        write(&path.join("Cargo.toml"), 100);
        let problem = refused(&path);
        assert_eq!(problem.message, format!("plugin {shown}: dist/grade.wasm isn't there"));
        assert_eq!(problem.hint, Some(format!("run `wasmill plugin build {shown}`, or leave --no-build out")));
        write(&path.join("dist/grade.wasm"), 200);
        assert_eq!(refused(&path).message, format!("plugin {shown}: dist/grade.wasm is older than Cargo.toml"));
    }

    #[test]
    fn a_directory_with_only_a_built_plugin_and_a_file_are_taken_as_they_are() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("grade");
        write(&path.join("dist/grade.wasm"), 0);
        assert_eq!(prepare(false, Stop::never())(&path), Ok(path.join("dist/grade.wasm")));
        let file = path.join("other.wasm");
        assert_eq!(prepare(false, Stop::never())(&file), Ok(file));
    }
}
