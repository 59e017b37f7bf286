//! An object of rows on its way into a bucket: encoded as a file is, and sent in parts while rows come.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use object_store::buffered::BufWriter;
use object_store::path::Path as Name;
use object_store::{Error, ObjectStore};
use tokio::io::AsyncWriteExt as _;

use super::fault::of_io;
use crate::columnar::PartWriter;
use crate::file::part::PartFormat;
use crate::sink::blocking;

/// An object with fewer bytes is one request; one with more is uploaded in parts of so many: at least the 5 MiB that S3 wants.
const PART: usize = 8 << 20;
/// Parts of an object that are under way at once.
const PARTS_AT_ONCE: usize = 4;

/// An object that is being written. Nobody sees it before [`Self::finish`]; dropped, it is given up.
pub(super) struct Object {
    writer: Option<Box<dyn PartWriter>>,
    encoded: Encoded,
    upload: Option<BufWriter>,
    sent: u64,
}

/// Bytes that are encoded, and not sent.
#[derive(Clone, Default)]
struct Encoded(Arc<Mutex<Vec<u8>>>);

impl Encoded {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Encoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Object {
    pub(super) fn begin(store: Arc<dyn ObjectStore>, name: Name, format: &PartFormat) -> Result<Self, Error> {
        let encoded = Encoded::default();
        let writer = format.begin(Box::new(encoded.clone())).map_err(of_io)?;
        let upload = BufWriter::with_capacity(store, name, PART).with_max_concurrency(PARTS_AT_ONCE);
        Ok(Self { writer: Some(writer), encoded, upload: Some(upload), sent: 0 })
    }

    /// Adds rows, at least one. Waits where more is under way than may be.
    pub(super) async fn write(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        if let Some(writer) = &mut self.writer {
            writer.write(rows).map_err(of_io)?;
        }
        self.send().await
    }

    /// Makes the object whole and durable; its bytes.
    pub(super) async fn finish(mut self) -> Result<u64, Error> {
        if let Some(writer) = self.writer.take() {
            // The last row group may have a hundred megabytes to be compressed.
            blocking(move || writer.finish()).await.map_err(of_io)?;
        }
        self.send().await?;
        if let Some(mut upload) = self.upload.take() {
            upload.shutdown().await.map_err(of_io)?;
        }
        Ok(self.sent)
    }

    async fn send(&mut self) -> Result<(), Error> {
        let bytes = self.encoded.take();
        self.sent += bytes.len() as u64;
        match &mut self.upload {
            Some(upload) if !bytes.is_empty() => upload.put(bytes.into()).await,
            _ => Ok(()),
        }
    }

    /// The bytes so far, those that are buffered too.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.as_ref().map_or(self.sent, |writer| writer.bytes())
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if let (Some(mut upload), Ok(runtime)) = (self.upload.take(), tokio::runtime::Handle::try_current()) {
            // Parts of an upload that nobody completes are kept, and paid for, until the bucket's own rules remove them.
            runtime.spawn(async move { drop(upload.abort().await) });
        }
    }
}
