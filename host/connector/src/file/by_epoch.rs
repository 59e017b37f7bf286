//! Writes a file epoch by epoch.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wasmill_flow::Epoch;

use super::output::Output;
use super::staged::{StageError, StagedEpoch, StagedFiles};
use super::{Existing, FilePath, fault, sink};
use crate::sink::{blocking, of_one_task};
use crate::{ConnectorError, Prepared, Sink};

/// Stages rows beside the target and appends them when their epoch, or a later one, is committed.
#[derive(Debug)]
pub(super) struct ByEpochFile {
    path: FilePath,
    existing: Existing,
    output: Output,
    files: Arc<StagedFiles>,
    staging: Option<Arc<File>>,
    /// The bytes of this epoch that are in `staging`.
    staged: u64,
    /// The rows of this epoch.
    rows: u64,
    /// The target's bytes once all prepared epochs are committed; `None` before `recover`.
    length: Option<u64>,
    bytes: u64,
}

impl ByEpochFile {
    pub(super) fn new(path: FilePath, existing: Existing, output: Output) -> Self {
        let files = Arc::new(StagedFiles::new(&path.path));
        Self { path, existing, output, files, staging: None, staged: 0, rows: 0, length: None, bytes: 0 }
    }

    /// The length before this epoch.
    fn before(&self) -> Result<u64, ConnectorError> {
        self.length.ok_or_else(|| {
            ConnectorError::new(
                "sink-not-recovered",
                format!("{}: rows came before the sink was told where to go on", self.path.written),
            )
        })
    }

    fn stage(&mut self) -> Result<(), ConnectorError> {
        let created = match &self.staging {
            Some(staging) => Ok(Arc::clone(staging)),
            None => self.files.create_staging().map(Arc::new),
        };
        let result = created.and_then(|staging| {
            self.staging = Some(Arc::clone(&staging));
            let bytes = self.output.bytes()?;
            (&*staging).write_all(&bytes).map(|()| bytes.len() as u64)
        });
        let bytes = result.map_err(|error| self.staging_failed(&error))?;
        self.staged += bytes;
        self.bytes += bytes;
        self.output.clear();
        Ok(())
    }

    fn staging_failed(&self, error: &io::Error) -> ConnectorError {
        let (rows, bytes) = (self.rows, self.staged + self.output.len());
        let doing = format!("written: {rows} rows ({bytes} bytes) of the running epoch are not in it, all committed epochs are");
        fault::output(&self.path, &doing, error)
    }

    async fn prepare_epoch(&mut self, epoch: Epoch) -> Result<Prepared, ConnectorError> {
        let before = self.before()?;
        if !self.output.is_empty() {
            self.stage()?;
        }
        if let Some(staging) = &self.staging {
            let (files, staging) = (Arc::clone(&self.files), Arc::clone(staging));
            let prepared = blocking(move || files.prepare(&staging, epoch.0, before)).await;
            prepared.map_err(|error| self.staging_failed(&error))?;
        }
        let prepared = StagedEpoch { file: self.files.name(), epoch: epoch.0, before, length: self.staged };
        self.length = Some(prepared.after());
        (self.staging, self.staged, self.rows) = (None, 0, 0);
        Ok(Prepared::of(&prepared))
    }

    async fn commit_epoch(&mut self, prepared: &Prepared) -> Result<(), ConnectorError> {
        let epoch: StagedEpoch = prepared.read("a file")?;
        let (files, of) = (Arc::clone(&self.files), epoch.clone());
        let committed = blocking(move || Ok(files.commit(&of))).await;
        flatten(committed).map_err(|error| self.not_brought_to(&epoch, &error))
    }

    async fn recover_from(&mut self, last: Option<&Prepared>) -> Result<(), ConnectorError> {
        self.output.clear();
        (self.staging, self.staged, self.rows, self.length) = (None, 0, 0, None);
        let length = match last {
            Some(last) => {
                let epoch: StagedEpoch = last.read("a file")?;
                let (files, of) = (Arc::clone(&self.files), epoch.clone());
                let recovered = blocking(move || Ok(files.recover_to(&of))).await;
                flatten(recovered).map_err(|error| self.not_brought_to(&epoch, &error))?;
                epoch.after()
            }
            None => self.start_afresh().await?,
        };
        self.output.begin(&self.path, length)?;
        self.length = Some(length);
        Ok(())
    }

    async fn start_afresh(&mut self) -> Result<u64, ConnectorError> {
        if self.existing == Existing::Refuse && self.path.path.exists() {
            return Err(sink::exists(&self.path));
        }
        let (files, anew) = (Arc::clone(&self.files), self.existing == Existing::Replace);
        blocking(move || files.start(anew)).await.map_err(|error| fault::output(&self.path, "opened", &error))
    }

    fn not_brought_to(&self, epoch: &StagedEpoch, error: &StageError) -> ConnectorError {
        let path = &self.path.written;
        match error {
            StageError::Io(error) if fault::is_full(error.kind()) => {
                let doing = format!(
                    "written: the {} bytes of epoch {} are not in it, and stay beside it until the job goes on",
                    epoch.length, epoch.epoch
                );
                fault::disk_full(&self.path, &doing, error)
            }
            StageError::Io(error) => fault::output(&self.path, "written", error),
            other => ConnectorError::new("output-changed", format!("{path}: {other}"))
                .with_hint("put back the file that the job was writing and what lies beside it, or start with --fresh"),
        }
    }
}

fn flatten(result: io::Result<Result<(), StageError>>) -> Result<(), StageError> {
    result?
}

impl Sink for ByEpochFile {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move {
            self.before()?;
            self.rows += rows.num_rows() as u64;
            if self.output.push(rows) { self.stage() } else { Ok(()) }
        }
        .boxed()
    }

    /// Nothing: rows are seen when their epoch is committed.
    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async { Ok(()) }.boxed()
    }

    fn prepare(&mut self, epoch: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        self.prepare_epoch(epoch).boxed()
    }

    fn commit<'a>(&'a mut self, prepared: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.commit_epoch(prepared).boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<&'a [Prepared]>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move { self.recover_from(of_one_task(last, "a file")?).await }.boxed()
    }

    /// Nothing: rows that no commit made visible are not to be seen.
    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async { Ok(()) }.boxed()
    }

    fn bytes(&self) -> u64 {
        self.bytes + self.output.len()
    }
}

#[cfg(test)]
mod tests;
