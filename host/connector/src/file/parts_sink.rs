//! Writes a folder of parts: one file a task and committed epoch, or one file a task where there are no epochs.

use std::fs::File;
use std::io;

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wasmill_flow::Epoch;

use super::part::PartFormat;
use super::parts::Parts;
use super::{Existing, FilePath, fault, sink};
use crate::columnar::PartWriter;
use crate::sink::{blocking, not_by_epoch};
use crate::{ConnectorError, Prepared, Sink};

/// Stages rows in a hidden file, which becomes a part when its epoch, or a later one, is committed.
pub(super) struct PartsByEpoch {
    path: FilePath,
    existing: Existing,
    format: PartFormat,
    parts: Parts,
    /// The rows of this epoch, and how many there are.
    part: Option<(Box<dyn PartWriter>, File)>,
    rows: u64,
    /// The number of the part before the first epoch's; `None` before `recover`.
    base: Option<u64>,
    bytes: u64,
}

/// An epoch whose rows are durable: what a checkpoint keeps of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreparedPart {
    /// The part's number: the epoch's, and what `base` was.
    part: u64,
    /// What the numbers of parts are greater by than those of epochs.
    base: u64,
    /// The part's bytes; there is no file where there are none.
    bytes: u64,
}

impl PreparedPart {
    fn of(prepared: &Prepared) -> Result<Self, ConnectorError> {
        prepared.read("a folder of parts")
    }
}

impl PartsByEpoch {
    pub(super) fn new(path: FilePath, existing: Existing, format: PartFormat, parts: Parts) -> Self {
        Self { path, existing, format, parts, part: None, rows: 0, base: None, bytes: 0 }
    }

    fn base(&self) -> Result<u64, ConnectorError> {
        self.base.ok_or_else(|| {
            let message = format!("{}: rows came before the sink was told where to go on", self.path.written);
            ConnectorError::new("sink-not-recovered", message)
        })
    }

