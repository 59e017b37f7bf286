//! Files that grow, are rotated and cut.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;

use arrow_schema::Schema;
use wasmill_flow::column_type::parse_field;

use super::*;
use crate::conformance::{SourceUnderTest, check_source};
use crate::csv::CsvIn;
use crate::json::JsonIn;
use crate::row_object;

const LIMIT: BatchLimit = BatchLimit { rows: 1024, bytes: 1 << 20 };

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![parse_field("id", "int64").expect("a type")]))
}

fn open_as(folder: &Path, written: &str, format: impl Into<FormatIn>) -> FollowSource {
    let path = FilePath { written: written.to_owned(), path: folder.join(written) };
    FollowSource::open(path, format.into(), Compressed::ByExtension, schema()).expect("files to follow")
}

fn open(folder: &Path, written: &str) -> FollowSource {
    open_as(folder, written, JsonIn::default())
}

fn append(folder: &Path, name: &str, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(folder.join(name)).expect("a file");
    file.write_all(text.as_bytes()).expect("a write");
}

fn lines(ids: impl IntoIterator<Item = i64>) -> String {
    ids.into_iter().map(|id| format!("{{\"id\":{id}}}\n")).collect()
}

/// The rows that come within some time; malformed ones by their file and line.
async fn come(source: &mut FollowSource, count: usize) -> Vec<String> {
    let mut rows = Vec::new();
    while rows.len() < count {
        let read = tokio::time::timeout(Duration::from_secs(10), source.read(LIMIT)).await.expect("rows in time");
        let read = read.expect("a read").expect("no end");
        rows.extend((0..read.rows.num_rows()).map(|row| row_object(&read.rows, row)));
        rows.extend(read.malformed.iter().map(|row| format!("{}:{}", row.file.as_deref().unwrap_or_default(), row.line)));
    }
    rows
}

async fn ids(source: &mut FollowSource, count: usize) -> Vec<i64> {
    let rows = come(source, count).await;
    rows.iter().map(|row| row[6..row.len() - 1].parse().expect("a number")).collect()
}

async fn nothing_comes(source: &mut FollowSource) {
    let read = tokio::time::timeout(4 * PAUSE, source.read(LIMIT)).await;
    assert!(read.is_err(), "nothing comes, and no end: {read:?}");
}

#[tokio::test]
async fn followed_files_keep_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("a.log", lines(0..3)), ("b.log", lines(3..5) + "{\"id\":\"x\"}\n{\"id\":"), ("c.log", String::new())] {
        append(folder.path(), name, &text);
    }
    for (written, rows) in [("a.log", 3), ("*.log", 6), ("./", 6)] {
        let open = || -> Box<dyn Source> { Box::new(open(folder.path(), written)) };
        check_source(&SourceUnderTest { open: &open, rows, ends: false }).await;
    }
    append(folder.path(), "x.csv", "id\n1\n2\n");
    let open = || -> Box<dyn Source> { Box::new(open_as(folder.path(), "x.csv", CsvIn::default())) };
    check_source(&SourceUnderTest { open: &open, rows: 2, ends: false }).await;
}

#[tokio::test]
async fn what_is_appended_comes_and_half_a_line_waits_for_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut source = open(folder.path(), "app.log");
    nothing_comes(&mut source).await;
    append(folder.path(), "app.log", &lines(0..2));
    assert_eq!(ids(&mut source, 2).await, [0, 1]);
    append(folder.path(), "app.log", "{\"id\"");
    nothing_comes(&mut source).await;
    append(folder.path(), "app.log", ":2}\n");
    assert_eq!(ids(&mut source, 1).await, [2]);
    append(folder.path(), "app.log", "broken\n");
    assert_eq!(come(&mut source, 1).await, ["app.log:4"]);
}

