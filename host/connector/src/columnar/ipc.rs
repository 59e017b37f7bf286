//! Arrow IPC by record batches: a file, in which any batch can be gone to, or a stream, which is read anew up to the batch.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileReader, FileReaderBuilder, StreamDecoder, read_footer_length};
use arrow_ipc::{Block, root_as_footer};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use super::claims;
use super::decoding::{Blocks, Opened, Unreadable};

/// What a file, unlike a stream, begins and ends with.
const MAGIC: [u8; 6] = *b"ARROW1";
/// So much of a stream is read at once.
const CHUNK: u64 = 256 << 10;

/// An Arrow IPC file that is open.
pub(super) struct IpcBlocks {
    reader: Reader,
    /// The batch that is open, until it is handed over.
    opened: Option<RecordBatch>,
}

enum Reader {
    File(Box<FileReader<BufReader<File>>>),
    Stream(Stream),
}

impl IpcBlocks {
    /// The columns of a file.
    pub(super) fn columns(file: File) -> Result<SchemaRef, Unreadable> {
        match read(file, None)? {
            Reader::File(reader) => Ok(reader.schema()),
            Reader::Stream(stream) => Ok(stream.schema()?),
        }
    }

    /// A file with the columns `found`, to read those of `schema`. Of a stream all are decoded.
    pub(super) fn open(file: File, found: &Schema, schema: &Schema) -> Result<Self, Unreadable> {
        let mut columns: Vec<usize> = schema.fields().iter().filter_map(|field| found.index_of(field.name()).ok()).collect();
        columns.sort_unstable();
        Ok(Self { reader: read(file, Some(columns))?, opened: None })
    }
}

fn read(mut file: File, columns: Option<Vec<usize>>) -> Result<Reader, ArrowError> {
    let mut first = Vec::with_capacity(MAGIC.len());
    (&file).take(MAGIC.len() as u64).read_to_end(&mut first)?;
    file.rewind()?;
    if first != MAGIC {
        claims::check_stream(&file, file.metadata()?.len())?;
        return Ok(Reader::Stream(Stream::new(file)));
    }
    check_blocks(&mut file)?;
    let builder = FileReaderBuilder::new();
    let builder = columns.into_iter().fold(builder, FileReaderBuilder::with_projection);
    Ok(Reader::File(Box::new(builder.build(BufReader::new(file))?)))
}

/// Checks that all that a file's footer speaks of lies within the file, and isn't too much once it is decompressed: the reader would make
/// room for as much as it says.
fn check_blocks(file: &mut File) -> Result<(), ArrowError> {
    let cut_off = || ArrowError::ParseError("it ends before its footer".to_owned());
    let mut tail = [0; 10];
    let length = file.seek(SeekFrom::End(0))?;
    let tail_start = length.checked_sub(tail.len() as u64).ok_or_else(cut_off)?;
    file.seek(SeekFrom::Start(tail_start))?;
    file.read_exact(&mut tail)?;
    let footer_length = read_footer_length(tail)?;
    let footer_start = tail_start.checked_sub(footer_length as u64).ok_or_else(cut_off)?;
    file.seek(SeekFrom::Start(footer_start))?;
    let mut footer = vec![0; footer_length];
    file.read_exact(&mut footer)?;
    let footer = root_as_footer(&footer).map_err(|error| ArrowError::ParseError(format!("its footer can't be read: {error}")))?;
    let is_within = |block: &Block| {
        let parts = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()].map(u64::try_from);
        let end = parts.into_iter().try_fold(0_u64, |end, part| end.checked_add(part.ok()?));
        end.is_some_and(|end| end <= length)
    };
    let blocks = || footer.recordBatches().into_iter().chain(footer.dictionaries()).flatten();
    if !blocks().all(is_within) {
        return Err(ArrowError::ParseError("its footer speaks of rows beyond its end".to_owned()));
    }
    claims::check_blocks(file, length, blocks())
}

/// A stream, behind so many of its batches.
struct Stream {
    file: File,
    decoder: StreamDecoder,
    chunk: Buffer,
    read: usize,
}

impl Stream {
    /// A file that is at its start.
    fn new(file: File) -> Self {
        Self { file, decoder: StreamDecoder::new(), chunk: Buffer::default(), read: 0 }
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        loop {
            if let Some(batch) = self.decoder.decode(&mut self.chunk)? {
                self.read += 1;
                return Ok(Some(batch));
            }
            if !self.fill()? {
                self.decoder.finish()?;
                return Ok(None);
            }
        }
    }

    /// Reads on; false at the end of the file.
    fn fill(&mut self) -> Result<bool, ArrowError> {
        let mut bytes = Vec::new();
        (&self.file).take(CHUNK).read_to_end(&mut bytes)?;
        self.chunk = Buffer::from_vec(bytes);
        Ok(!self.chunk.is_empty())
    }

    fn schema(mut self) -> Result<SchemaRef, ArrowError> {
        loop {
            if let Some(schema) = self.decoder.schema() {
                return Ok(schema);
            }
            if self.decoder.decode(&mut self.chunk)?.is_none() && self.decoder.schema().is_none() && !self.fill()? {
                return Err(ArrowError::ParseError("it ends before its schema".to_owned()));
            }
        }
    }

    fn rewind(&mut self) -> Result<(), ArrowError> {
        self.file.rewind()?;
        (self.decoder, self.chunk, self.read) = (StreamDecoder::new(), Buffer::default(), 0);
        Ok(())
    }

    /// The batch of this number.
    fn batch(&mut self, number: usize) -> Result<Option<RecordBatch>, ArrowError> {
        if self.read > number {
            self.rewind()?;
        }
        while self.read < number {
            if self.next()?.is_none() {
                return Ok(None);
            }
        }
        self.next()
    }
}

impl Blocks for IpcBlocks {
    fn open(&mut self, block: usize, row: usize) -> Result<Option<Opened>, Unreadable> {
        let batch = match &mut self.reader {
            Reader::File(reader) if block >= reader.num_batches() => None,
            Reader::File(reader) => {
                reader.set_index(block)?;
                reader.next().transpose()?
            }
            Reader::Stream(stream) => stream.batch(block)?,
        };
        let Some(batch) = batch else { return Ok(None) };
        let rows = batch.num_rows();
        let first = row.min(rows);
        self.opened = Some(batch.slice(first, rows - first));
        Ok(Some(Opened { ahead: (first < rows).then_some(first..rows).into_iter().collect(), rows }))
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, Unreadable> {
        Ok(self.opened.take())
    }

    fn rows(&self) -> Option<u64> {
        None
    }

    fn pruned(&self) -> u64 {
        0
    }
}
