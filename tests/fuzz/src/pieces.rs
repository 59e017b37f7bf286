//! Text as a stream delivers it, in pieces; and all that a source makes of it.

use std::io::Read;
use std::num::NonZeroUsize;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use futures_util::FutureExt as _;
use wasmill_connector::stdio::StdinSource;
use wasmill_connector::{BatchLimit, ConnectorError, FormatIn, Malformed, Source as _};

/// How many pieces there are before the rest comes at once: each is a message between two threads.
const PIECES: usize = 8;

/// Bytes that come so many at a time.
struct Pieces {
    bytes: Vec<u8>,
    taken: usize,
    piece: NonZeroUsize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.bytes[self.taken..];
        let piece = if self.taken < PIECES * self.piece.get() { self.piece.get() } else { rest.len() };
        let length = rest.len().min(piece).min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

/// What a source read of a text: good rows and malformed ones, each in order.
pub(crate) struct ReadText {
    pub rows: RecordBatch,
    pub malformed: Vec<Malformed>,
}

/// Reads a text as standard input, whose first pieces have `piece` bytes.
///
/// # Errors
/// What the source gave: a header that doesn't fit.
pub(crate) fn read(schema: &SchemaRef, format: FormatIn, text: &[u8], piece: usize) -> Result<ReadText, ConnectorError> {
    let piece = NonZeroUsize::new(piece).unwrap_or(NonZeroUsize::MIN);
    let input = Pieces { bytes: text.to_vec(), taken: 0, piece };
    let mut source = StdinSource::of(input, schema.clone(), format)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (mut batches, mut malformed) = (Vec::new(), Vec::new());
    let limit = BatchLimit { rows: 3, bytes: 1 << 20 };
    while let Some(read) = runtime.block_on(source.read(limit).boxed())? {
        batches.push(read.rows);
        malformed.extend(read.malformed);
    }
    let rows = concat_batches(schema, &batches).expect("rows of the schema");
    Ok(ReadText { rows, malformed })
}
