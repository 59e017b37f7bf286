//! One process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::error::CheckpointError;

/// A store's lock, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a store, and leaves this process's id in it, for the message that another gets.
    pub fn take(root: &Path) -> Result<Self, CheckpointError> {
        let path = root.join("lock");
        let refused = || CheckpointError::io(&path, "lock");
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(refused())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let known = file.read_to_string(&mut process).is_ok() && !process.trim().is_empty();
                let process = known.then(|| process.trim().to_owned());
                return Err(CheckpointError::Locked { path: root.to_owned(), process });
            }
            Err(TryLockError::Error(error)) => return Err(refused()(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(refused())?;
        Ok(Self { _file: file })
    }
}
