//! The tree as its tests see it: where it is, and which files are in it.

use std::io;
use std::path::{Path, PathBuf};

/// The README, whose operator is compiled as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

/// The guide's chapters with operators in Rust, likewise.
#[cfg(doctest)]
pub mod guide {
    #[doc = include_str!("../../../docs/guide/src/operator.md")]
    pub struct Operator;
    #[doc = include_str!("../../../docs/guide/src/testing.md")]
    pub struct Testing;
}

/// The folder that holds the workspace.
///
/// # Panics
/// Never: this crate lies two folders below it.
#[must_use]
pub fn root() -> &'static Path {
    #[expect(clippy::expect_used, reason = "the path of this crate is known when it is compiled")]
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/tidy lies two folders below the root")
}

/// All files that people write whose names end in `.extension`, with paths relative to the root, sorted. What builds and jobs leave
/// behind is passed over: hidden folders, `out`, `dist`, and folders that carry cargo's cache tag.
///
/// # Errors
/// What reading a folder gave.
pub fn files(extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir()? {
            let path = entry?.path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                if !is_left_behind(&path) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path.strip_prefix(root()).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a folder holds what a build or a run left behind.
fn is_left_behind(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || ["out", "dist", "target"].contains(&&*name) || folder.join("CACHEDIR.TAG").exists()
}

/// The text of a file of the tree.
///
/// # Errors
/// What reading it gave, with the path.
pub fn text(path: impl AsRef<Path>) -> io::Result<String> {
    let path = path.as_ref();
    std::fs::read_to_string(root().join(path))
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
