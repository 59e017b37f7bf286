//! The contract of a sink.

use std::panic::resume_unwind;

use arrow_array::RecordBatch;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasmill_flow::Epoch;

use crate::ConnectorError;

/// What a sink has made durable, but not yet visible, for an epoch. Opaque to all but the sink; part of checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prepared(pub serde_json::Value);

impl Prepared {
    /// What a sink keeps of an epoch: a struct of numbers and texts.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        #[expect(clippy::expect_used, reason = "a sink's own struct of numbers and texts has a JSON form")]
        Self(serde_json::to_value(value).expect("a struct of numbers and texts"))
    }

    /// What [`Self::of`] kept.
    ///
    /// # Errors
    /// Code `prepared-invalid` where this isn't of this kind of sink.
    pub(crate) fn read<T: DeserializeOwned>(&self, whose: &str) -> Result<T, ConnectorError> {
        serde_json::from_value(self.0.clone()).map_err(|error| {
            ConnectorError::new("prepared-invalid", format!("expected an epoch of {whose}, found {}: {error}", self.0))
                .with_hint("resume with the connector that the sink had, or start with --fresh")
        })
    }
}

/// What the one task of a sink had prepared; none at a fresh start.
///
/// # Errors
/// Code `prepared-invalid` where there were several tasks: this kind of sink never has more than one.
pub(crate) fn of_one_task<'a>(last: Option<&'a [Prepared]>, whose: &str) -> Result<Option<&'a Prepared>, ConnectorError> {
    match last {
        None => Ok(None),
        Some([one]) => Ok(Some(one)),
        Some(several) => {
            let message = format!("expected an epoch of {whose}, which has one task, found those of {} tasks", several.len());
            Err(ConnectorError::new("prepared-invalid", message)
                .with_hint("resume with the connector that the sink had, or start with --fresh"))
        }
    }
}

/// What a sink says that writes at once and is asked to do something by epoch.
pub(crate) fn not_by_epoch() -> ConnectorError {
    ConnectorError::new("sink-not-by-epoch", "the sink writes rows as they come, and has no epochs to prepare, commit or recover")
}

/// Runs what waits for a disk or a pipe off the task threads.
///
/// # Panics
/// Where `work` panics.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(std::io::Error::other("the process is stopping")),
    }
}

/// How a sink's output becomes visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// As it comes, or as a whole at the end: the job takes no checkpoints.
    AtOnce,
    /// Epoch by epoch, once each is committed.
    ByEpoch,
}

/// One task's writer of a sink.
///
/// # Contract
/// 1. Rows leave in the order in which they came.
/// 2. With [`Visibility::AtOnce`]: what was written is visible after `flush` at the latest, or, where only a whole file can be read,
///    after `close`, which is called last. (Conformance suite.)
/// 3. With [`Visibility::ByEpoch`]: `recover` is called first. Rows written before `prepare(n)` are invisible until `commit` is called
///    with what `prepare(n)` returned, and are durable, though invisible, when `prepare(n)` returns. (Conformance suite.)
///    A commit shows all rows before its `prepare`: those of earlier epochs too, whose checkpoints failed or aren't committed yet.
///    Commits come in the order of epochs. (Conformance suite.)
/// 4. `commit` of the same value may be called again, in this process or another, and then changes nothing. (Conformance suite.)
/// 5. `recover(Some(last))` goes on: `last` is what each task that the sink had returned from `prepare` for the same epoch, in the order of
///    tasks, of which there may have been fewer or more than now. Each task of the sink is given all of it. When all have recovered, the
///    output is exactly what it was after each of these was committed, which is done first where it wasn't, and everything later is
///    thrown away, also what tasks have left that there aren't any more. Nothing is written before. `recover(None)` is a fresh start:
///    `existing` decides what becomes of what is there. (Conformance suite, with a crash between any two calls.)
/// 6. Dropping a sink without `close` or `commit` leaves what was visible as it was.
pub trait Sink: Send {
    /// Writes rows, at least one.
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>>;

    /// Hands on what is buffered. Called whenever no more rows are waiting.
    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>>;

    /// Makes the rows of this epoch durable. This and the next two are for sinks with [`Visibility::ByEpoch`]; others say that they have none,
    /// code `sink-not-by-epoch`.
    fn prepare(&mut self, _epoch: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        async { Err(not_by_epoch()) }.boxed()
    }

    /// Makes an epoch visible.
    fn commit<'a>(&'a mut self, _prepared: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async { Err(not_by_epoch()) }.boxed()
    }

    /// Goes back to the last committed epoch.
    fn recover<'a>(&'a mut self, _last: Option<&'a [Prepared]>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async { Err(not_by_epoch()) }.boxed()
    }

    /// The end of the job: everything written is visible and durable. Not called where output goes by epoch.
    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>>;

    /// Bytes written so far.
    fn bytes(&self) -> u64;
}
