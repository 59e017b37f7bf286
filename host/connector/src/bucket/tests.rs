//! Parts in a bucket: the contract for every format, on objects in memory; what a bucket refuses; other writers.

mod faulty;

use std::slice::from_ref;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use bytes::Bytes;
use futures_util::FutureExt as _;
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt as _};
use wasmill_flow::{Epoch, TaskIndex};

use super::*;
use crate::columnar::{ColumnarIn, ColumnarOut, ParquetOut, lines_of};
use crate::conformance::{Promise, SinkTasksUnderTest, SinkUnderTest, check_sink, check_sink_tasks, schema};
use crate::json::JsonOut;

const JSON: FileFormat = FileFormat::Rows(crate::FormatOut::Json(JsonOut { timestamps_as_millis: false }));
const FORMATS: [FileFormat; 3] = [
    JSON,
    FileFormat::Columns(ColumnarOut::Parquet(ParquetOut {
        compression: crate::columnar::Compression::Zstd,
        row_group_rows: 7_000,
    })),
    FileFormat::Columns(ColumnarOut::Arrow),
];

/// Objects in memory, which are emptied by being replaced.
type Objects = std::sync::Mutex<Arc<InMemory>>;

fn objects(of: &Objects) -> Arc<InMemory> {
    Arc::clone(&of.lock().expect("no test has panicked"))
}

fn config(format: FileFormat, existing: Existing, visibility: Visibility, task: TaskIndex) -> BucketSinkConfig {
    BucketSinkConfig { url: "s3://b/out".to_owned(), existing, format, compressed: Compressed::ByExtension, visibility, task }
}

fn open(store: Arc<dyn ObjectStore>, config: BucketSinkConfig) -> Box<dyn Sink> {
    sink_on(store, config, &schema()).expect("a sink")
}

fn by_epoch(store: Arc<dyn ObjectStore>) -> Box<dyn Sink> {
    open(store, config(JSON, Existing::Replace, Visibility::ByEpoch, TaskIndex::ONLY))
}

fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(numbers))]).expect("columns of the schema")
}

/// All names, in order. Objects in memory answer at once.
fn names(store: &InMemory) -> Vec<String> {
    let listed = store.list_with_delimiter(None).now_or_never().expect("at once").expect("a list");
    let mut names: Vec<_> = listed.objects.into_iter().map(|object| object.location.to_string()).collect();
    names.sort();
    names
}

fn bytes(store: &InMemory, name: &str) -> Bytes {
    let got = store.get(&Name::from(name)).now_or_never().expect("at once").expect("an object");
    got.bytes().now_or_never().expect("at once").expect("bytes")
}

