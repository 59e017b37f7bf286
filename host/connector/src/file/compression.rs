//! Compressed files: gzip and zstd, written and read as one member, or frame, after another.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

/// How the bytes of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip, at its level 6.
    Gzip,
    /// Zstandard, at its level 3.
    Zstd,
}

/// How a file's compression is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compressed {
    /// By the extension of its path: `.gz`, `.zst`, or none.
    #[default]
    ByExtension,
    /// It is this, or none, whatever its path.
    As(Option<Compression>),
}

impl Compressed {
    /// That of a file.
    pub(crate) fn of(self, path: &Path) -> Option<Compression> {
        match self {
            Self::As(compression) => compression,
            Self::ByExtension => match path.extension().and_then(OsStr::to_str) {
                Some("gz") => Some(Compression::Gzip),
                Some("zst") => Some(Compression::Zstd),
                _ => None,
            },
        }
    }
}

impl Compression {
    /// What messages call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What the names of compressed files end in, behind the point.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }

    /// Bytes as a whole member, which can stand behind others.
    pub(crate) fn member(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(plain)?;
                encoder.finish()
            }
            Self::Zstd => zstd::bulk::compress(plain, zstd::DEFAULT_COMPRESSION_LEVEL),
        }
    }

    /// What the members from here on hold, one after another. An error of the kind `UnexpectedEof` where the last is cut off.
    pub(crate) fn reader(self, file: File) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(64 << 10, file))),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
        })
    }
}
