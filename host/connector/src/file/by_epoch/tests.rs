//! Files written epoch by epoch: the contract, what is there before, and full disks.

use std::path::Path;
use std::slice::from_ref;
use std::sync::Arc;

use super::super::at_once::tests::SmallDisk;
use super::super::{FileSinkConfig, file_sink};
use super::*;
use crate::Visibility;
use crate::conformance::{Promise, SinkUnderTest, check_sink, schema};
use crate::file::Compressed;
use crate::json::JsonOut;
use arrow_array::Int64Array;

fn open_at(path: &Path, existing: Existing) -> Box<dyn Sink> {
    let file = FilePath { written: "out/report.ndjson".to_owned(), path: path.to_owned() };
    let config = FileSinkConfig {
        file,
        existing,
        format: JsonOut::default().into(),
        compressed: Compressed::ByExtension,
        visibility: Visibility::ByEpoch,
        parts: None,
    };
    file_sink(config, &schema()).expect("a sink")
}

fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(numbers))]).expect("columns of the schema")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("a name")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_keep_the_contract() {
    for existing in [Existing::Replace, Existing::Append] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.ndjson");
        let under_test = SinkUnderTest {
            open: &|| open_at(&path, existing),
            visible: &|| text(&path).lines().map(str::to_owned).collect(),
            reset: &|| {
                names(folder.path()).iter().for_each(|name| std::fs::remove_file(folder.path().join(name)).expect("a file"))
            },
            visibility: Visibility::ByEpoch,
            promise: Promise::ExactlyOnce,
        };
        // A fresh start of `append` keeps what is there, so a crash that recovers to nothing starts from an empty file.
        if existing == Existing::Append {
            let under_test = SinkUnderTest { open: &|| open_at(&path, existing), ..under_test };
            append_keeps_what_is_there(&under_test, &path).await;
        } else {
            check_sink(&under_test).await;
        }
    }
}

async fn append_keeps_what_is_there(under_test: &SinkUnderTest<'_>, path: &Path) {
    std::fs::write(path, "old, and cut off").expect("a file");
    for _ in 0..2 {
        let mut sink = (under_test.open)();
        sink.recover(None).await.expect("a fresh start");
        sink.write(&rows(0..1)).await.expect("a write");
        assert_eq!(text(path), "old, and cut off", "a crash before the first commit changes nothing");
    }
    let mut sink = (under_test.open)();
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows(0..1)).await.expect("a write");
    let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
    sink.commit(&prepared).await.expect("a commit");
    assert_eq!(text(path), "old, and cut off\n{\"n\":0}\n");
    std::fs::write(path, "old, and cut off\n{\"n\":0}\n{\"la").expect("a file");
    (under_test.open)().recover(Some(from_ref(&prepared))).await.expect("a recovery");
    assert_eq!(text(path), "old, and cut off\n{\"n\":0}\n");
}

#[tokio::test]
async fn a_file_that_is_there_is_refused_on_a_fresh_start_and_not_on_recovery() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.ndjson");
    for _ in 0..2 {
        let mut sink = open_at(&path, Existing::Refuse);
        sink.recover(None).await.expect("nothing is there, also after a crash before the first commit");
        sink.write(&rows(0..1)).await.expect("a write");
    }
    let mut sink = open_at(&path, Existing::Refuse);
    sink.recover(None).await.expect("nothing is there");
    let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
    sink.commit(&prepared).await.expect("a commit");
    open_at(&path, Existing::Refuse).recover(Some(from_ref(&prepared))).await.expect("its own file");
    let error = open_at(&path, Existing::Refuse).recover(None).await.expect_err("a file is there");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("file-exists", "out/report.ndjson: the file is there already, and the sink says `existing: refuse`")
    );
}

#[tokio::test]
async fn nothing_is_left_beside_the_file_after_the_last_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/report.ndjson");
    let mut sink = open_at(&path, Existing::Replace);
    sink.recover(None).await.expect("a fresh start");
    for epoch in 1..4 {
        sink.write(&rows(0..30_000)).await.expect("a write");
        let prepared = sink.prepare(Epoch(epoch)).await.expect("a preparation");
        sink.commit(&prepared).await.expect("a commit");
    }
    assert_eq!(names(path.parent().expect("a folder")), ["report.ndjson"]);
    assert_eq!(sink.bytes(), text(&path).len() as u64);
}

