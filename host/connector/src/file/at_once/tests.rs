//! Files written as rows come, good disks and full ones.

use std::path::Path;
use std::sync::Arc;

use super::super::{FileSinkConfig, file_sink};
use super::*;
use crate::Visibility;
use crate::conformance::{Promise, SinkUnderTest, check_sink, schema};
use crate::file::Compressed;
use crate::json::JsonOut;
use arrow_array::Int64Array;

fn config(path: &Path, existing: Existing) -> FileSinkConfig {
    let file = FilePath { written: "out/report.ndjson".to_owned(), path: path.to_owned() };
    FileSinkConfig {
        file,
        existing,
        format: JsonOut::default().into(),
        compressed: Compressed::ByExtension,
        visibility: Visibility::AtOnce,
        parts: None,
    }
}

fn open_at(path: &Path, existing: Existing) -> Box<dyn Sink> {
    file_sink(config(path, existing), &schema()).expect("a sink")
}

fn rows(numbers: &[i64]) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(numbers.to_vec()))]).expect("columns of the schema")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

#[tokio::test]
async fn files_keep_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.ndjson");
    let under_test = SinkUnderTest {
        open: &|| open_at(&path, Existing::Append),
        visible: &|| text(&path).lines().map(str::to_owned).collect(),
        reset: &|| drop(std::fs::remove_file(&path)),
        visibility: Visibility::AtOnce,
        promise: Promise::ExactlyOnce,
    };
    check_sink(&under_test).await;
}

#[tokio::test]
async fn a_file_that_is_there_is_replaced_added_to_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.ndjson");
    for (before, existing, after) in [
        ("{\"old\":1}\n", Existing::Replace, "{\"n\":7}\n"),
        ("{\"old\":1}\n", Existing::Append, "{\"old\":1}\n{\"n\":7}\n"),
        ("{\"old\":1}", Existing::Append, "{\"old\":1}\n{\"n\":7}\n"),
        ("", Existing::Append, "{\"n\":7}\n"),
    ] {
        std::fs::write(&path, before).expect("a file");
        let mut sink = open_at(&path, existing);
        assert_eq!(text(&path), before, "nothing is changed before the first row");
        sink.write(&rows(&[7])).await.expect("a write");
        sink.close().await.expect("a close");
        let kept = if existing == Existing::Append { before.len() } else { 0 };
        assert_eq!((text(&path).as_str(), sink.bytes()), (after, (after.len() - kept) as u64), "{existing:?}");
    }
    let error = file_sink(config(&path, Existing::Refuse), &schema()).err().expect("a file that is there");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("file-exists", "out/report.ndjson: the file is there already, and the sink says `existing: refuse`")
    );
    assert_eq!(
        error.hint.as_deref(),
        Some("move it away, choose another path, or say `existing: replace` or `existing: append`")
    );
}

#[tokio::test]
async fn a_file_that_appears_while_the_job_starts_is_refused_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.ndjson");
    let mut sink = open_at(&path, Existing::Refuse);
    std::fs::write(&path, "mine\n").expect("a file");
    sink.write(&rows(&[7])).await.expect("it is buffered");
    assert_eq!(sink.flush().await.expect_err("a file that is there").code, "file-exists");
    assert_eq!(text(&path), "mine\n");
}

#[tokio::test]
async fn a_job_without_rows_leaves_an_empty_file_in_a_folder_that_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out/deep/report.ndjson");
    open_at(&path, Existing::Replace).close().await.expect("a close");
    assert_eq!(text(&path), "");
}

#[tokio::test]
async fn a_path_that_can_not_be_written_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = file_sink(config(folder.path(), Existing::Replace), &schema()).err().expect("a folder");
    assert_eq!((error.code, error.message.as_str()), ("file-is-directory", "out/report.ndjson: expected a file, found a folder"));
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let error = open_at(&file.join("below"), Existing::Replace).close().await.expect_err("a file for a folder");
    assert_eq!(error.code, "file-unwritable");
    assert!(
        error.message.starts_with("out/report.ndjson: the file can't be opened, since its folder can't be made: "),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_full_disk_is_told_with_what_was_written() {
    let mut sink = open_at(Path::new("/dev/full"), Existing::Replace);
    sink.write(&rows(&[1, 2, 3])).await.expect("it is buffered");
    let error = sink.flush().await.expect_err("a full disk");
    let expected = "out/report.ndjson: the file can't be written: 0 rows (0 bytes) are in it, 3 rows (24 bytes) that were to follow are not: no space left on device";
    assert_eq!((error.code, error.message.as_str()), ("disk-full", expected));
    assert_eq!(error.hint.as_deref(), Some("make room, or write to another disk"));
}

/// A small disk of its own; only root can make one, and not in every container.
pub(in crate::file) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(in crate::file) fn of(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let made = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "wasmill-test"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !made {
            eprintln!("no small disk can be mounted here (not root?): the full disk is tested with /dev/full only");
        }
        made.then_some(Self(folder))
    }

    pub(in crate::file) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg("--lazy").arg(self.0.path()).output());
    }
}

#[tokio::test]
async fn no_line_is_half_written_when_a_disk_fills_up_and_writing_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::of("256k") else { return };
    let path = disk.path().join("report.ndjson");
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 100 << 10]).expect("a file");
    let mut sink = open_at(&path, Existing::Replace);
    let numbers: Vec<i64> = (0..15_000).collect();
    sink.write(&rows(&numbers)).await.expect("it is buffered");
    let error = sink.flush().await.expect_err("a full disk");
    let written = text(&path);
    let lines = written.lines().count();
    assert!(written.ends_with("}\n") && lines > 5000, "whole lines: {lines}");
    let expected = format!(
        "out/report.ndjson: the file can't be written: {lines} rows ({} bytes) are in it, {} rows ({} bytes) that were to follow are not: no space left on device",
        written.len(),
        15_000 - lines,
        sink.bytes() - written.len() as u64
    );
    assert_eq!((error.code, error.message), ("disk-full", expected));
    std::fs::remove_file(ballast).expect("the ballast");
    sink.close().await.expect("there is room now");
    let expected: Vec<_> = numbers.iter().map(|n| format!("{{\"n\":{n}}}")).collect();
    assert_eq!(text(&path).lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_yet_holds_no_thread_of_the_runtime() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    let mut sink = open_at(&path, Existing::Replace);
    let writing = tokio::spawn(async move {
        // More than a pipe holds.
        for _ in 0..100 {
            sink.write(&rows(&[7; 1000])).await.expect("a write");
            sink.flush().await.expect("a flush");
        }
        sink.close().await.expect("a close");
    });
    // The runtime has one thread, this one: it is free while the pipe is opened.
    tokio::task::yield_now().await;
    let read = tokio::task::spawn_blocking(move || text(&path)).await.expect("a reader");
    writing.await.expect("rows in the pipe");
    assert_eq!(read, "{\"n\":7}\n".repeat(100_000));
}