#[tokio::test]
async fn a_file_that_is_renamed_is_read_to_its_end_before_the_one_that_has_its_name() {
    for written in ["app.log", "*.log", "./"] {
        let folder = tempfile::tempdir().expect("a folder");
        append(folder.path(), "app.log", &lines(0..2));
        let mut source = open(folder.path(), written);
        assert_eq!(ids(&mut source, 2).await, [0, 1]);
        fs::rename(folder.path().join("app.log"), folder.path().join("app.log.1")).expect("a rename");
        append(folder.path(), "app.log.1", &lines(2..3));
        assert_eq!(ids(&mut source, 1).await, [2], "{written}: the writer has it open still");
        append(folder.path(), "app.log.1", "{\"id\":3}");
        append(folder.path(), "app.log", &lines(4..5));
        let expected: &[i64] = if written == "./" { &[4] } else { &[3, 4] };
        assert_eq!(ids(&mut source, expected.len()).await, expected, "{written}");
        append(folder.path(), "app.log", &lines(5..6));
        assert_eq!(ids(&mut source, 1).await, [5], "{written}");
        assert_eq!(source.tails.len(), if written == "./" { 2 } else { 1 }, "{written}");
    }
}

#[tokio::test]
async fn a_file_that_is_removed_is_read_to_its_last_row_and_one_that_is_cut_from_its_start() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), "app.log", &lines(0..5));
    let mut source = open(folder.path(), "app.log");
    assert_eq!(ids(&mut source, 5).await, [0, 1, 2, 3, 4]);
    fs::write(folder.path().join("app.log"), lines(7..9)).expect("a file that is cut");
    assert_eq!(ids(&mut source, 2).await, [7, 8]);
    append(folder.path(), "app.log", "{\"id\":9}");
    nothing_comes(&mut source).await;
    fs::remove_file(folder.path().join("app.log")).expect("a file");
    assert_eq!(ids(&mut source, 1).await, [9], "no end comes for its last line");
    nothing_comes(&mut source).await;
    assert!(source.tails.is_empty());
    append(folder.path(), "app.log", &lines(10..11));
    assert_eq!(ids(&mut source, 1).await, [10]);
}

#[tokio::test]
async fn files_that_are_added_are_read_in_the_order_of_names() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), "b.csv", "id\n1\n");
    let mut source = open_as(folder.path(), "*.csv", CsvIn::default());
    assert_eq!(ids(&mut source, 1).await, [1]);
    append(folder.path(), "d.csv", "id\n3\n");
    append(folder.path(), "c.csv", "x,id\n,2\n");
    append(folder.path(), "a.csv", "");
    let mut found = ids(&mut source, 2).await;
    found.sort_unstable();
    assert_eq!(found, [2, 3]);
    append(folder.path(), "a.csv", "id\n0\n");
    append(folder.path(), "b.csv", "4\n");
    let mut found = ids(&mut source, 2).await;
    found.sort_unstable();
    assert_eq!(found, [0, 4]);
}

#[tokio::test]
async fn a_position_is_found_again_after_a_rotation_and_a_file_that_is_gone_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), "app.log", &lines(0..3));
    let mut source = open(folder.path(), "app.log");
    assert_eq!(source.read(BatchLimit { rows: 2, bytes: 1 << 20 }).await.expect("a read").expect("rows").rows.num_rows(), 2);
    let position = source.position();
    drop(source);
    fs::rename(folder.path().join("app.log"), folder.path().join("app.log.1")).expect("a rename");
    append(folder.path(), "app.log.1", &lines(3..4));
    append(folder.path(), "app.log", &lines(4..5));
    let mut source = open(folder.path(), "app.log");
    source.seek(&position).expect("a seek");
    assert_eq!(ids(&mut source, 3).await, [2, 3, 4], "the rest of the old file, then the new one");
    fs::remove_file(folder.path().join("app.log.1")).expect("a file");
    let mut source = open(folder.path(), "app.log");
    source.seek(&position).expect("a seek");
    assert_eq!(ids(&mut source, 1).await, [4], "the old file is gone");
}