    fn add(&mut self, rows: &RecordBatch) -> Result<(), ConnectorError> {
        self.base()?;
        let written = (|| {
            let (part, _) = match &mut self.part {
                Some(part) => part,
                none => {
                    let staged = self.parts.create_staging()?;
                    none.insert((self.format.begin(Box::new(staged.try_clone()?))?, staged))
                }
            };
            part.write(rows)
        })();
        written.map_err(|error| self.failed(&error))?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> ConnectorError {
        let doing = format!("written: {} rows of the running epoch are not in it, all committed epochs are", self.rows);
        fault::output(&self.path, &doing, error)
    }

    async fn prepare_epoch(&mut self, epoch: Epoch) -> Result<Prepared, ConnectorError> {
        let base = self.base()?;
        let number = base + epoch.0;
        let bytes = match self.part.take() {
            None => 0,
            Some((part, staged)) => {
                let parts = self.parts.clone();
                let prepared = blocking(move || {
                    part.finish()?;
                    parts.prepare(&staged, number)
                });
                let prepared = prepared.await;
                prepared.map_err(|error| self.failed(&error))?
            }
        };
        self.rows = 0;
        self.bytes += bytes;
        Ok(Prepared::of(&PreparedPart { part: number, base, bytes }))
    }

    async fn commit_epoch(&mut self, prepared: &Prepared) -> Result<(), ConnectorError> {
        let prepared = PreparedPart::of(prepared)?;
        let (parts, number) = (self.parts.clone(), prepared.part);
        let committed = blocking(move || parts.commit(number)).await;
        let is_there = committed.map_err(|error| fault::output(&self.path, "written", &error))?;
        if prepared.bytes > 0 && !is_there { Err(self.gone(&prepared, &self.parts.name(number))) } else { Ok(()) }
    }

    /// Goes on behind what each of the former tasks had prepared; the number behind which parts are counted from now on: as it is the
    /// greatest that a task had, no number comes twice.
    async fn go_on(&mut self, last: &[Prepared]) -> Result<u64, ConnectorError> {
        let last: Vec<PreparedPart> = last.iter().map(PreparedPart::of).collect::<Result<_, _>>()?;
        let numbers: Vec<u64> = last.iter().map(|last| last.part).collect();
        // A task that wasn't there at the checkpoint has parts from before, and of later epochs, whose numbers are greater than all these.
        let behind = numbers.iter().copied().max().unwrap_or(0);
        let parts = self.parts.clone();
        let recovered = blocking(move || parts.recover(|task| numbers.get(task as usize).copied().unwrap_or(behind))).await;
        let shown = recovered.map_err(|error| fault::output(&self.path, "written", &error))?;
        for (task, last) in (0..).zip(&last) {
            if last.bytes > 0 && self.parts.looks_after(task) && !shown.contains(&(last.part, task)) {
                return Err(self.gone(last, &self.parts.name_of(last.part, task)));
            }
        }
        Ok(last.iter().map(|last| last.base).max().unwrap_or(0))
    }

    fn gone(&self, PreparedPart { bytes, .. }: &PreparedPart, name: &str) -> ConnectorError {
        let path = &self.path.written;
        let message = format!("{path}: expected the {bytes} bytes of {name}, which a checkpoint has, found no such file");
        let hint = "put back the folder that the job was writing, with its hidden files, or start with --fresh";
        ConnectorError::new("output-changed", message).with_hint(hint)
    }

    async fn recover_from(&mut self, last: Option<&[Prepared]>) -> Result<(), ConnectorError> {
        (self.part, self.rows, self.base) = (None, 0, None);
        self.base = Some(match last {
            Some(last) => self.go_on(last).await?,
            None => {
                let (parts, existing) = (self.parts.clone(), self.existing);
                let started = blocking(move || start(&parts, existing)).await;
                let started = started.map_err(|error| fault::output(&self.path, "opened", &error))?;
                started.ok_or_else(|| sink::exists(&self.path))?
            }
        });
        Ok(())
    }
}

/// A fresh start: the number behind which parts are counted; `None` where there must be no parts, and there are.
fn start(parts: &Parts, existing: Existing) -> io::Result<Option<u64>> {
    let last = parts.last()?;
    if existing == Existing::Refuse && last.is_some() {
        return Ok(None);
    }
    parts.start(existing == Existing::Replace)?;
    Ok(Some(if existing == Existing::Append { last.unwrap_or(0) } else { 0 }))
}

impl Sink for PartsByEpoch {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move { self.add(rows) }.boxed()
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
        self.recover_from(last).boxed()
    }

    /// Nothing: rows that no commit made visible are not to be seen.
    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async { Ok(()) }.boxed()
    }

    fn bytes(&self) -> u64 {
        self.bytes + self.part.as_ref().map_or(0, |(part, _)| part.bytes())
    }
}

/// Opens the sink of one part.
pub(super) type OpenPart = Box<dyn Fn(FilePath) -> Result<Box<dyn Sink>, ConnectorError> + Send>;

/// Writes one part as rows come: the task's only one.
pub(super) struct PartAtOnce {
    path: FilePath,
    existing: Existing,
    parts: Parts,
    open: OpenPart,
    part: Option<Box<dyn Sink>>,
}

impl PartAtOnce {
    pub(super) fn new(path: FilePath, existing: Existing, parts: Parts, open: OpenPart) -> Self {
        Self { path, existing, parts, open, part: None }
    }

    fn part(&mut self) -> Result<&mut Box<dyn Sink>, ConnectorError> {
        if self.part.is_none() {
            let last = start(&self.parts, self.existing).map_err(|error| fault::output(&self.path, "opened", &error))?;
            let number = last.ok_or_else(|| sink::exists(&self.path))? + 1;
            let written = format!("{}{}", self.path.written, self.parts.name(number));
            self.part = Some((self.open)(FilePath { written, path: self.parts.path(number) })?);
        }
        self.part.as_mut().ok_or_else(not_by_epoch)
    }
}

impl Sink for PartAtOnce {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move { self.part()?.write(rows).await }.boxed()
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async move {
            match &mut self.part {
                Some(part) => part.flush().await,
                None => Ok(()),
            }
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async move { self.part()?.close().await }.boxed()
    }

    fn bytes(&self) -> u64 {
        self.part.as_ref().map_or(0, |part| part.bytes())
    }
}

#[cfg(test)]
mod tests;
