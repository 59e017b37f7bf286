//! What is said when a file can't be used.

use std::io;

use super::{Compression, FilePath};
use crate::ConnectorError;
use crate::rows::Place;

/// An input file that can't be opened or read.
pub(crate) fn input(file: &FilePath, doing: &str, error: &io::Error) -> ConnectorError {
    let path = &file.written;
    match error.kind() {
        io::ErrorKind::NotFound => ConnectorError::new("file-not-found", format!("{path}: there is no such file"))
            .with_hint("check the path; paths in a job file are relative to it"),
        io::ErrorKind::PermissionDenied => {
            ConnectorError::new("file-unreadable", format!("{path}: the file may not be read (permission denied)"))
                .with_hint("let the user who runs the job read it")
        }
        _ => {
            hinted(ConnectorError::new("file-unreadable", format!("{path}: the file can't be {doing}: {}", reason(error))), error)
        }
    }
}

/// With what to do where a process has as many files open as it may.
fn hinted(fault: ConnectorError, error: &io::Error) -> ConnectorError {
    match error.raw_os_error() {
        Some(TOO_MANY_IN_SYSTEM | TOO_MANY_IN_PROCESS) => {
            fault.with_hint("let the process open more files (`ulimit -n`), or name fewer files")
        }
        _ => fault,
    }
}

/// `ENFILE` and `EMFILE`, for which `io::ErrorKind` has no name.
const TOO_MANY_IN_SYSTEM: i32 = 23;
const TOO_MANY_IN_PROCESS: i32 = 24;

/// A compressed file that is cut off or broken, which was read up to `place` of what it holds.
pub(crate) fn archive(file: &FilePath, compression: Compression, place: Place, error: &io::Error) -> ConnectorError {
    let (path, name) = (&file.written, compression.name());
    let read = format!("{} lines ({} bytes) were read before that", place.line, place.byte);
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            let message = format!("{path}: expected a whole {name} archive, found one that is cut off; {read}");
            ConnectorError::new("archive-cut-off", message).with_hint("fetch or write the file again; what was read is not lost")
        }
        _ => {
            let message = format!("{path}: expected a {name} archive, found what isn't one ({}); {read}", reason(error));
            ConnectorError::new("archive-broken", message)
                .with_hint("fetch or write the file again, or say `compression: none` where it isn't compressed")
        }
    }
}

/// An output file that can't be opened or written.
pub(super) fn output(file: &FilePath, doing: &str, error: &io::Error) -> ConnectorError {
    let path = &file.written;
    match error.kind() {
        kind if is_full(kind) => disk_full(file, doing, error),
        io::ErrorKind::PermissionDenied => {
            ConnectorError::new("file-unwritable", format!("{path}: the file may not be written (permission denied)"))
                .with_hint("let the user who runs the job write it and its folder, or choose another path")
        }
        _ => {
            hinted(ConnectorError::new("file-unwritable", format!("{path}: the file can't be {doing}: {}", reason(error))), error)
        }
    }
}

/// Whether an error says that there is no room.
pub(super) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// No room; `doing` says for what, and what became of the rows.
pub(super) fn disk_full(file: &FilePath, doing: &str, error: &io::Error) -> ConnectorError {
    ConnectorError::new("disk-full", format!("{}: the file can't be {doing}: {}", file.written, reason(error)))
        .with_hint("make room, or write to another disk")
}

/// A folder where a file is expected.
pub(crate) fn is_directory(file: &FilePath) -> ConnectorError {
    ConnectorError::new("file-is-directory", format!("{}: expected a file, found a folder", file.written))
        .with_hint("name a file in it")
}

/// The system's words, in lower case, without its error number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_used_is_named_with_what_to_do() {
        let file = FilePath { written: "in/x.ndjson".to_owned(), path: "in/x.ndjson".into() };
        let denied = io::Error::from_raw_os_error(13);
        let error = input(&file, "opened", &denied);
        assert_eq!(
            (error.code, error.message.as_str()),
            ("file-unreadable", "in/x.ndjson: the file may not be read (permission denied)")
        );
        assert_eq!(error.hint.as_deref(), Some("let the user who runs the job read it"));
        let error = output(&file, "opened", &denied);
        assert_eq!(
            (error.code, error.message.as_str()),
            ("file-unwritable", "in/x.ndjson: the file may not be written (permission denied)")
        );
        let error = input(&file, "read", &io::Error::from_raw_os_error(5));
        assert_eq!(
            (error.code, error.message.as_str()),
            ("file-unreadable", "in/x.ndjson: the file can't be read: input/output error")
        );
        let error = input(&file, "opened", &io::Error::from_raw_os_error(24));
        assert_eq!(
            (error.code, error.message.as_str()),
            ("file-unreadable", "in/x.ndjson: the file can't be opened: too many open files")
        );
        assert_eq!(error.hint.as_deref(), Some("let the process open more files (`ulimit -n`), or name fewer files"));
    }
}