/// What is read until these rows have come, and once more to see that none comes twice.
async fn sorted_ids(source: &mut FollowSource, count: usize) -> Vec<i64> {
    let mut found = ids(source, count).await;
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_at_any_instant_lose_no_row_and_give_none_twice() {
    const ROTATIONS: i64 = 60;
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), "app.log", "");
    let mut source = open(folder.path(), "app.log*");
    let path = folder.path().to_owned();
    let writer = std::thread::spawn(move || {
        for rotation in 0..ROTATIONS {
            append(&path, "app.log", &lines(rotation * 10..rotation * 10 + 10));
            std::thread::sleep(Duration::from_millis(u64::try_from(rotation % 7).expect("small")));
            let name = |number: i64| if number == 0 { path.join("app.log") } else { path.join(format!("app.log.{number}")) };
            for number in (0..=rotation).rev() {
                fs::rename(name(number), name(number + 1)).expect("a rename");
            }
            append(&path, "app.log", "");
        }
    });
    let found = sorted_ids(&mut source, ROTATIONS as usize * 10).await;
    writer.join().expect("a writer");
    assert_eq!(found, (0..ROTATIONS * 10).collect::<Vec<_>>());
    nothing_comes(&mut source).await;
}

/// Writes over a file, which stays the same one.
fn overwrite(folder: &Path, name: &str, text: &str) {
    let mut file = OpenOptions::new().write(true).truncate(true).open(folder.join(name)).expect("a file");
    file.write_all(text.as_bytes()).expect("a write");
}

#[tokio::test]
async fn a_file_that_was_overwritten_and_is_longer_than_before_is_read_from_its_start() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), "app.log", &lines(0..2));
    let mut source = open(folder.path(), "app.log");
    assert_eq!(ids(&mut source, 2).await, [0, 1]);
    let position = source.position();
    overwrite(folder.path(), "app.log", &lines(100..120));
    assert_eq!(ids(&mut source, 20).await, (100..120).collect::<Vec<_>>(), "while it is followed");
    let mut source = open(folder.path(), "app.log");
    source.seek(&position).expect("a seek");
    assert_eq!(ids(&mut source, 20).await, (100..120).collect::<Vec<_>>(), "when reading goes on");
    nothing_comes(&mut source).await;
}

#[tokio::test]
async fn another_file_that_was_given_the_number_of_one_that_is_gone_is_read_from_its_start() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), "old.log", &lines(0..2));
    let mut source = open(folder.path(), "*.log");
    assert_eq!(ids(&mut source, 2).await, [0, 1]);
    let position = source.position();
    fs::rename(folder.path().join("old.log"), folder.path().join("new.log")).expect("a rename");
    overwrite(folder.path(), "new.log", &lines(50..60));
    let mut source = open(folder.path(), "*.log");
    source.seek(&position).expect("a seek");
    assert_eq!(ids(&mut source, 10).await, (50..60).collect::<Vec<_>>());
    fs::rename(folder.path().join("new.log"), folder.path().join("notes.txt")).expect("a rename");
    let mut source = open(folder.path(), "*.log");
    source.seek(&position).expect("a seek");
    nothing_comes(&mut source).await;
}

#[tokio::test]
async fn files_are_looked_for_while_others_always_have_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.log", "b.log"] {
        append(folder.path(), name, &lines(0..100));
    }
    let mut source = open(folder.path(), "*.log");
    append(folder.path(), "c.log", &lines(-1..0));
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        // Both grow faster than they are read.
        for name in ["a.log", "b.log"] {
            append(folder.path(), name, &lines(0..100));
        }
        let read = source.read(BatchLimit { rows: 50, bytes: 1 << 20 }).await.expect("a read").expect("no end");
        if (0..read.rows.num_rows()).any(|row| row_object(&read.rows, row) == "{\"id\":-1}") {
            return;
        }
        assert!(Instant::now() < deadline, "c.log is not found");
    }
}

