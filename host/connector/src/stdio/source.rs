//! The source of rows from standard input.

use arrow_schema::SchemaRef;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::rows::RowReader;
use crate::{BatchLimit, ConnectorError, Extent, FormatIn, Position, Read, Source};

/// The most that is read at once.
const CHUNK: usize = 64 << 10;
/// How many chunks may wait; then the reading thread waits.
const CHUNKS: usize = 16;

/// Reads standard input on a thread of its own, since such a read can take for ever, and hands over rows as they come: what a pipe
/// delivers is read at once, a row as soon as its line has ended. What was read can't be read again.
#[derive(Debug)]
pub struct StdinSource {
    chunks: mpsc::Receiver<std::io::Result<Vec<u8>>>,
    reader: RowReader,
    ended: bool,
}

impl StdinSource {
    /// Starts to read standard input. Once a process: a second source would get the rest.
    ///
    /// # Errors
    /// Codes `type-not-in-json`, and `stdin-thread` where the thread can't be started.
    pub fn open(schema: SchemaRef, format: FormatIn) -> Result<Self, ConnectorError> {
        Self::of(std::io::stdin(), schema, format)
    }

    /// Starts to read from something else, as if it were standard input.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of(input: impl std::io::Read + Send + 'static, schema: SchemaRef, format: FormatIn) -> Result<Self, ConnectorError> {
        let reader = RowReader::new(schema, &format, None)?;
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let started = std::thread::Builder::new().name("wasmill-stdin".to_owned()).spawn(move || pump(input, &sender));
        started.map_err(|error| {
            ConnectorError::new("stdin-thread", format!("the thread that reads standard input can't be started: {error}"))
        })?;
        Ok(Self { chunks, reader, ended: false })
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        loop {
            self.take_what_is_there(limit)?;
            if let Some(read) = self.reader.take() {
                return Ok(Some(read));
            }
            if self.ended {
                return Ok(None);
            }
            let chunk = self.chunks.recv().await;
            self.add(chunk)?;
        }
    }

    /// Reads rows up to the limit from what has come, without waiting for more.
    fn take_what_is_there(&mut self, limit: BatchLimit) -> Result<(), ConnectorError> {
        while !self.reader.read(limit) && !self.ended {
            match self.chunks.try_recv() {
                Ok(chunk) => self.add(Some(chunk))?,
                Err(mpsc::error::TryRecvError::Empty) => return Ok(()),
                Err(mpsc::error::TryRecvError::Disconnected) => self.add(None)?,
            }
        }
        Ok(())
    }

    fn add(&mut self, chunk: Option<std::io::Result<Vec<u8>>>) -> Result<(), ConnectorError> {
        match chunk {
            Some(Ok(bytes)) => self.reader.room().extend_from_slice(&bytes),
            Some(Err(error)) => {
                return Err(ConnectorError::new("stdin-unreadable", format!("standard input can't be read: {error}")));
            }
            None => {
                self.ended = true;
                self.reader.end();
            }
        }
        Ok(())
    }
}

/// The reading thread: ends with its input, or when nobody listens any more.
fn pump(mut input: impl std::io::Read, sender: &mpsc::Sender<std::io::Result<Vec<u8>>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || failed {
            return;
        }
    }
}

impl Source for StdinSource {
    fn schema(&self) -> SchemaRef {
        self.reader.schema().clone()
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        self.next(limit).boxed()
    }

    fn position(&self) -> Position {
        Position::of(&self.reader.place())
    }

    /// Always fails.
    ///
    /// # Errors
    /// Code `stdin-not-replayable`.
    fn seek(&mut self, _: &Position) -> Result<(), ConnectorError> {
        Err(ConnectorError::new("stdin-not-replayable", "standard input can't be read again from where a checkpoint was taken")
            .with_hint("read a file to resume a job, or start with --fresh"))
    }

    fn replays(&self) -> bool {
        false
    }

    fn extent(&self) -> Extent {
        Extent::Unknown
    }

    fn done(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
