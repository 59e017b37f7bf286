//! Writes a file as rows come.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wasmill_flow::Epoch;

use super::{Existing, FilePath, fault, sink};
use crate::format::Encoder;
use crate::sink::{blocking, not_by_epoch};
use crate::{ConnectorError, Prepared, Sink};

/// So many bytes are gathered before they are written, if nobody flushes before.
const BUFFER: usize = 256 << 10;

/// Writes lines as they come. A line is written whole or, where the disk is full, not at all.
#[derive(Debug)]
pub(super) struct AtOnceFile {
    path: FilePath,
    existing: Existing,
    encoder: Box<dyn Encoder>,
    buffer: Vec<u8>,
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
    pub(super) fn new(path: FilePath, existing: Existing, encoder: Box<dyn Encoder>) -> Self {
        Self { path, existing, encoder, buffer: Vec::new(), file: None, rows: 0, bytes: 0 }
    }

    fn write_out(&mut self) -> Result<(), ConnectorError> {
        let opened = match &mut self.file {
            Some(opened) => opened,
            closed => closed.insert(open(&self.path, self.existing)?),
        };
        let (written, error) = opened.append(&self.buffer);
        let lines = memchr::memchr_iter(b'\n', &self.buffer[..written]).count() as u64;
        self.rows += lines;
        self.bytes += written as u64;
        self.buffer.drain(..written);
        let Some(error) = error else { return Ok(()) };
        let (rows, bytes, left) = (self.rows, self.bytes, self.buffer.len());
        let rows_left = memchr::memchr_iter(b'\n', &self.buffer).count();
        let doing = format!(
            "written: {rows} rows ({bytes} bytes) are in it, {rows_left} rows ({left} bytes) that were to follow are not"
        );
        Err(fault::output(&self.path, &doing, &error))
    }
}

impl Opened {
    /// Adds bytes, as far as it goes: how many are in the file then, up to the end of a line, and why not all.
    fn append(&mut self, bytes: &[u8]) -> (usize, Option<io::Error>) {
        let mut written = 0;
        let mut error = None;
        while written < bytes.len() && error.is_none() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => error = Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
                Err(other) => error = Some(other),
            }
        }
        if error.is_some() && self.regular {
            let whole = memchr::memrchr(b'\n', &bytes[..written]).map_or(0, |end| end + 1);
            let end = self.length + whole as u64;
            // What can't be cut stays; the error of the write is what is told.
            if self.file.set_len(end).and_then(|()| self.file.seek(SeekFrom::Start(end))).is_ok() {
                written = whole;
            }
        }
        self.length += written as u64;
        (written, error)
    }
}

/// Opens the file, and gives its last line an end where it has none.
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
    let mut file = options.open(&path.path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists if existing == Existing::Refuse => sink::exists(path),
        _ => failed(&error),
    })?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    let (regular, mut length) = (metadata.is_file(), metadata.len());
    if regular && length > 0 && !ends_a_line(&path.path).map_err(|error| failed(&error))? {
        file.write_all(b"\n").map_err(|error| fault::output(path, "written", &error))?;
        length += 1;
    }
    Ok(Opened { file, regular, length })
}

/// Whether a file that isn't empty ends in a line end.
pub(super) fn ends_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

impl Sink for AtOnceFile {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move {
            self.encoder.encode(rows, &mut self.buffer);
            if self.buffer.len() >= BUFFER { self.write_out() } else { Ok(()) }
        }
        .boxed()
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async move { if self.buffer.is_empty() { Ok(()) } else { self.write_out() } }.boxed()
    }

    fn prepare(&mut self, _: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        async { Err(not_by_epoch()) }.boxed()
    }

    fn commit<'a>(&'a mut self, _: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async { Err(not_by_epoch()) }.boxed()
    }

    fn recover<'a>(&'a mut self, _: Option<&'a Prepared>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async { Err(not_by_epoch()) }.boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async move {
            self.write_out()?;
            let Some(Opened { file, regular: true, .. }) = &self.file else { return Ok(()) };
            let handle = file.try_clone().map_err(|error| fault::output(&self.path, "written", &error))?;
            let synced = blocking(move || handle.sync_all()).await;
            synced.map_err(|error| fault::output(&self.path, "brought to disk", &error))
        }
        .boxed()
    }

    fn bytes(&self) -> u64 {
        self.bytes + self.buffer.len() as u64
    }
}

#[cfg(test)]
pub(in crate::file) mod tests;