#[tokio::test]
async fn a_log_that_was_rotated_away_and_compressed_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), "app.log", &lines(0..1));
    append(folder.path(), "app.log.1.gz", "no line\n");
    append(folder.path(), "app.log.2.zst", "no line\n");
    for written in ["./", "app.log*"] {
        let mut source = open(folder.path(), written);
        assert_eq!(come(&mut source, 1).await, ["{\"id\":0}"], "{written}");
        nothing_comes(&mut source).await;
        assert_eq!((source.tails.len(), source.passed_over.len()), (1, 2), "{written}");
    }
    let path = FilePath { written: "./".to_owned(), path: folder.path().to_owned() };
    let as_it_is = FollowSource::open(path, JsonIn::default().into(), Compressed::As(None), schema()).expect("files to follow");
    assert_eq!(as_it_is.tails.len(), 3, "`compression: none` says that they are text");
}

/// Nobody has written to a file for an hour.
fn age(folder: &Path, name: &str) {
    let file = OpenOptions::new().append(true).open(folder.join(name)).expect("a file");
    let hour = Duration::from_secs(3_600);
    file.set_modified(std::time::SystemTime::now() - hour).expect("a time");
}

#[tokio::test]
async fn a_file_that_was_rotated_away_is_closed_and_opened_again_where_it_grows() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), "app.log", &lines(0..2));
    let mut source = open(folder.path(), "./");
    assert_eq!(ids(&mut source, 2).await, [0, 1]);
    fs::rename(folder.path().join("app.log"), folder.path().join("app.log.1")).expect("a rename");
    append(folder.path(), "app.log", &lines(2..3));
    age(folder.path(), "app.log.1");
    assert_eq!(ids(&mut source, 1).await, [2]);
    nothing_comes(&mut source).await;
    assert_eq!((source.tails.len(), source.resting.len()), (1, 1));
    let position = source.position();
    append(folder.path(), "app.log.1", &lines(3..4));
    assert_eq!(ids(&mut source, 1).await, [3]);
    assert_eq!((source.tails.len(), source.resting.len()), (2, 0));
    let mut source = open(folder.path(), "./");
    source.seek(&position).expect("a seek");
    assert_eq!(ids(&mut source, 1).await, [3], "a file at rest has its place in a position");
    age(folder.path(), "app.log.1");
    overwrite(folder.path(), "app.log.1", &lines(70..74));
    assert_eq!(ids(&mut source, 4).await, [70, 71, 72, 73]);
}

#[tokio::test]
async fn thousands_of_idle_files_are_read_with_few_of_them_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = MOST_OPEN + 100;
    for number in 0..count {
        let name = format!("{number:04}.log");
        append(folder.path(), &name, &lines([i64::try_from(number).expect("small")]));
        if number % 2 == 0 {
            append(folder.path(), &name, "{\"id\"");
        }
        age(folder.path(), &name);
    }
    let mut source = open(folder.path(), "./");
    assert_eq!(source.tails.len(), MOST_OPEN);
    let expected: Vec<_> = (0..i64::try_from(count).expect("small")).collect();
    assert_eq!(ids(&mut source, count).await, expected);
    nothing_comes(&mut source).await;
    assert!(source.tails.len() <= MOST_OPEN, "{}", source.tails.len());
    let position = source.position();
    append(folder.path(), "0000.log", ":9998}\n");
    append(folder.path(), "0001.log", &lines(9_999..10_000));
    assert_eq!(sorted_ids(&mut source, 2).await, [9_998, 9_999], "half a row, and a file at rest");
    let mut source = open(folder.path(), "./");
    source.seek(&position).expect("a seek");
    assert_eq!(sorted_ids(&mut source, 2).await, [9_998, 9_999]);
    nothing_comes(&mut source).await;
}
