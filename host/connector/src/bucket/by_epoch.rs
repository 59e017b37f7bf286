//! Writes parts epoch by epoch.

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use object_store::Error;
use object_store::path::Path as Name;
use serde::{Deserialize, Serialize};
use wasmill_flow::Epoch;

use super::fault;
use super::object::Object;
use super::parts::{Parts, Staged};
use crate::file::Existing;
use crate::file::part::PartFormat;
use crate::{ConnectorError, Prepared, Sink};

/// Stages rows in a hidden object, which is copied to a part when its epoch, or a later one, is committed.
pub(super) struct PartsByEpoch {
    parts: Parts,
    existing: Existing,
    format: PartFormat,
    /// The rows of this epoch, its hidden name, and how many there are.
    object: Option<(Object, String)>,
    rows: u64,
    /// How many objects were begun.
    begun: u64,
    /// What is prepared, and not committed.
    staged: Vec<Staged>,
    /// The number of the last part that this writer has made visible.
    shown: u64,
    /// The number of the part before the first epoch's; `None` before `recover`.
    base: Option<u64>,
    bytes: u64,
}

/// Epochs whose rows are durable: what a checkpoint keeps of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreparedParts {
    /// The part's number: the epoch's, and what `base` was.
    part: u64,
    /// What the numbers of parts are greater by than those of epochs.
    base: u64,
    /// What wasn't committed then, of this epoch and those before it.
    staged: Vec<Staged>,
}

impl PreparedParts {
    fn of(prepared: &Prepared) -> Result<Self, ConnectorError> {
        prepared.read("parts in a bucket")
    }
}

impl PartsByEpoch {
    pub(super) fn new(parts: Parts, existing: Existing, format: PartFormat) -> Self {
        Self { parts, existing, format, object: None, rows: 0, begun: 0, staged: Vec::new(), shown: 0, base: None, bytes: 0 }
    }

    fn base(&self) -> Result<u64, ConnectorError> {
        self.base.ok_or_else(|| {
            let message = format!("{}: rows came before the sink was told where to go on", self.parts.url);
            ConnectorError::new("sink-not-recovered", message)
        })
    }

    async fn add(&mut self, rows: &RecordBatch) -> Result<(), ConnectorError> {
        self.base()?;
        let written = async {
            let (object, _) = match &mut self.object {
                Some(object) => object,
                none => {
                    self.begun += 1;
                    let name = self.parts.hidden_name(self.begun);
                    none.insert((Object::begin(self.parts.store(), Name::from(name.as_str()), &self.format)?, name))
                }
            };
            object.write(rows).await
        };
        written.await.map_err(|error| self.failed(&error))?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn failed(&self, error: &Error) -> ConnectorError {
        let doing =
            format!("rows can't be written: {} rows of the running epoch are not in it, all committed epochs are", self.rows);
        fault::request(&self.parts.url, &doing, error)
    }

    async fn prepare_epoch(&mut self, epoch: Epoch) -> Result<Prepared, ConnectorError> {
        let base = self.base()?;
        let number = base + epoch.0;
        if let Some((object, name)) = self.object.take() {
            let bytes = object.finish().await.map_err(|error| self.failed(&error))?;
            self.bytes += bytes;
            self.staged.push(self.parts.staged(name, bytes, number));
        }
        self.rows = 0;
        Ok(Prepared::of(&PreparedParts { part: number, base, staged: self.staged.clone() }))
    }

    async fn commit_epoch(&mut self, prepared: &Prepared) -> Result<(), ConnectorError> {
        for staged in PreparedParts::of(prepared)?.staged {
            if staged.number > self.shown {
                self.parts.show(&staged).await?;
                self.shown = staged.number;
            }
        }
        self.staged.retain(|staged| staged.number > self.shown);
        Ok(())
    }

    /// Goes on behind what each of the former tasks had prepared; the number behind which parts are counted from now on: as it is the
    /// greatest that a task had, no number comes twice.
    async fn go_on(&mut self, last: &[Prepared]) -> Result<u64, ConnectorError> {
        let last: Vec<PreparedParts> = last.iter().map(PreparedParts::of).collect::<Result<_, _>>()?;
        // A task that wasn't there at the checkpoint has parts from before, and of later epochs, whose numbers are greater than all these.
        let behind = last.iter().map(|last| last.part).max().unwrap_or(0);
        let staged: Vec<Staged> = last.iter().flat_map(|last| last.staged.iter().cloned()).collect();
        self.parts.recover(&staged, |task| last.get(task as usize).map_or(behind, |last| last.part)).await?;
        Ok(last.iter().map(|last| last.base).max().unwrap_or(0))
    }

    async fn recover_from(&mut self, last: Option<&[Prepared]>) -> Result<(), ConnectorError> {
        (self.object, self.rows, self.base, self.shown) = (None, 0, None, 0);
        self.staged.clear();
        self.base = Some(match last {
            Some(last) => self.go_on(last).await?,
            None => self.parts.start(self.existing).await?,
        });
        Ok(())
    }
}

impl Sink for PartsByEpoch {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.add(rows).boxed()
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
        self.bytes + self.object.as_ref().map_or(0, |(object, _)| object.bytes())
    }
}