/// The rows of an object.
fn lines(store: &InMemory, name: &str) -> Vec<String> {
    let bytes = bytes(store, name);
    let format = match name.rsplit_once('.') {
        Some((_, "parquet")) => ColumnarIn::Parquet,
        Some((_, "arrow")) => ColumnarIn::Arrow,
        _ => return std::str::from_utf8(&bytes).expect("text").lines().map(str::to_owned).collect(),
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    lines_of(file.path(), format, schema())
}

/// The rows of all parts, in the order of their names.
fn visible(store: &InMemory) -> Vec<String> {
    names(store).iter().filter(|name| name.starts_with("part-")).flat_map(|name| lines(store, name)).collect()
}

fn numbers(lines: Vec<String>) -> Vec<i64> {
    lines.iter().map(|row| row["{\"n\":".len()..row.len() - 1].parse().expect("a number")).collect()
}

async fn check(format: FileFormat, visibility: Visibility, promise: Promise) {
    let all = Objects::default();
    check_sink(&SinkUnderTest {
        open: &|| open(objects(&all), config(format, Existing::Replace, visibility, TaskIndex::ONLY)),
        visible: &|| visible(&objects(&all)),
        reset: &|| *all.lock().expect("no panic") = Arc::default(),
        visibility,
        promise,
    })
    .await;
}

#[tokio::test]
async fn buckets_keep_the_contract_by_epoch() {
    for format in FORMATS {
        check(format, Visibility::ByEpoch, Promise::ExactlyOnce).await;
    }
}

#[tokio::test]
async fn buckets_keep_the_contract_at_once() {
    for format in FORMATS {
        check(format, Visibility::AtOnce, Promise::WhenClosed).await;
    }
}

#[tokio::test]
async fn buckets_go_on_with_any_number_of_tasks() {
    for (format, existing) in [(FORMATS[0], Existing::Replace), (FORMATS[0], Existing::Append), (FORMATS[1], Existing::Replace)] {
        let all = Objects::default();
        // Parts of a run before, by more tasks: of one task more than of the others.
        let before = ["part-0000000002-00000.ndjson", "part-0000000004-00004.ndjson", "part-0000000007-00001.ndjson"];
        check_sink_tasks(&SinkTasksUnderTest {
            open: &|task| open(objects(&all), config(format, existing, Visibility::ByEpoch, task)),
            visible: &|| {
                let store = objects(&all);
                let (mut found, kept) =
                    (visible(&store), names(&store).iter().filter(|name| before.contains(&name.as_str())).count());
                assert!(existing == Existing::Replace || kept == before.len(), "what was there stays: {:?}", names(&store));
                found.retain(|row| !row.contains('-'));
                numbers(found)
            },
            reset: &|| {
                let store = InMemory::new();
                for name in before {
                    store.put(&Name::from(name), "{\"n\":-1}\n".into()).now_or_never().expect("at once").expect("a part");
                }
                *all.lock().expect("no panic") = Arc::new(store);
            },
        })
        .await;
    }
}

#[tokio::test]
async fn each_task_and_epoch_with_rows_has_a_part_of_its_own() {
    let store = Arc::new(InMemory::new());
    store.put(&Name::from("notes.parquet"), "mine".into()).await.expect("an object");
    let task = |index| config(FORMATS[1], Existing::Replace, Visibility::ByEpoch, TaskIndex { index, of: 2 });
    let mut sinks = [0, 1].map(|index| open(store.clone(), task(index)));
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
    let expected = [
        "notes.parquet",
        "part-0000000001-00000.parquet",
        "part-0000000001-00001.parquet",
        "part-0000000003-00000.parquet",
        "part-0000000003-00001.parquet",
    ];
    assert_eq!(names(&store), expected);
    let size: usize = [expected[2], expected[4]].iter().map(|name| bytes(&store, name).len()).sum();
    assert_eq!(sinks[1].bytes(), size as u64);
}

#[tokio::test]
async fn parts_that_are_there_are_kept_replaced_or_refused() {
    for visibility in [Visibility::ByEpoch, Visibility::AtOnce] {
        let store = Arc::new(InMemory::new());
        let run = async |existing, first: i64| {
            let mut sink = open(store.clone(), config(JSON, existing, visibility, TaskIndex::ONLY));
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
        assert_eq!(visible(&store), ["{\"n\":0}", "{\"n\":1}"]);
        let error = run(Existing::Refuse, 2).await.expect_err("parts are there");
        let text = "s3://b/out/: parts are there already, and the sink says `existing: refuse`";
        assert_eq!((error.code, error.message.as_str()), ("file-exists", text));
        run(Existing::Replace, 3).await.expect("in place of what is there");
        assert_eq!(
            (names(&store), visible(&store)),
            (vec!["part-0000000001-00000.ndjson".to_owned()], vec!["{\"n\":3}".to_owned()])
        );
    }
}

#[tokio::test]
async fn another_writer_that_was_taken_for_dead_disturbs_nothing() {
    let store = Arc::new(InMemory::new());
    let mut dead = by_epoch(store.clone());
    dead.recover(None).await.expect("a fresh start");
    dead.write(&rows(0..3)).await.expect("a write");
    let first = dead.prepare(Epoch(1)).await.expect("a preparation");
    dead.write(&rows(900..990)).await.expect("a write");
    let mut sink = by_epoch(store.clone());
    sink.recover(Some(from_ref(&first))).await.expect("a recovery");
    sink.write(&rows(3..5)).await.expect("a write");
    let second = sink.prepare(Epoch(2)).await.expect("a preparation");
    // It wakes up: its objects have names of their own, and what it does again was done.
    let lost = dead.prepare(Epoch(2)).await.expect("a preparation");
    dead.commit(&first).await.expect("a commit that was done");
    sink.commit(&second).await.expect("a commit");
    assert_eq!(numbers(visible(&store)), (0..5).collect::<Vec<_>>());
    let mut next = by_epoch(store.clone());
    next.recover(Some(from_ref(&second))).await.expect("a recovery");
    assert_eq!(names(&store).len(), 2, "what it left is gone: {:?}", names(&store));
    let error = next.commit(&lost).await.expect_err("it never was part of a checkpoint");
    assert_eq!(error.code, "output-changed");
}

#[tokio::test]
async fn rows_of_more_than_a_part_are_uploaded_in_parts_and_copied() {
    for copied_at_most in [u64::MAX, 1 << 20] {
        let store = Arc::new(InMemory::new());
        let format = PartFormat::new(JSON, None, &schema()).expect("a format");
        let mut parts = Parts::new("s3://b/out", store.clone(), TaskIndex::ONLY, format.extension());
        parts.copied_at_most = copied_at_most;
        let mut sink = PartsByEpoch::new(parts, Existing::Replace, format);
        sink.recover(None).await.expect("a fresh start");
        for batch in 0..200 {
            sink.write(&rows(batch * 10_000..(batch + 1) * 10_000)).await.expect("a write");
        }
        let prepared = sink.prepare(Epoch(1)).await.expect("a preparation");
        assert!(sink.bytes() > 20 << 20, "{} bytes", sink.bytes());
        sink.commit(&prepared).await.expect("a commit");
        assert_eq!(names(&store), ["part-0000000001-00000.ndjson"]);
        assert_eq!(bytes(&store, "part-0000000001-00000.ndjson").len() as u64, sink.bytes());
        assert!(numbers(visible(&store)).into_iter().eq(0..2_000_000), "each row once, in order");
    }
}

#[tokio::test]
async fn a_part_that_is_gone_or_another_is_told_with_what_to_do() {
    let store = Arc::new(InMemory::new());
    let mut sink = by_epoch(store.clone());
    let error = sink.write(&rows(0..1)).await.expect_err("no place to go on");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("sink-not-recovered", "s3://b/out/: rows came before the sink was told where to go on")
    );
    sink.recover(None).await.expect("a fresh start");
    sink.write(&rows(0..1)).await.expect("a write");
    let prepared = sink.prepare(Epoch(4)).await.expect("a preparation");
    let hidden = names(&store).pop().expect("a hidden object");
    store.delete(&Name::from(hidden)).await.expect("deleted");
    let refused = async || by_epoch(store.clone()).recover(Some(from_ref(&prepared))).await.expect_err("it is gone");
    let text =
        "s3://b/out/: expected the 8 bytes of part-0000000004-00000.ndjson, which a checkpoint has, found no object with as many";
    let error = refused().await;
    assert_eq!((error.code, error.message.as_str()), ("output-changed", text));
    store.put(&Name::from("part-0000000004-00000.ndjson"), "another".into()).await.expect("an object");
    assert_eq!(refused().await.code, "output-changed");
    assert_eq!(bytes(&store, "part-0000000004-00000.ndjson"), "another", "nothing is changed");
}

#[test]
fn a_url_or_an_environment_that_lacks_something_is_told() {
    let mut config = config(JSON, Existing::Replace, Visibility::ByEpoch, TaskIndex::ONLY);
    config.url = "s3:///out/".to_owned();
    let error = bucket_sink(config, &schema()).err().expect("no bucket");
    let text = "s3:///out/: expected a bucket after `//`, as in s3://bucket/prefix";
    assert_eq!((error.code, error.message.as_str()), ("bucket-address", text));
}
