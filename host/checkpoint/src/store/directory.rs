//! A local directory as an object store, as durable as its disk: what `object_store` brings doesn't sync
//! (`docs/decisions/0019-a-store-is-an-object-store.md`).
//!
//! An object is a file. It is written under a name that ends in `.partial`, synced, linked to its own where that is free, and the
//! directory is synced; so it is there whole and durable, or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::disk::{Disk, PARTIAL, partial};
use crate::error::CheckpointError;

/// The directory.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
    disk: Disk,
}

impl std::fmt::Display for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.root.display())
    }
}

impl Directory {
    pub fn new(root: PathBuf, disk: Disk) -> Self {
        Self { root, disk }
    }

    fn path(&self, name: &Name) -> PathBuf {
        if name.as_ref().is_empty() { self.root.clone() } else { self.root.join(name.as_ref()) }
    }

    fn not_supported<T>(&self, operation: &str) -> Result<T> {
        Err(Error::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() })
    }

    /// What is right in a directory: files but for those being written and those whose names start with a dot, and directories.
    fn list_one(&self, below: &Name) -> Result<ListResult> {
        let path = self.path(below);
        let mut found = ListResult { objects: Vec::new(), common_prefixes: Vec::new() };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(refused(&path, "list", error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| refused(&path, "list", error))?;
            names.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
        names.retain(|(name, _)| !name.starts_with('.') && !name.ends_with(PARTIAL));
        names.sort_unstable();
        for (name, path) in names {
            let name = below.clone().join(name.as_str());
            match path.is_dir() {
                true => found.common_prefixes.push(name),
                false => found.objects.extend(there(look_at(&path, name))?),
            }
        }
        Ok(found)
    }

    fn list_all(&self, below: &Name) -> Result<Vec<ObjectMeta>> {
        let ListResult { mut objects, common_prefixes } = self.list_one(below)?;
        for directory in common_prefixes {
            objects.extend(self.list_all(&directory)?);
        }
        Ok(objects)
    }

    fn create(&self, path: &Path, payload: &PutPayload) -> Result<(), CheckpointError> {
        self.disk.create_dir(path.parent().unwrap_or(&self.root))?;
        let written = self.disk.write_once(path, payload.iter().map(|piece| &piece[..]));
        if let Err(CheckpointError::Exists { .. }) = &written {
            // Whoever finds that it is their own, of an earlier try, takes it for durable.
            self.disk.sync_dir(path.parent().unwrap_or(&self.root))?;
        }
        written
    }

    /// Removes files, those that are there, and makes that durable.
    fn delete(&self, names: Vec<Name>) -> Result<Vec<Name>> {
        let mut directories = BTreeSet::new();
        for path in names.iter().map(|name| self.path(name)) {
            if there(self.disk.remove(&path).map_err(ours))?.is_some() {
                directories.extend(path.parent().map(Path::to_owned));
            }
        }
        directories.iter().try_for_each(|directory| self.disk.sync_dir(directory)).map_err(ours)?;
        Ok(names)
    }

    /// Does what blocks off the caller's thread.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(Self) -> Result<T> + Send + 'static) -> Result<T> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(this)).await?
    }
}

/// An error of the disk as one of a store.
fn ours(error: CheckpointError) -> Error {
    match error {
        CheckpointError::Exists { path } => {
            let source = "the name is taken".into();
            Error::AlreadyExists { path: path.display().to_string(), source }
        }
        CheckpointError::Io { path, error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
            Error::NotFound { path: path.display().to_string(), source: error.into() }
        }
        error => Error::Generic { store: "directory", source: Box::new(error) },
    }
}

/// What there is; nothing where it is gone.
fn there<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn look_at(path: &Path, location: Name) -> Result<ObjectMeta> {
    let metadata = fs::metadata(path).map_err(|error| refused(path, "look at", error))?;
    if metadata.is_dir() {
        return Err(refused(path, "read", std::io::ErrorKind::NotFound.into()));
    }
    let modified = metadata.modified().map_err(|error| refused(path, "look at", error))?;
    Ok(ObjectMeta { location, last_modified: modified.into(), size: metadata.len(), e_tag: None, version: None })
}

fn refused(path: &Path, doing: &'static str, error: std::io::Error) -> Error {
    ours(CheckpointError::io(path, doing)(error))
}

