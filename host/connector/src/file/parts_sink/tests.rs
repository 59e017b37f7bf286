//! Folders of parts: the contract for every format, tasks beside each other, and what is there before.

use std::path::Path;
use std::sync::Arc;

use arrow_array::Int64Array;
use wasmill_flow::TaskIndex;

use super::super::{FileFormat, FileSinkConfig, file_sink};
use super::*;
use crate::Visibility;
use crate::columnar::{ColumnarIn, ColumnarOut, ColumnarSource, ParquetOut};
use crate::conformance::{Promise, SinkUnderTest, check_sink, schema};
use crate::json::JsonOut;
use crate::{BatchLimit, Source, row_object};

const FORMATS: [FileFormat; 3] = [
    FileFormat::Rows(crate::FormatOut::Json(JsonOut { timestamps_as_millis: false })),
    FileFormat::Columns(ColumnarOut::Parquet(ParquetOut {
        compression: crate::columnar::Compression::Zstd,
        row_group_rows: 7_000,
    })),
    FileFormat::Columns(ColumnarOut::Arrow),
];

fn open(folder: &Path, format: FileFormat, existing: Existing, visibility: Visibility, task: TaskIndex) -> Box<dyn Sink> {
    let file = FilePath { written: "out/".to_owned(), path: folder.to_owned() };
    file_sink(FileSinkConfig { file, existing, format, visibility, parts: Some(task) }, &schema()).expect("a sink")
}

fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(numbers))]).expect("columns of the schema")
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort_by_key(|name| (name.split('-').nth(1).and_then(|number| number.parse::<u64>().ok()), name.clone()));
    names
}

/// The rows of all parts, in the order of their numbers.
fn visible(folder: &Path, format: FileFormat) -> Vec<String> {
    let parts = names(folder).into_iter().filter(|name| name.starts_with("part-") && !name.ends_with(".partial"));
    parts.flat_map(|name| lines(&folder.join(name), format)).collect()
}

fn lines(path: &Path, format: FileFormat) -> Vec<String> {
    let format = match format {
        FileFormat::Rows(_) => return std::fs::read_to_string(path).expect("a part").lines().map(str::to_owned).collect(),
        FileFormat::Columns(ColumnarOut::Parquet(_)) => ColumnarIn::Parquet,
        FileFormat::Columns(ColumnarOut::Arrow) => ColumnarIn::Arrow,
    };
    let file = FilePath { written: "part".to_owned(), path: path.to_owned() };
    let mut source = ColumnarSource::open(file, format, schema(), &[]).expect("a part");
    let mut lines = Vec::new();
    let limit = BatchLimit { rows: 1 << 20, bytes: 1 << 30 };
    while let Some(read) = FutureExt::now_or_never(source.read(limit)).expect("ready").expect("a read") {
        lines.extend((0..read.rows.num_rows()).map(|row| row_object(&read.rows, row)));
    }
    lines
}

async fn check(format: FileFormat, visibility: Visibility, promise: Promise) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let under_test = SinkUnderTest {
        open: &|| open(&path, format, Existing::Replace, visibility, TaskIndex::ONLY),
        visible: &|| visible(&path, format),
        reset: &|| drop(std::fs::remove_dir_all(&path)),
        visibility,
        promise,
    };
    check_sink(&under_test).await;
}

#[tokio::test]
async fn folders_keep_the_contract_by_epoch() {
    for format in FORMATS {
        check(format, Visibility::ByEpoch, Promise::ExactlyOnce).await;
    }
}

#[tokio::test]
async fn folders_keep_the_contract_at_once() {
    check(FORMATS[0], Visibility::AtOnce, Promise::ExactlyOnce).await;
    for format in &FORMATS[1..] {
        check(*format, Visibility::AtOnce, Promise::WhenClosed).await;
    }
}

