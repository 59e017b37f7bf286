//! The contract of a source.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasmill_flow::TaskIndex;

use crate::ConnectorError;

/// The most that a source hands over at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    /// Rows.
    pub rows: usize,
    /// Bytes of input.
    pub bytes: usize,
}

/// A row that could not be read. Nothing of it is lost: `raw` are its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What was wrong: what was expected and what was found.
    pub reason: String,
    /// The file, as the job names it.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: u64,
    /// Where in the line reading failed, in bytes from 1, where that is known.
    pub column: Option<u64>,
    /// Where in the file reading failed, in bytes from 0; the start of the line where the column is not known.
    pub byte: u64,
    /// The field that was wrong, where it was one.
    pub field: Option<String>,
    /// The row's bytes, whole, but for a row over `max-row-bytes`, whose first 64 KiB are kept.
    pub raw: Vec<u8>,
}

/// What a source read.
#[derive(Debug, Clone)]
pub struct Read {
    /// Good rows, in order; may be none where all were malformed.
    pub rows: RecordBatch,
    /// Rows that could not be read.
    pub malformed: Vec<Malformed>,
    /// Bytes of input that this stands for.
    pub bytes: u64,
}

/// Where a source is: enough to go on from there, whatever happened to the process. Opaque to all but the source; part of checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub serde_json::Value);

impl Position {
    /// A position that a source keeps as this value, a struct of numbers and texts.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        #[expect(clippy::expect_used, reason = "a source's own struct of numbers and texts has a JSON form")]
        Self(serde_json::to_value(value).expect("a struct of numbers and texts"))
    }

    /// What [`Self::of`] kept.
    ///
    /// # Errors
    /// Code `position-invalid` where this isn't a position of this kind of source.
    pub(crate) fn read<T: DeserializeOwned>(&self, whose: &str) -> Result<T, ConnectorError> {
        serde_json::from_value(self.0.clone()).map_err(|error| {
            ConnectorError::new("position-invalid", format!("expected a position of {whose}, found {}: {error}", self.0))
                .with_hint("resume with the connector that the source had, or start with --fresh")
        })
    }
}

/// One task's reader of a source.
///
/// # Contract
/// 1. `read` returns rows as they are there: at least one good or malformed row, at most the limit; it waits only while there is
///    none. `None` is the end, and stays it. (Conformance suite.)
/// 2. Dropping the future of `read` before it is ready loses nothing: the next `read` returns what it would have. (Conformance suite.)
/// 3. `position` is that after the last row returned. After `seek` to it, in this process or another, the source returns exactly the
///    rows that would have come next, if it `replays`. (Conformance suite, at every row.)
/// 4. The batches in which rows come are arbitrary, the rows and their order are not.
/// 5. A row is either in `rows` or in `malformed`: none is left out. (Conformance suite.)
/// 6. No thread of the runtime is blocked for longer than a read of a local file takes.
/// 7. A source with several tasks reads *splits*: what one task reads by itself, in its order, such as a file. `take_over` deals the splits
///    of former tasks out to another number of them, each whole and with its position: together these read exactly the rows that
///    would have come next. A task may get several, or none and then ends at once. (Conformance suite.)
pub trait Source: Send {
    /// The rows' columns.
    fn schema(&self) -> SchemaRef;

    /// The next rows.
    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>>;

    /// Where the source is.
    fn position(&self) -> Position;

    /// Goes to a position.
    ///
    /// # Errors
    /// Where the position isn't one of this source, or what it points to is gone (a file shorter than it was).
    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError>;

    /// Takes over, as one task of the source, its share of what the tasks of another number of them had left: `former` is where each of these
    /// was, in the order of tasks. Called instead of `seek`. The former tasks from which it has something to read now, in their order.
    ///
    /// # Errors
    /// As `seek`; code `position-invalid` also where this kind of source only ever has one task.
    fn take_over(&mut self, former: &[Position], _task: TaskIndex) -> Result<Vec<usize>, ConnectorError> {
        let message = format!("expected where the one task of the source was, found where {} tasks were", former.len());
        Err(ConnectorError::new("position-invalid", message)
            .with_hint("resume with the connector that the source had, or start with --fresh"))
    }

    /// Whether it has yet to finish a split that another task had begun, and reads others before it: until then event time isn't to go on,
    /// since the rows of that one may be behind.
    fn holds_time(&self) -> bool {
        false
    }

    /// Whether `seek` works. A source that can't (stdin) makes a job that may lose what was in flight.
    fn replays(&self) -> bool;

    /// How many bytes or rows there are in all, where it is known: for a progress bar.
    fn extent(&self) -> Extent;

    /// How much of that lies before where the source is, in the same unit; 0 where the extent isn't known.
    fn done(&self) -> u64;

    /// How many rows of the input it leaves out, of all that there are, since a filter behind it wants none of them. They are in no
    /// other count.
    fn pruned(&self) -> u64 {
        0
    }
}

/// How much there is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many bytes.
    Bytes(u64),
    /// So many rows.
    Rows(u64),
    /// Not known, or without end.
    Unknown,
}
