//! The files of each format and compression: what they promise, and what is in them.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use wasmill_flow::Epoch;

use super::*;
use crate::conformance::{Promise, SinkUnderTest, check_sink, schema};
use crate::csv::CsvOut;
use crate::file::Compression;
use crate::json::JsonOut;

const NAMES: [&str; 5] = ["report.csv", "report.ndjson.gz", "report.ndjson.zst", "report.csv.gz", "report.csv.zst"];

fn config(path: &Path, existing: Existing, visibility: Visibility) -> FileSinkConfig {
    let format = if path.to_string_lossy().contains(".csv") { CsvOut::default().into() } else { JsonOut::default().into() };
    let file = FilePath { written: "out/report".to_owned(), path: path.to_owned() };
    FileSinkConfig { file, existing, format, compressed: Compressed::ByExtension, visibility, parts: None }
}

fn open(path: &Path, existing: Existing, visibility: Visibility) -> Box<dyn Sink> {
    file_sink(config(path, existing, visibility), &schema()).expect("a sink")
}

/// What a file holds, decompressed.
fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut plain = Vec::new();
    match Compressed::ByExtension.of(path) {
        _ if bytes.is_empty() => {}
        None => plain = bytes,
        Some(Compression::Gzip) => {
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).expect("whole members");
        }
        Some(Compression::Zstd) => plain = zstd::decode_all(&bytes[..]).expect("whole frames"),
    }
    String::from_utf8(plain).expect("UTF-8")
}

/// Rows as the suite compares them; a header comes first, once.
fn rows_of(path: &Path) -> Vec<String> {
    let text = text(path);
    if !path.to_string_lossy().contains(".csv") {
        return text.lines().map(str::to_owned).collect();
    }
    assert!(text.is_empty() || text.starts_with("n\n"), "{text}");
    text.lines().skip(1).map(|n| format!("{{\"n\":{n}}}")).collect()
}

fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(numbers))]).expect("columns of the schema")
}

#[tokio::test]
async fn files_of_every_format_keep_the_contract() {
    for name in NAMES {
        // Every crash of every format would take minutes of syncing.
        let by_epoch = ["report.csv.gz", "report.ndjson.zst"].contains(&name).then_some(Visibility::ByEpoch);
        for visibility in std::iter::once(Visibility::AtOnce).chain(by_epoch) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join(name);
            // Another process goes on with the file, but a fresh start writes it anew.
            let existing = if visibility == Visibility::AtOnce { Existing::Append } else { Existing::Replace };
            let under_test = SinkUnderTest {
                open: &|| open(&path, existing, visibility),
                visible: &|| rows_of(&path),
                reset: &|| {
                    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
                        std::fs::remove_file(entry.expect("an entry").path()).expect("a file");
                    }
                },
                visibility,
                promise: Promise::ExactlyOnce,
            };
            check_sink(&under_test).await;
        }
    }
}

#[tokio::test]
async fn what_is_added_to_a_csv_file_has_no_second_header_and_starts_on_a_line_of_its_own() {
    for (before, after) in [("", "n\n1\n"), ("n\n7\n", "n\n7\n1\n"), ("n\n7", "n\n7\n1\n")] {
        for visibility in [Visibility::AtOnce, Visibility::ByEpoch] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("report.csv");
            std::fs::write(&path, before).expect("a file");
            let mut sink = open(&path, Existing::Append, visibility);
            if visibility == Visibility::ByEpoch {
                sink.recover(None).await.expect("a fresh start");
            }
            sink.write(&rows(1..2)).await.expect("a write");
            match visibility {
                Visibility::AtOnce => sink.close().await.expect("a close"),
                Visibility::ByEpoch => {
                    let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
                    sink.commit(&prepared).await.expect("a commit");
                }
            }
            assert_eq!(text(&path), after, "{visibility:?}");
            assert_eq!(sink.bytes(), (after.len() - before.len()) as u64);
        }
    }
}

#[tokio::test]
async fn what_is_added_to_an_archive_is_a_member_of_its_own() {
    for name in ["report.ndjson.gz", "report.csv.zst"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        let mut lengths = vec![0];
        for turn in 0..3 {
            let before = std::fs::read(&path).unwrap_or_default();
            let mut sink = open(&path, Existing::Append, Visibility::AtOnce);
            sink.write(&rows(turn..turn + 1)).await.expect("a write");
            sink.close().await.expect("a close");
            let after = std::fs::read(&path).expect("a file");
            assert!(after.starts_with(&before), "what was there stays");
            lengths.push(after.len());
        }
        assert!(lengths.is_sorted_by(|left, right| left < right), "{lengths:?}");
        assert_eq!(rows_of(&path), ["{\"n\":0}", "{\"n\":1}", "{\"n\":2}"]);
    }
}

#[tokio::test]
async fn an_archive_that_is_cut_off_is_not_added_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.ndjson.gz");
    let whole = Compression::Gzip.member(b"{\"n\":0}\n").expect("memory takes bytes");
    std::fs::write(&path, &whole[..whole.len() - 4]).expect("a file");
    let mut sink = open(&path, Existing::Append, Visibility::AtOnce);
    sink.write(&rows(0..1)).await.expect("a buffered write");
    let error = sink.close().await.expect_err("an archive that is cut off");
    assert_eq!(error.message, "out/report: the file can't be opened: the gzip archive that is there is cut off");
    assert_eq!(std::fs::read(&path).expect("a file").len(), whole.len() - 4);
}

#[tokio::test]
async fn a_job_without_rows_leaves_a_header_and_archives_that_can_be_read() {
    for name in NAMES {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        let mut sink = open(&path, Existing::Replace, Visibility::AtOnce);
        sink.close().await.expect("a close");
        assert_eq!(text(&path), if name.contains("csv") { "n\n" } else { "" });
        assert_eq!(std::fs::metadata(&path).expect("a file").len(), sink.bytes());
        assert!(sink.bytes() > 0, "{name}");
    }
}