#[tokio::test]
async fn each_task_and_epoch_with_rows_has_a_part_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let task = |index| TaskIndex { index, of: 2 };
    let mut sinks = [0, 1].map(|index| open(folder.path(), FORMATS[1], Existing::Replace, Visibility::ByEpoch, task(index)));
    for (index, sink) in sinks.iter_mut().enumerate() {
        sink.recover(None).await.expect("a fresh start");
        for epoch in 1..4 {
            if epoch != 2 {
                sink.write(&rows(0..1 + index as i64)).await.expect("a write");
            }
            let prepared = sink.prepare(Epoch(epoch)).await.expect("a preparation");
            sink.commit(&prepared).await.expect("a commit");
        }
    }
    assert_eq!(names(folder.path()), ["part-1-0.parquet", "part-1-1.parquet", "part-3-0.parquet", "part-3-1.parquet"]);
    let size: u64 = ["part-1-1.parquet", "part-3-1.parquet"]
        .iter()
        .map(|name| std::fs::metadata(folder.path().join(name)).expect("a part").len())
        .sum();
    assert_eq!(sinks[1].bytes(), size);
    // With one task, the first looks after what the second has left; what isn't a part stays.
    std::fs::write(folder.path().join("notes.parquet"), "mine").expect("a file");
    open(folder.path(), FORMATS[1], Existing::Replace, Visibility::ByEpoch, TaskIndex::ONLY)
        .recover(None)
        .await
        .expect("a start");
    assert_eq!(names(folder.path()), ["notes.parquet"]);
}

#[tokio::test]
async fn parts_that_are_there_are_kept_replaced_or_refused() {
    for (visibility, format) in
        [(Visibility::ByEpoch, FORMATS[0]), (Visibility::AtOnce, FORMATS[0]), (Visibility::AtOnce, FORMATS[2])]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let run = async |existing, first: i64| {
            let mut sink = open(folder.path(), format, existing, visibility, TaskIndex::ONLY);
            if visibility == Visibility::AtOnce {
                sink.write(&rows(first..first + 1)).await?;
                return sink.close().await;
            }
            sink.recover(None).await?;
            sink.write(&rows(first..first + 1)).await?;
            let prepared = sink.prepare(Epoch(1)).await?;
            sink.commit(&prepared).await
        };
        run(Existing::Refuse, 0).await.expect("nothing is there");
        run(Existing::Append, 1).await.expect("beside what is there");
        assert_eq!(visible(folder.path(), format), ["{\"n\":0}", "{\"n\":1}"]);
        let error = run(Existing::Refuse, 2).await.expect_err("parts are there");
        assert_eq!(
            (error.code, error.message.as_str()),
            ("file-exists", "out/: the file is there already, and the sink says `existing: refuse`")
        );
        run(Existing::Replace, 3).await.expect("in place of what is there");
        assert_eq!(visible(folder.path(), format), ["{\"n\":3}"]);
        let extension = if format == FORMATS[0] { "ndjson" } else { "arrow" };
        assert_eq!(names(folder.path()), [format!("part-1-0.{extension}")]);
    }
}

#[tokio::test]
async fn a_part_that_is_gone_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || open(folder.path(), FORMATS[0], Existing::Replace, Visibility::ByEpoch, TaskIndex::ONLY);
    let mut sink = open();
    let error = sink.write(&rows(0..1)).await.expect_err("no place to go on");
    assert_eq!(error.code, "sink-not-recovered");
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows(0..1)).await.expect("a write");
    let prepared = sink.prepare(Epoch(4)).await.expect("a preparation");
    std::fs::remove_file(folder.path().join(".wasmill-part-4-0.ndjson")).expect("a hidden file");
    let error = open().recover(Some(&prepared)).await.expect_err("it is gone");
    assert_eq!(error.code, "output-changed");
    assert_eq!(error.message, "out/: expected the 8 bytes of part-4-0.ndjson, which a checkpoint has, found no such file");
}

#[test]
fn a_file_in_place_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    std::fs::write(&path, "").expect("a file");
    let config = FileSinkConfig {
        file: FilePath { written: "out/".to_owned(), path },
        existing: Existing::Replace,
        format: FORMATS[0],
        visibility: Visibility::AtOnce,
        parts: Some(TaskIndex::ONLY),
    };
    let error = file_sink(config, &schema()).err().expect("a file");
    assert_eq!((error.code, error.message.as_str()), ("file-is-no-directory", "out/: expected a folder, found a file"));
}
