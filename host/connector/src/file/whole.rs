//! Writes a file that has its name only once it is whole: `PATH.partial` until the end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::part::PartFormat;
use super::{FilePath, fault};
use crate::columnar::PartWriter;
use crate::sink::{blocking, not_by_epoch};
use crate::{ConnectorError, Sink};

/// Writes rows to `PATH.partial`, which is renamed when the sink is closed. Without rows there is a file all the same, with columns.
///
/// A job that fails removes the partial file, of which nothing could be read, and leaves what had the file's name before as it was. Where
/// the process is killed it stays behind, and the next run writes it anew.
pub(super) struct WholeFile {
    path: FilePath,
    format: PartFormat,
    part: Option<(Box<dyn PartWriter>, File)>,
    rows: u64,
    bytes: u64,
}

impl WholeFile {
    pub(super) fn new(path: FilePath, format: PartFormat) -> Self {
        Self { path, format, part: None, rows: 0, bytes: 0 }
    }

    fn partial(&self) -> PathBuf {
        let mut name = OsString::from(self.path.path.as_os_str());
        name.push(".partial");
        PathBuf::from(name)
    }

    fn part(&mut self) -> Result<&mut Box<dyn PartWriter>, ConnectorError> {
        if self.part.is_none() {
            let begin = || {
                let file = create(&self.partial())?;
                Ok((self.format.begin(Box::new(file.try_clone()?))?, file))
            };
            self.part = Some(begin().map_err(|error| fault::output(&self.path, "opened", &error))?);
        }
        self.part.as_mut().map(|(part, _)| part).ok_or_else(not_by_epoch)
    }

    fn failed(&self, error: &io::Error) -> ConnectorError {
        let doing = format!("written: it isn't whole, and the {} rows that were written of it are dropped", self.rows);
        fault::output(&self.path, &doing, error)
    }

    async fn finish(&mut self) -> Result<(), ConnectorError> {
        self.part()?;
        let Some((part, file)) = self.part.take() else { return Ok(()) };
        let (from, to) = (self.partial(), self.path.path.clone());
        let finished = blocking(move || {
            let named = finish(part, &file, &from, &to);
            if named.is_err() {
                // The error of the write is what is told.
                drop(fs::remove_file(from));
            }
            named
        });
        self.bytes = finished.await.map_err(|error| self.failed(&error))?;
        Ok(())
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if self.part.take().is_some() {
            // What can't be removed stays, as after a kill.
            drop(fs::remove_file(self.partial()));
        }
    }
}

/// Makes a file whole and durable, and gives it its name; its bytes.
fn finish(part: Box<dyn PartWriter>, file: &File, from: &Path, to: &Path) -> io::Result<u64> {
    part.finish()?;
    file.sync_all()?;
    fs::rename(from, to)?;
    sync_folder(to)?;
    Ok(file.metadata()?.len())
}

/// An empty file, in a folder that is made where it is missing.
pub(super) fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path)
}

/// Makes a name in a file's folder durable.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

impl Sink for WholeFile {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move {
            let written = self.part()?.write(rows);
            written.map_err(|error| self.failed(&error))?;
            self.rows += rows.num_rows() as u64;
            Ok(())
        }
        .boxed()
    }

    /// Nothing: the file is seen when it is whole.
    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async { Ok(()) }.boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        self.finish().boxed()
    }

    fn bytes(&self) -> u64 {
        self.part.as_ref().map_or(self.bytes, |(part, _)| part.bytes())
    }
}

#[cfg(test)]
mod tests;
