//! Arrow IPC by record batches: a file, in which any batch can be gone to, or a stream, which is read anew up to the batch.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, FileReaderBuilder, StreamReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use super::source::{Blocks, Opened, Unreadable};

/// What a file, unlike a stream, begins with.
const MAGIC: [u8; 6] = *b"ARROW1";

/// An Arrow IPC file that is open.
pub(super) struct IpcBlocks {
    reader: Reader,
    /// The batch that is open, until it is handed over.
    opened: Option<RecordBatch>,
    columns: Vec<usize>,
}

enum Reader {
    File(Box<FileReader<BufReader<File>>>),
    Stream {
        /// Behind so many batches.
        reader: StreamReader<BufReader<File>>,
        read: usize,
    },
}

impl IpcBlocks {
    /// The columns of a file.
    pub(super) fn columns(file: File) -> Result<SchemaRef, Unreadable> {
        Ok(match read(file, None)? {
            Reader::File(reader) => reader.schema(),
            Reader::Stream { reader, .. } => reader.schema(),
        })
    }

    /// A file with the columns `found`, to read those of `schema`.
    pub(super) fn open(file: File, found: &Schema, schema: &Schema) -> Result<Self, Unreadable> {
        let mut columns: Vec<usize> = schema.fields().iter().filter_map(|field| found.index_of(field.name()).ok()).collect();
        columns.sort_unstable();
        Ok(Self { reader: read(file, Some(columns.clone()))?, opened: None, columns })
    }
}

fn read(mut file: File, columns: Option<Vec<usize>>) -> Result<Reader, ArrowError> {
    let mut first = Vec::with_capacity(MAGIC.len());
    (&file).take(MAGIC.len() as u64).read_to_end(&mut first)?;
    file.rewind()?;
    if first != MAGIC {
        return Ok(Reader::Stream { reader: StreamReader::try_new(BufReader::new(file), columns)?, read: 0 });
    }
    if file.seek(SeekFrom::End(0))? < 2 * MAGIC.len() as u64 + 4 {
        return Err(ArrowError::ParseError("it ends before its footer".to_owned()));
    }
    let builder = FileReaderBuilder::new();
    let builder = columns.into_iter().fold(builder, FileReaderBuilder::with_projection);
    Ok(Reader::File(Box::new(builder.build(BufReader::new(file))?)))
}

impl Blocks for IpcBlocks {
    fn open(&mut self, block: usize, row: usize) -> Result<Option<Opened>, Unreadable> {
        let batch = match &mut self.reader {
            Reader::File(reader) if block >= reader.num_batches() => None,
            Reader::File(reader) => {
                reader.set_index(block)?;
                reader.next().transpose()?
            }
            Reader::Stream { reader, read: behind } => {
                if *behind > block {
                    let mut file = reader.get_ref().get_ref().try_clone().map_err(ArrowError::from)?;
                    file.rewind().map_err(ArrowError::from)?;
                    *reader = StreamReader::try_new(BufReader::new(file), Some(self.columns.clone()))?;
                    *behind = 0;
                }
                loop {
                    let batch = reader.next().transpose()?;
                    *behind += 1;
                    if *behind > block || batch.is_none() {
                        break batch;
                    }
                }
            }
        };
        let Some(batch) = batch else { return Ok(None) };
        let rows = batch.num_rows();
        let first = row.min(rows);
        self.opened = Some(batch.slice(first, rows - first));
        Ok(Some(Opened { ahead: if first < rows { vec![first..rows] } else { Vec::new() }, rows }))
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