#[tokio::test]
async fn rows_before_the_recovery_are_a_fault_of_the_caller() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = open_at(&folder.path().join("report.ndjson"), Existing::Replace);
    let error = sink.write(&rows(0..1)).await.expect_err("no place to go on");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("sink-not-recovered", "out/report.ndjson: rows came before the sink was told where to go on")
    );
}

#[tokio::test]
async fn an_output_that_is_not_what_it_was_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.ndjson");
    let mut sink = open_at(&path, Existing::Replace);
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows(0..2)).await.expect("a write");
    let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
    sink.commit(&prepared).await.expect("a commit");
    std::fs::write(&path, "{\"n\":0}\n").expect("a file");
    let error = open_at(&path, Existing::Replace).recover(Some(from_ref(&prepared))).await.expect_err("a shorter file");
    let staged = folder.path().join(".report.ndjson.wasmill-1-0").display().to_string();
    assert_eq!(error.message, format!("out/report.ndjson: expected the 16 bytes of epoch 1 in {staged}, found no such file"));
    assert_eq!(error.code, "output-changed");
    assert_eq!(
        error.hint.as_deref(),
        Some("put back the file that the job was writing and what lies beside it, or start with --fresh")
    );
    let error = open_at(&path, Existing::Replace)
        .recover(Some(&[Prepared(serde_json::json!({"epoch": 1}))]))
        .await
        .expect_err("of another sink");
    assert_eq!(error.code, "prepared-invalid");
}

#[test]
fn a_device_can_not_be_written_by_epoch() {
    let file = FilePath { written: "/dev/null".to_owned(), path: "/dev/null".into() };
    let config = FileSinkConfig {
        file,
        existing: Existing::Replace,
        format: JsonOut::default().into(),
        compressed: Compressed::ByExtension,
        visibility: Visibility::ByEpoch,
        parts: None,
    };
    let error = file_sink(config, &schema()).err().expect("a device");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("file-not-regular", "/dev/null: expected a regular file, found a pipe or a device")
    );
}

#[tokio::test]
async fn a_disk_that_is_full_while_rows_are_staged_is_told_and_committed_rows_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.ndjson");
    let mut sink = open_at(&path, Existing::Replace);
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows(0..1)).await.expect("a write");
    let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
    sink.commit(&prepared).await.expect("a commit");
    std::os::unix::fs::symlink("/dev/full", folder.path().join(".report.ndjson.wasmill-staging")).expect("a link");
    sink.write(&rows(1..3)).await.expect("it is buffered");
    let error = sink.prepare(Epoch(2)).await.expect_err("a full disk");
    let expected = "out/report.ndjson: the file can't be written: 2 rows (16 bytes) of the running epoch are not in it, all committed epochs are: no space left on device";
    assert_eq!((error.code, error.message.as_str()), ("disk-full", expected));
    open_at(&path, Existing::Replace).recover(Some(from_ref(&prepared))).await.expect("a recovery");
    assert_eq!((text(&path).as_str(), names(folder.path())), ("{\"n\":0}\n", vec!["report.ndjson".to_owned()]));
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_commit_shows_none_of_the_epoch_and_recovery_makes_it_good() {
    let Some(disk) = SmallDisk::of("512k") else { return };
    let path = disk.path().join("report.ndjson");
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 128 << 10]).expect("a file");
    let mut sink = open_at(&path, Existing::Replace);
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows(0..20_000)).await.expect("a write");
    let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
    let error = sink.commit(&prepared).await.expect_err("a full disk");
    let expected = format!(
        "out/report.ndjson: the file can't be written: the {} bytes of epoch 1 are not in it, and stay beside it until the job goes on: no space left on device",
        sink.bytes()
    );
    assert_eq!((error.code, error.message), ("disk-full", expected));
    assert_eq!(text(&path), "", "nothing of the epoch is seen");
    std::fs::remove_file(ballast).expect("the ballast");
    open_at(&path, Existing::Replace).recover(Some(from_ref(&prepared))).await.expect("there is room now");
    assert_eq!(text(&path).lines().count(), 20_000);
}
