//! Folders of parts: the contract for every format, tasks beside each other, and what is there before.

use std::path::Path;
use std::sync::Arc;

use arrow_array::Int64Array;
use wasmill_flow::TaskIndex;

use super::super::{Compressed, FileFormat, FileSinkConfig, file_sink};
use super::*;
use crate::Visibility;
use crate::columnar::{ColumnarIn, ColumnarOut, ParquetOut, lines_of};
use crate::conformance::{Promise, SinkTasksUnderTest, SinkUnderTest, check_sink, check_sink_tasks, schema};
use crate::json::JsonOut;

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
    let compressed = Compressed::ByExtension;
    file_sink(FileSinkConfig { file, existing, format, compressed, visibility, parts: Some(task) }, &schema()).expect("a sink")
}

fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(numbers))]).expect("columns of the schema")
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// The rows of all parts, in the order of their names.
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
    lines_of(path, format, schema())
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
async fn folders_go_on_with_any_number_of_tasks() {
    let [json, parquet, _] = FORMATS;
    for (format, existing) in [(json, Existing::Replace), (json, Existing::Append), (parquet, Existing::Replace)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        // Parts of a run before, by more tasks: of one task more than of the others.
        let before = ["part-0000000002-00000.ndjson", "part-0000000007-00001.ndjson", "part-0000000004-00004.ndjson"];
        let is_before = |name: &str| existing == Existing::Append && before.contains(&name);
        check_sink_tasks(&SinkTasksUnderTest {
            open: &|task| open(&path, format, existing, Visibility::ByEpoch, task),
            visible: &|| {
                if existing == Existing::Append {
                    assert!(before.iter().all(|name| path.join(name).exists()), "what was there stays: {:?}", names(&path));
                }
                let parts = names(&path).into_iter().filter(|name| name.starts_with("part-") && !is_before(name));
                let rows = parts.flat_map(|name| lines(&path.join(name), format));
                rows.map(|row| row["{\"n\":".len()..row.len() - 1].parse().expect("a number")).collect()
            },
            reset: &|| {
                drop(std::fs::remove_dir_all(&path));
                std::fs::create_dir(&path).expect("a folder");
                before.iter().for_each(|name| std::fs::write(path.join(name), "{\"n\":-1}\n").expect("a part"));
            },
        })
        .await;
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
    assert_eq!(
        names(folder.path()),
        [
            "part-0000000001-00000.parquet",
            "part-0000000001-00001.parquet",
            "part-0000000003-00000.parquet",
            "part-0000000003-00001.parquet"
        ]
    );
    let size: u64 = ["part-0000000001-00001.parquet", "part-0000000003-00001.parquet"]
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
        assert_eq!(names(folder.path()), [format!("part-0000000001-00000.{extension}")]);
    }
}

#[tokio::test]
async fn the_order_of_names_is_that_of_epochs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = open(folder.path(), FORMATS[0], Existing::Replace, Visibility::ByEpoch, TaskIndex::ONLY);
    sink.recover(None).await.expect("a fresh start");
    for epoch in 1..=12 {
        sink.write(&rows(epoch..epoch + 1)).await.expect("a write");
        let prepared = sink.prepare(Epoch(epoch.unsigned_abs())).await.expect("a preparation");
        sink.commit(&prepared).await.expect("a commit");
    }
    let expected: Vec<_> = (1..=12).map(|number| format!("{{\"n\":{number}}}")).collect();
    assert_eq!(visible(folder.path(), FORMATS[0]), expected);
}

#[tokio::test]
async fn parts_in_another_format_are_seen_too() {
    for (first, second) in [(FORMATS[0], FORMATS[1]), (FORMATS[1], FORMATS[2]), (FORMATS[2], FORMATS[0])] {
        let folder = tempfile::tempdir().expect("a folder");
        let run = async |format, existing| {
            let mut sink = open(folder.path(), format, existing, Visibility::AtOnce, TaskIndex::ONLY);
            sink.write(&rows(0..1)).await?;
            sink.close().await
        };
        run(first, Existing::Replace).await.expect("nothing is there");
        // What a run left that was killed, and what isn't a part.
        std::fs::write(folder.path().join("part-0000000007-00003.parquet.partial"), "half").expect("a file");
        std::fs::write(folder.path().join("part-1-1.txt"), "mine").expect("a file");
        assert_eq!(run(second, Existing::Refuse).await.expect_err("parts are there").code, "file-exists");
        run(second, Existing::Append).await.expect("beside what is there");
        let parts = names(folder.path());
        assert!(parts[0].starts_with("part-0000000001-") && parts[1].starts_with("part-0000000002-"), "{parts:?}");
        assert_eq!((parts.len(), parts[2].as_str()), (3, "part-1-1.txt"));
        run(second, Existing::Replace).await.expect("in place of what is there");
        let left = names(folder.path());
        assert_eq!((left.len(), left[1].as_str()), (2, "part-1-1.txt"));
        assert_eq!(lines(&folder.path().join(&left[0]), second), ["{\"n\":0}"]);
    }
}

#[test]
fn every_part_s_name_is_known_as_one() {
    let formats = [FORMATS[0], FORMATS[1], FORMATS[2], FileFormat::Rows(crate::FormatOut::Csv(crate::csv::CsvOut::default()))];
    for format in formats {
        for compression in [None, Some(crate::file::Compression::Gzip), Some(crate::file::Compression::Zstd)] {
            let extension = PartFormat::new(format, compression, &schema()).expect("a format").extension();
            assert!(super::super::part::EXTENSIONS.contains(&extension.as_str()), "{extension}");
        }
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
    std::fs::remove_file(folder.path().join(".wasmill-part-0000000004-00000.ndjson")).expect("a hidden file");
    let error = open().recover(Some(std::slice::from_ref(&prepared))).await.expect_err("it is gone");
    assert_eq!(error.code, "output-changed");
    assert_eq!(
        error.message,
        "out/: expected the 8 bytes of part-0000000004-00000.ndjson, which a checkpoint has, found no such file"
    );
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
        compressed: Compressed::ByExtension,
        visibility: Visibility::AtOnce,
        parts: Some(TaskIndex::ONLY),
    };
    let error = file_sink(config, &schema()).err().expect("a file");
    assert_eq!((error.code, error.message.as_str()), ("file-is-no-directory", "out/: expected a folder, found a file"));
}
