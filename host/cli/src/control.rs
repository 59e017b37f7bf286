//! How another process reaches a running job by its name: a socket in a folder of the user's own, one line of JSON each way.

pub mod client;
pub mod message;
pub mod server;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The folder of the sockets: `$XDG_RUNTIME_DIR/wasmill`, or without that variable a private one in that of temporary files.
#[must_use]
pub fn folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| Path::new(folder).is_absolute()) {
        Some(folder) => Path::new(&folder).join("wasmill"),
        None => std::env::temp_dir().join(format!("wasmill-{}", rustix::process::getuid().as_raw())),
    }
}

/// The socket of a job.
#[must_use]
pub fn socket(job: &str) -> PathBuf {
    folder().join(format!("{job}.sock"))
}

/// Sees that a folder is there, this user's, and nobody else's to enter: who may write to it may control jobs.
///
/// # Errors
/// Where it can't be made, or isn't safe.
fn private(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != rustix::process::getuid().as_raw() || found.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("expected a directory that only this user may enter (mode 700), found mode {:o}", found.mode() & 0o777),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let home = tempfile::tempdir().expect("a directory");
        let folder = home.path().join("wasmill");
        private(&folder).expect("made");
        private(&folder).expect("as it was made");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("opened");
        let error = private(&folder).expect_err("others may enter");
        assert_eq!(error.to_string(), "expected a directory that only this user may enter (mode 700), found mode 755");
    }
}
