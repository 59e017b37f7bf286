//! Compressed files.

use super::*;
use crate::file::Compression;

const TEXT: &str = "{\"id\":\"a\"}\n{\"id\":\"b\",\"mag\":2.5}\n\n{\"id\":\"c\"}\nhello\n";

/// A file of two members, which part in the middle of a row.
fn archive(compression: Compression) -> Vec<u8> {
    let member = |text: &str| compression.member(text.as_bytes()).expect("memory takes bytes");
    [member(&TEXT[..15]), member(&TEXT[15..])].concat()
}

fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    (folder, path)
}

const BOTH: [(Compression, &str); 2] = [(Compression::Gzip, "quakes.ndjson.gz"), (Compression::Zstd, "quakes.ndjson.zst")];

#[tokio::test]
async fn compressed_files_keep_the_contract() {
    for (compression, name) in BOTH {
        let (_folder, path) = written(name, &archive(compression));
        check_source(&SourceUnderTest { open: &|| Box::new(open(&path)), rows: 4, ends: true }).await;
        for nothing in [Vec::new(), compression.member(b"").expect("memory takes bytes")] {
            let (_folder, path) = written(name, &nothing);
            check_source(&SourceUnderTest { open: &|| Box::new(open(&path)), rows: 0, ends: true }).await;
        }
    }
}

#[tokio::test]
async fn rows_of_a_compressed_file_stand_for_its_bytes_on_disk() {
    for (compression, name) in BOTH {
        let bytes = archive(compression);
        let (_folder, path) = written(name, &bytes);
        let (mut source, mut read) = (open(&path), 0);
        while let Some(rows) = source.read(BatchLimit { rows: 1, bytes: 1 << 20 }).await.expect("a read") {
            read += rows.bytes;
        }
        assert_eq!((Extent::Bytes(read), bytes.len() as u64), (source.extent(), read));
    }
}

#[tokio::test]
async fn an_archive_that_is_cut_off_fails_once_all_that_was_before_is_read() {
    for (compression, name) in BOTH {
        let text: String = (0..200_000).map(|n| format!("{{\"id\":\"{}\"}}\n", n * 7919 % 200_003)).collect();
        let whole = compression.member(text.as_bytes()).expect("memory takes bytes");
        let (_folder, path) = written(name, &whole[..whole.len() - 9]);
        let mut source = open(&path);
        let mut rows = 0;
        let error = loop {
            match source.read(LIMIT).await {
                Ok(read) => rows += read.expect("no end before the fault").rows.num_rows(),
                Err(error) => break error,
            }
        };
        assert!(rows > 150_000, "{rows} rows of {name}");
        let position = source.position();
        let bytes: usize = text.split_inclusive('\n').take(rows).map(str::len).sum();
        let message = format!(
            "in/quakes.ndjson: expected a whole {} archive, found one that is cut off; {rows} lines ({bytes} bytes) were read before that",
            compression.name()
        );
        assert_eq!((error.code, error.message), ("archive-cut-off", message));
        assert_eq!(error.hint.as_deref(), Some("fetch or write the file again; what was read is not lost"));
        std::fs::write(&path, &whole).expect("the whole file");
        let mut source = open(&path);
        source.seek(&position).expect("a seek in the whole file");
        assert_eq!(read_all(&mut source).await.0.len(), 200_000 - rows, "what follows goes on where it was cut off");
    }
}

#[tokio::test]
async fn what_is_no_archive_is_told_as_that() {
    for (name, why) in [("quakes.gz", "invalid gzip header"), ("quakes.zst", "unknown frame descriptor")] {
        let (_folder, path) = written(name, TEXT.as_bytes());
        let error = open(&path).read(LIMIT).await.expect_err("no archive");
        let kind = if name.ends_with("gz") { "gzip" } else { "zstd" };
        let message = format!(
            "in/quakes.ndjson: expected a {kind} archive, found what isn't one ({why}); 0 lines (0 bytes) were read before that"
        );
        assert_eq!((error.code, error.message), ("archive-broken", message));
        let config = FileSourceConfig {
            path: super::path(&path),
            format: JsonIn::default().into(),
            compressed: Compressed::As(None),
            task: TaskIndex::ONLY,
        };
        let mut source = FileSource::open(config, schema()).expect("a file");
        assert_eq!(read_all(&mut source).await.0.len(), 3, "`compression: none` reads it as it is");
    }
}

#[tokio::test]
async fn an_archive_that_is_shorter_than_what_was_read_is_refused() {
    let (_folder, path) = written("quakes.ndjson.gz", &archive(Compression::Gzip));
    let mut source = open(&path);
    read_all(&mut source).await;
    let position = source.position();
    std::fs::write(&path, Compression::Gzip.member(b"{}\n").expect("memory takes bytes")).expect("a file");
    let error = open(&path).seek(&position).expect_err("a shorter archive");
    let message = "in/quakes.ndjson: expected at least 50 bytes, which were read before, found 3";
    assert_eq!((error.code, error.message.as_str()), ("file-too-short", message));
}
