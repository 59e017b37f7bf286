//! Writes a file as rows come.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::output::Output;
use super::{Existing, FilePath, fault, sink};
use crate::sink::blocking;
use crate::{ConnectorError, Sink};

/// Writes rows as they come. A row is written whole or, where the disk is full, not at all; of a compressed file that holds for what
/// is gathered between two writes.
#[derive(Debug)]
pub(super) struct AtOnceFile {
    path: FilePath,
    existing: Existing,
    output: Output,
    file: Option<Opened>,
    /// Rows and bytes that are in the file.
    rows: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Opened {
    file: File,
    /// Whether it can be cut and synced, which pipes and devices can't.
    regular: bool,
    /// The bytes that it has.
    length: u64,
}

impl AtOnceFile {
    pub(super) fn new(path: FilePath, existing: Existing, output: Output) -> Self {
        Self { path, existing, output, file: None, rows: 0, bytes: 0 }
    }

    async fn write_out(&mut self) -> Result<(), ConnectorError> {
        let failed = |error: &io::Error| fault::output(&self.path, "opened", error);
        let opened = match &mut self.file {
            Some(opened) => opened,
            closed => {
                let (path, existing) = (self.path.clone(), self.existing);
                let opened = blocking(move || Ok(open(&path, existing))).await.map_err(|error| failed(&error))??;
                self.output.begin(&self.path, opened.length)?;
                closed.insert(opened)
            }
        };
        // An archive has a member, even if nothing is in it.
        if self.output.is_empty() && !(self.output.is_compressed() && opened.length == 0) {
            return Ok(());
        }
        let bytes = self.output.bytes().map_err(|error| failed(&error))?;
        let (written, error) = if opened.regular {
            opened.append(&bytes, |written| self.output.whole(written).0)
        } else {
            opened.hand_over(bytes.into_owned()).await
        };
        self.bytes += written as u64;
        let Some(error) = error else {
            self.rows += self.output.rows();
            self.output.clear();
            return Ok(());
        };
        let (whole, rows) = self.output.whole(written);
        self.rows += rows;
        self.output.written(whole, rows);
        let (rows, bytes, left, rows_left) = (self.rows, self.bytes, self.output.len(), self.output.rows());
        let doing = format!(
            "written: {rows} rows ({bytes} bytes) are in it, {rows_left} rows ({left} bytes) that were to follow are not"
        );
        Err(fault::output(&self.path, &doing, &error))
    }
}

impl Opened {
    /// Adds bytes to a regular file, as far as it goes: how many are in it then, cut to what can stay, and why not all.
    fn append(&mut self, bytes: &[u8], whole: impl Fn(usize) -> usize) -> (usize, Option<io::Error>) {
        let (mut written, error) = write(&self.file, bytes);
        if error.is_some() {
            let whole = whole(written);
            let end = self.length + whole as u64;
            // What can't be cut stays; the error of the write is what is told.
            if self.file.set_len(end).and_then(|()| self.file.seek(SeekFrom::Start(end))).is_ok() {
                written = whole;
            }
        }
        self.length += written as u64;
        (written, error)
    }

    /// Writes bytes to a pipe or a device, off the task threads: it takes them when it likes.
    async fn hand_over(&mut self, bytes: Vec<u8>) -> (usize, Option<io::Error>) {
        let handle = match self.file.try_clone() {
            Ok(handle) => handle,
            Err(error) => return (0, Some(error)),
        };
        let (written, error) = blocking(move || Ok(write(&handle, &bytes))).await.unwrap_or_else(|stopping| (0, Some(stopping)));
        self.length += written as u64;
        (written, error)
    }
}

/// Writes bytes, as far as it goes: how many, and why not all.
fn write(mut file: &File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
            Err(other) => return (written, Some(other)),
        }
    }
    (written, None)
}

/// Opens a file; a pipe once somebody reads it.
fn open(path: &FilePath, existing: Existing) -> Result<Opened, ConnectorError> {
    let failed = |error: &io::Error| fault::output(path, "opened", error);
    if let Some(folder) = path.path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| fault::output(path, "opened, since its folder can't be made", &error))?;
    }
    let mut options = OpenOptions::new();
    match existing {
        Existing::Replace => options.write(true).create(true).truncate(true),
        Existing::Append => options.append(true).create(true),
        Existing::Refuse => options.write(true).create_new(true),
    };
    let file = options.open(&path.path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists if existing == Existing::Refuse => sink::exists(path),
        _ => failed(&error),
    })?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    Ok(Opened { file, regular: metadata.is_file(), length: metadata.len() })
}

impl Sink for AtOnceFile {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move { if self.output.push(rows) { self.write_out().await } else { Ok(()) } }.boxed()
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async move { if self.output.is_empty() { Ok(()) } else { self.write_out().await } }.boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async move {
            self.write_out().await?;
            let Some(Opened { file, regular: true, .. }) = &self.file else { return Ok(()) };
            let handle = file.try_clone().map_err(|error| fault::output(&self.path, "written", &error))?;
            let synced = blocking(move || handle.sync_all()).await;
            synced.map_err(|error| fault::output(&self.path, "brought to disk", &error))
        }
        .boxed()
    }

    fn bytes(&self) -> u64 {
        self.bytes + self.output.len()
    }
}

#[cfg(test)]
pub(in crate::file) mod tests;
