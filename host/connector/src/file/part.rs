//! Files that are written from start to end and then are whole: lines, or columns.

use std::io;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::Compression;
use crate::ConnectorError;
use crate::columnar::{ColumnarOut, ColumnsOut, PartOut, PartWriter, columns_out};
use crate::format::{Encoder, FormatOut};

/// So many bytes of lines are gathered before they are written, in a compressed file as one member.
const BUFFER: usize = 1 << 20;

/// All that names of parts end in, behind the first point.
pub(crate) const EXTENSIONS: [&str; 8] = ["ndjson", "ndjson.gz", "ndjson.zst", "csv", "csv.gz", "csv.zst", "parquet", "arrow"];

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Row by row.
    Rows(FormatOut),
    /// Column by column: a file that can be read once it is whole.
    Columns(ColumnarOut),
}

impl<F: Into<FormatOut>> From<F> for FileFormat {
    fn from(rows: F) -> Self {
        Self::Rows(rows.into())
    }
}

/// What makes writers of whole files of a format.
#[derive(Debug, Clone)]
pub(crate) enum PartFormat {
    Rows { encoder: Arc<dyn Encoder>, compression: Option<Compression>, extension: &'static str },
    Columns(ColumnsOut),
}

impl PartFormat {
    /// For rows of these columns.
    ///
    /// # Errors
    /// Those of the format, for a column that it can't have.
    pub(crate) fn new(format: FileFormat, compression: Option<Compression>, schema: &Schema) -> Result<Self, ConnectorError> {
        Ok(match format {
            FileFormat::Rows(rows) => {
                Self::Rows { encoder: rows.encoder(schema)?.into(), compression, extension: rows.extension() }
            }
            FileFormat::Columns(columns) => Self::Columns(columns_out(columns, schema)?),
        })
    }

    /// What a file's name ends in, behind the point.
    pub(crate) fn extension(&self) -> String {
        match self {
            Self::Rows { compression: None, extension, .. } => (*extension).to_owned(),
            Self::Rows { compression: Some(compression), extension, .. } => format!("{extension}.{}", compression.extension()),
            Self::Columns(columns) => columns.extension().to_owned(),
        }
    }

    /// A writer into an empty file.
    pub(crate) fn begin(&self, out: PartOut) -> io::Result<Box<dyn PartWriter>> {
        match self {
            Self::Rows { encoder, compression, .. } => {
                let buffer = encoder.preamble().to_vec();
                Ok(Box::new(LinesPart { encoder: Arc::clone(encoder), compression: *compression, out, buffer, written: 0 }))
            }
            Self::Columns(columns) => columns.begin(out),
        }
    }
}

struct LinesPart {
    encoder: Arc<dyn Encoder>,
    compression: Option<Compression>,
    out: PartOut,
    buffer: Vec<u8>,
    written: u64,
}

impl LinesPart {
    fn write_out(&mut self) -> io::Result<()> {
        let member = self.compression.map(|compression| compression.member(&self.buffer)).transpose()?;
        let bytes = member.as_ref().unwrap_or(&self.buffer);
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl PartWriter for LinesPart {
    fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        self.encoder.encode(rows, &mut self.buffer);
        if self.buffer.len() >= BUFFER { self.write_out() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_out()?;
        self.out.flush()
    }

    fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }
}