#[async_trait]
impl ObjectStore for Directory {
    async fn put_opts(&self, name: &Name, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if options.mode != PutMode::Create {
            return self.not_supported("a put over what is there");
        }
        let path = self.path(name);
        self.blocking(move |this| this.create(&path, &payload).map_err(ours)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, name: &Name, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let path = self.path(name);
        let upload = self.blocking(move |this| {
            let file = this.disk.create_dir(path.parent().unwrap_or(&this.root)).and_then(|()| this.disk.create(&partial(&path)));
            Ok(Upload { disk: this.disk, file: Some(Arc::new(file.map_err(ours)?)), path, end: 0 })
        });
        Ok(Box::new(upload.await?))
    }

    async fn get_opts(&self, name: &Name, options: GetOptions) -> Result<GetResult> {
        let name = name.clone();
        self.blocking(move |this| {
            let meta = look_at(&this.path(&name), name.clone())?;
            options.check_preconditions(&meta)?;
            let all = 0..meta.size;
            let range = match &options.range {
                None => all,
                Some(GetRange::Bounded(range)) => range.start..range.end.min(meta.size),
                Some(GetRange::Offset(from)) => *from..meta.size,
                Some(GetRange::Suffix(last)) => meta.size.saturating_sub(*last)..meta.size,
            };
            let bytes = if options.head { Vec::new() } else { read(&this.path(&name), range.clone())? };
            let payload = GetResultPayload::Stream(stream::once(async move { Ok(Bytes::from(bytes)) }).boxed());
            Ok(GetResult { payload, meta, range, attributes: Default::default() })
        })
        .await
    }

    fn delete_stream(&self, names: BoxStream<'static, Result<Name>>) -> BoxStream<'static, Result<Name>> {
        let this = self.clone();
        let deleted = async move {
            let names: Vec<Name> = names.try_collect().await?;
            this.blocking(move |this| this.delete(names)).await
        };
        stream::once(deleted)
            .flat_map(|deleted| {
                stream::iter(deleted.map_or_else(|error| vec![Err(error)], |names| names.into_iter().map(Ok).collect()))
            })
            .boxed()
    }

    fn list(&self, below: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, below) = (self.clone(), below.cloned().unwrap_or_default());
        let found = async move { this.blocking(move |this| this.list_all(&below)).await };
        stream::once(found)
            .flat_map(|found| {
                stream::iter(found.map_or_else(|error| vec![Err(error)], |objects| objects.into_iter().map(Ok).collect()))
            })
            .boxed()
    }

    async fn list_with_delimiter(&self, below: Option<&Name>) -> Result<ListResult> {
        let below = below.cloned().unwrap_or_default();
        self.blocking(move |this| this.list_one(&below)).await
    }

    async fn copy_opts(&self, _: &Name, _: &Name, _: CopyOptions) -> Result<()> {
        self.not_supported("a copy")
    }
}

fn read(path: &Path, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
    let read = || {
        let mut bytes = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)];
        File::open(path)?.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes)
    };
    read().map_err(|error| refused(path, "read", error))
}

/// A file that is written in parts. Dropped before it is complete, nothing of it stays.
#[derive(Debug)]
struct Upload {
    disk: Disk,
    /// The file that is being written, until it has its name.
    file: Option<Arc<File>>,
    path: PathBuf,
    /// Where the next part begins.
    end: u64,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        let (disk, file, path, mut at) = (self.disk.clone(), self.file.clone(), partial(&self.path), self.end);
        self.end += part.content_length() as u64;
        Box::pin(async move {
            let write = move || {
                let Some(file) = file else { return Ok(()) };
                for piece in &part {
                    disk.write_at(&path, &file, piece, at)?;
                    at += piece.len() as u64;
                }
                Ok(())
            };
            tokio::task::spawn_blocking(write).await?.map_err(ours)
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if let Some(file) = self.file.clone() {
            let (disk, path) = (self.disk.clone(), self.path.clone());
            tokio::task::spawn_blocking(move || disk.publish(&partial(&path), &file, &path)).await?.map_err(ours)?;
            self.file = None;
        }
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        if self.file.take().is_some() {
            let (disk, path) = (self.disk.clone(), partial(&self.path));
            tokio::task::spawn_blocking(move || disk.forget(&path)).await?;
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            self.disk.forget(&partial(&self.path));
        }
    }
}
