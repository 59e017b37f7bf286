//! The sink that writes rows to standard output.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wasmill_flow::Epoch;

use crate::format::{Encoder, FormatOut};
use crate::sink::{blocking, not_by_epoch, of_one_task};
use crate::{ConnectorError, Prepared, Sink, Visibility};

/// So many bytes are gathered before they are written, if nobody flushes before.
const BUFFER: usize = 64 << 10;

/// Writes lines to standard output.
///
/// With [`Visibility::AtOnce`] as rows come. With [`Visibility::ByEpoch`] the rows of an epoch wait in memory and are written when it is
/// committed. What was written can't be taken back or looked at, so recovery writes the last epoch again: each row comes at least once.
/// For that, a checkpoint holds the text that wasn't written when it was taken; jobs with much output and a checkpoint write to a file.
pub struct StdoutSink {
    output: Arc<Mutex<Box<dyn Write + Send>>>,
    encoder: Box<dyn Encoder>,
    visibility: Visibility,
    /// Whether the header was written, where there is one.
    begun: bool,
    buffer: Vec<u8>,
    /// Epochs that were prepared and not yet committed, in order.
    waiting: VecDeque<(u64, String)>,
    bytes: u64,
}

impl std::fmt::Debug for StdoutSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdoutSink").field("visibility", &self.visibility).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// An epoch that is to be written, and those before it that weren't when it was prepared.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreparedText {
    epoch: u64,
    text: String,
}

/// The sink that writes to this process's standard output.
///
/// # Errors
/// Codes `type-not-in-json`, `type-not-in-csv`.
pub fn stdout_sink(schema: &Schema, format: FormatOut, visibility: Visibility) -> Result<Box<dyn Sink>, ConnectorError> {
    Ok(Box::new(StdoutSink::of(Box::new(io::stdout()), schema, format, visibility)?))
}

impl StdoutSink {
    /// A sink that writes to something else as if it were standard output.
    ///
    /// # Errors
    /// Codes `type-not-in-json`, `type-not-in-csv`.
    pub fn of(
        output: Box<dyn Write + Send>,
        schema: &Schema,
        format: FormatOut,
        visibility: Visibility,
    ) -> Result<Self, ConnectorError> {
        let encoder = format.encoder(schema)?;
        Ok(Self {
            output: Arc::new(Mutex::new(output)),
            encoder,
            visibility,
            begun: false,
            buffer: Vec::new(),
            waiting: VecDeque::new(),
            bytes: 0,
        })
    }

    async fn write_out(&self, text: Vec<u8>) -> Result<(), ConnectorError> {
        if text.is_empty() {
            return Ok(());
        }
        let output = Arc::clone(&self.output);
        let written = blocking(move || {
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            output.write_all(&text)?;
            output.flush()
        });
        written.await.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => {
                ConnectorError::new("stdout-closed", "standard output was closed by the program that reads it")
                    .with_hint("let that program read to the end, or write to a file")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ConnectorError::new("disk-full", format!("standard output can't be written: {error}"))
                    .with_hint("make room, or write to another disk")
            }
            _ => ConnectorError::new("stdout-unwritable", format!("standard output can't be written: {error}")),
        })
    }

    async fn write_rows(&mut self, rows: &RecordBatch) -> Result<(), ConnectorError> {
        let buffered = self.buffer.len();
        if !std::mem::replace(&mut self.begun, true) {
            self.buffer.extend_from_slice(self.encoder.preamble());
        }
        self.encoder.encode(rows, &mut self.buffer);
        self.bytes += (self.buffer.len() - buffered) as u64;
        if self.buffer.len() >= BUFFER && self.visibility == Visibility::AtOnce { self.flush_rows().await } else { Ok(()) }
    }

    async fn flush_rows(&mut self) -> Result<(), ConnectorError> {
        match self.visibility {
            Visibility::AtOnce => {
                let text = std::mem::take(&mut self.buffer);
                self.write_out(text).await
            }
            Visibility::ByEpoch => Ok(()),
        }
    }

    fn prepare_text(&mut self, epoch: Epoch) -> Result<Prepared, ConnectorError> {
        if self.visibility == Visibility::AtOnce {
            return Err(not_by_epoch());
        }
        #[expect(clippy::expect_used, reason = "the encoder writes text, and text of columns, which is UTF-8")]
        let text = String::from_utf8(std::mem::take(&mut self.buffer)).expect("JSON is UTF-8");
        self.waiting.push_back((epoch.0, text));
        let text = self.waiting.iter().map(|(_, text)| text.as_str()).collect();
        Ok(Prepared::of(&PreparedText { epoch: epoch.0, text }))
    }

    async fn commit_text(&mut self, prepared: &Prepared) -> Result<(), ConnectorError> {
        let PreparedText { epoch, .. } = prepared.read("standard output")?;
        while let Some((_, text)) = self.waiting.front().filter(|(waiting, _)| *waiting <= epoch) {
            self.write_out(text.clone().into_bytes()).await?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    async fn recover_text(&mut self, last: Option<&Prepared>) -> Result<(), ConnectorError> {
        if self.visibility == Visibility::AtOnce {
            return Err(not_by_epoch());
        }
        self.buffer.clear();
        self.waiting.clear();
        self.begun = last.is_some();
        let Some(last) = last else { return Ok(()) };
        let PreparedText { text, .. } = last.read("standard output")?;
        self.write_out(text.into_bytes()).await
    }
}

impl Sink for StdoutSink {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.write_rows(rows).boxed()
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        self.flush_rows().boxed()
    }

    fn prepare(&mut self, epoch: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        async move { self.prepare_text(epoch) }.boxed()
    }

    fn commit<'a>(&'a mut self, prepared: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.commit_text(prepared).boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<&'a [Prepared]>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move { self.recover_text(of_one_task(last, "standard output")?).await }.boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        self.flush_rows().boxed()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
