//! An upload in parts that fails as the store is told to.

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use crate::{FaultyStore, Op};

/// The upload.
#[derive(Debug)]
pub(crate) struct FaultyUpload {
    store: FaultyStore,
    name: Path,
    inner: Box<dyn MultipartUpload>,
}

impl FaultyUpload {
    pub(crate) fn new(store: FaultyStore, name: Path, inner: Box<dyn MultipartUpload>) -> Self {
        Self { store, name, inner }
    }
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        let (store, name, bytes) = (self.store.clone(), self.name.clone(), part.content_length());
        let sent = self.inner.put_part(part);
        Box::pin(async move { store.apply(Op::Part, &name, bytes, sent).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.store.apply(Op::Complete, &self.name, 0, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.store.apply(Op::Abort, &self.name, 0, self.inner.abort()).await
    }
}
