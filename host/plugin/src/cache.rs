//! Compiled code, kept on disk between runs: `DIGEST-ENGINE.cwasm` in a directory that only its owner can read or write.
//!
//! An entry is 32 bytes of SHA-256 over the rest, and wasmtime's serialized component. A file that is missing, cut off, altered or
//! made by another engine is a miss, never an error: the component is compiled again and the entry written anew.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A directory of compiled code.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// Opens the directory, making it (mode 0700) where it isn't there.
    ///
    /// # Errors
    /// Where it can't be made, or is there but may be written by others: code is loaded from it, so it must be ours alone.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let metadata = fs::metadata(directory)?;
        let ours = fs::metadata("/proc/self").map_or(metadata.uid(), |process| process.uid());
        if metadata.uid() != ours || metadata.permissions().mode() & 0o022 != 0 {
            return Err(io::Error::other(format!(
                "{} may be written by others; compiled code is only kept in a directory of one's own (chmod 700)",
                directory.display()
            )));
        }
        Ok(Self { directory: directory.to_owned() })
    }

    fn path(&self, digest: &str, engine: &str) -> PathBuf {
        self.directory.join(format!("{digest}-{engine}.cwasm"))
    }

    /// The serialized component, where there is a sound one.
    pub(crate) fn get(&self, digest: &str, engine: &str) -> Option<Vec<u8>> {
        let entry = fs::read(self.path(digest, engine)).ok()?;
        let (sum, code) = entry.split_at_checked(32)?;
        (Sha256::digest(code).as_slice() == sum).then(|| code.to_vec())
    }

    /// Keeps a serialized component. Written aside and renamed, so that no one sees half of it.
    pub(crate) fn put(&self, digest: &str, engine: &str, code: &[u8]) -> io::Result<()> {
        let path = self.path(digest, engine);
        let aside = path.with_extension(format!("{}.new", std::process::id()));
        let written = fs::File::create(&aside)
            .and_then(|mut file| file.write_all(&Sha256::digest(code)).and_then(|()| file.write_all(code)))
            .and_then(|()| fs::rename(&aside, &path));
        if written.is_err() {
            let _ = fs::remove_file(&aside);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_got_until_it_is_altered() {
        let directory = tempfile::tempdir().expect("a directory");
        let cache = Cache::open(&directory.path().join("cache")).expect("opens");
        assert_eq!(cache.get("d", "e"), None);
        cache.put("d", "e", b"code").expect("kept");
        assert_eq!(cache.get("d", "e").as_deref(), Some(&b"code"[..]));
        assert_eq!(cache.get("d", "other"), None);
        let path = cache.path("d", "e");
        let mut bytes = fs::read(&path).expect("there");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&path, &bytes).expect("written");
        assert_eq!(cache.get("d", "e"), None, "one bit is enough");
        fs::write(&path, b"short").expect("written");
        assert_eq!(cache.get("d", "e"), None, "cut off");
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("cache");
        fs::create_dir(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("opened to all");
        let error = Cache::open(&path).expect_err("refused");
        assert!(error.to_string().contains("may be written by others"), "{error}");
    }
}
