//! Writes one part, which is there once the sink is closed: the task's only one.

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use object_store::path::Path as Name;

use super::fault;
use super::object::Object;
use super::parts::Parts;
use crate::file::Existing;
use crate::file::part::PartFormat;
use crate::sink::not_by_epoch;
use crate::{ConnectorError, Sink};

/// Writes rows to an object that nobody sees until the sink is closed. Without rows there is one all the same.
pub(super) struct PartAtOnce {
    parts: Parts,
    existing: Existing,
    format: PartFormat,
    object: Option<Object>,
    rows: u64,
    bytes: u64,
}

impl PartAtOnce {
    pub(super) fn new(parts: Parts, existing: Existing, format: PartFormat) -> Self {
        Self { parts, existing, format, object: None, rows: 0, bytes: 0 }
    }

    async fn object(&mut self) -> Result<&mut Object, ConnectorError> {
        if self.object.is_none() {
            let name = Name::from(self.parts.name(self.parts.start(self.existing).await? + 1));
            let begun = Object::begin(self.parts.store(), name, &self.format);
            self.object = Some(begun.map_err(|error| self.failed(&error))?);
        }
        self.object.as_mut().ok_or_else(not_by_epoch)
    }

    async fn add(&mut self, rows: &RecordBatch) -> Result<(), ConnectorError> {
        let written = self.object().await?.write(rows).await;
        written.map_err(|error| self.failed(&error))?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), ConnectorError> {
        self.object().await?;
        let Some(object) = self.object.take() else { return Ok(()) };
        self.bytes = object.finish().await.map_err(|error| self.failed(&error))?;
        Ok(())
    }

    fn failed(&self, error: &object_store::Error) -> ConnectorError {
        let doing =
            format!("the part can't be written: it isn't whole, and the {} rows that were written of it are dropped", self.rows);
        fault::request(&self.parts.url, &doing, error)
    }
}

impl Sink for PartAtOnce {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.add(rows).boxed()
    }

    /// Nothing: the part is seen when it is whole.
    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async { Ok(()) }.boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        self.finish().boxed()
    }

    fn bytes(&self) -> u64 {
        self.object.as_ref().map_or(self.bytes, Object::bytes)
    }
}
