//! Files that are whole at their end: the contract, and what can't be done with them.

use std::sync::Arc;

use super::super::{Compressed, Existing, FileFormat, FileSinkConfig, file_sink};
use super::*;
use crate::Visibility;
use crate::columnar::{ColumnarIn, ColumnarOut, ParquetOut, lines_of};
use crate::conformance::{Promise, SinkUnderTest, check_sink, schema};
use arrow_array::Int64Array;

fn config(path: &Path, columns: ColumnarOut) -> FileSinkConfig {
    FileSinkConfig {
        file: FilePath { written: "out/rows".to_owned(), path: path.to_owned() },
        existing: Existing::Replace,
        format: FileFormat::Columns(columns),
        compressed: Compressed::ByExtension,
        visibility: Visibility::AtOnce,
        parts: None,
    }
}

#[tokio::test]
async fn whole_files_keep_the_contract() {
    for (columns, format) in
        [(ColumnarOut::Parquet(ParquetOut::default()), ColumnarIn::Parquet), (ColumnarOut::Arrow, ColumnarIn::Arrow)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/rows");
        let under_test = SinkUnderTest {
            open: &|| file_sink(config(&path, columns), &schema()).expect("a sink"),
            visible: &|| lines_of(&path, format, schema()),
            reset: &|| drop(fs::remove_dir_all(folder.path().join("deep"))),
            visibility: Visibility::AtOnce,
            promise: Promise::WhenClosed,
        };
        check_sink(&under_test).await;
        assert!(path.exists() && !path.with_extension("partial").exists());
    }
}

#[tokio::test]
async fn a_file_without_rows_has_its_columns_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows");
    let mut sink = file_sink(config(&path, ColumnarOut::Parquet(ParquetOut::default())), &schema()).expect("a sink");
    sink.close().await.expect("a close");
    let file = FilePath { written: "rows".to_owned(), path: path.clone() };
    assert_eq!(crate::columnar::columns(&file, ColumnarIn::Parquet, None).expect("columns"), schema());
    assert_eq!(sink.bytes(), fs::metadata(&path).expect("a file").len());
}

#[test]
fn what_a_whole_file_can_not_do_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows");
    let config = config(&path, ColumnarOut::Arrow);
    let error = |config| {
        let error = file_sink(config, &schema()).err().expect("refused");
        (error.code, error.message, error.hint.unwrap_or_default())
    };
    let (code, message, hint) = error(FileSinkConfig { visibility: Visibility::ByEpoch, ..config.clone() });
    assert_eq!((code, hint.as_str()), ("file-not-by-epoch", "end the path in `/`: each epoch becomes a file in it"));
    assert_eq!(message, "out/rows: a file of columns is whole only at its end, and can't grow by epochs");
    let (code, message, _) = error(FileSinkConfig { existing: Existing::Append, ..config.clone() });
    assert_eq!(
        (code, message.as_str()),
        ("file-not-appendable", "out/rows: a file of columns is whole, and nothing can be added to it")
    );
    fs::write(&path, "").expect("a file");
    assert_eq!(error(FileSinkConfig { existing: Existing::Refuse, ..config }).0, "file-exists");
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_what_had_the_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows");
    fs::write(&path, "old").expect("a file");
    std::os::unix::fs::symlink("/dev/full", folder.path().join("rows.partial")).expect("a link");
    let mut sink = file_sink(config(&path, ColumnarOut::Parquet(ParquetOut::default())), &schema()).expect("a sink");
    let rows = RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(0..3))]).expect("columns");
    let written = sink.write(&rows).await;
    let error = match written {
        Ok(()) => sink.close().await.expect_err("a full disk"),
        Err(error) => error,
    };
    assert_eq!(error.code, "disk-full");
    assert!(error.message.starts_with("out/rows: the file can't be written: it isn't whole, and "), "{}", error.message);
    assert_eq!(fs::read_to_string(&path).expect("a file"), "old");
    drop(sink);
    assert!(fs::symlink_metadata(folder.path().join("rows.partial")).is_err(), "nothing of it is left");
}

#[tokio::test]
async fn a_job_that_fails_leaves_no_partial_file_and_one_that_was_killed_does_not_hinder_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, partial) = (folder.path().join("rows"), folder.path().join("rows.partial"));
    let rows = RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(0..3))]).expect("columns");
    fs::write(&partial, "what a process left that was killed").expect("a file");
    let mut sink = file_sink(config(&path, ColumnarOut::Arrow), &schema()).expect("a sink");
    sink.write(&rows).await.expect("a write");
    assert!(partial.exists());
    drop(sink);
    assert!(!partial.exists() && !path.exists());
    fs::write(&partial, "what a process left that was killed").expect("a file");
    let mut sink = file_sink(config(&path, ColumnarOut::Arrow), &schema()).expect("a sink");
    sink.write(&rows).await.expect("a write");
    sink.close().await.expect("a close");
    drop(sink);
    assert!(!partial.exists());
    assert_eq!(lines_of(&path, ColumnarIn::Arrow, schema()).len(), 3);
}
