//! Folders and patterns of files.

use super::*;
use crate::conformance::check_source_tasks;
use crate::csv::CsvIn;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn open_many(folder: &Path, written: &str, task: TaskIndex) -> Result<FileSource, ConnectorError> {
    let path = FilePath { written: written.to_owned(), path: folder.join(written) };
    let config = FileSourceConfig { path, format: CsvIn::default().into(), compressed: Compressed::ByExtension, task };
    FileSource::open(config, schema())
}

const FILES: [(&str, &str); 4] =
    [("b.csv", "id,mag\nb1,1\nb2,x"), ("a.csv", "mag,id\n1,a1\n"), ("c.csv", ""), ("d.csv", "id,mag\nd1,1\nd2,2\n")];

#[tokio::test]
async fn many_files_keep_the_contract() {
    let folder = folder(&FILES);
    let open = || -> Box<dyn Source> { Box::new(open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files")) };
    check_source(&SourceUnderTest { open: &open, rows: 5, ends: true }).await;
    for (index, rows) in [(0, 1), (1, 4), (2, 0)] {
        let task = TaskIndex { index, of: if index == 2 { 5 } else { 2 } };
        let open = || -> Box<dyn Source> { Box::new(open_many(folder.path(), "*.csv", task).expect("files")) };
        check_source(&SourceUnderTest { open: &open, rows, ends: true }).await;
    }
    let open = || -> Box<dyn Source> {
        Box::new(open_many(folder.path(), "*.csv", TaskIndex { index: 4, of: 5 }).expect("no file for this task"))
    };
    check_source(&SourceUnderTest { open: &open, rows: 0, ends: true }).await;
}

#[tokio::test]
async fn files_come_in_the_order_of_names_and_rows_are_told_by_their_file() {
    let folder = folder(&FILES);
    let mut source = open_many(folder.path(), "./", TaskIndex::ONLY).expect("files");
    let bytes: usize = FILES.iter().map(|(_, text)| text.len()).sum();
    assert_eq!(source.extent(), Extent::Bytes(bytes as u64));
    let (rows, malformed) = read_all(&mut source).await;
    let ids: Vec<_> = rows.iter().map(|row| &row[7..9]).collect();
    assert_eq!(ids, ["a1", "b1", "d1", "d2"]);
    assert_eq!((malformed[0].file.as_deref(), malformed[0].line), (Some("b.csv"), 3));
}

#[tokio::test]
async fn a_header_of_a_later_file_that_does_not_fit_names_that_file() {
    let folder = folder(&[("a.csv", "id,mag\na,1\n"), ("b.csv", "id,size\na,1\n")]);
    let mut source = open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files");
    assert!(source.read(LIMIT).await.expect("a read").is_some());
    let error = source.read(LIMIT).await.expect_err("a header that doesn't fit");
    assert!(error.message.starts_with("b.csv:1: the header doesn't fit the schema"), "{error}");
}

/// A source that stopped in b.csv, behind a row.
async fn stopped_in_the_second(folder: &Path) -> Position {
    let mut source = open_many(folder, "*.csv", TaskIndex::ONLY).expect("files");
    source.read(LIMIT).await.expect("a read");
    source.read(BatchLimit { rows: 1, bytes: 1 << 20 }).await.expect("a read");
    source.position()
}

#[tokio::test]
async fn a_position_is_found_among_later_files_but_not_where_its_file_is_gone() {
    let folder = folder(&FILES);
    let position = stopped_in_the_second(folder.path()).await;
    std::fs::write(folder.path().join("bb.csv"), "id,mag\nlater,1\n").expect("a file");
    let mut source = open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files");
    source.seek(&position).expect("a seek");
    let (rows, malformed) = read_all(&mut source).await;
    assert_eq!((rows.len(), malformed.len()), (3, 1), "{rows:?}");
    assert!(rows[0].contains("later"));
    let end = source.position();
    std::fs::remove_file(folder.path().join("b.csv")).expect("a file");
    open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files").seek(&end).expect("a file that was read may go");
    let error = open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files").seek(&position).expect_err("no such file");
    let message = "b.csv: expected this file, in which reading stopped, found none of its name";
    assert_eq!((error.code, error.message.as_str()), ("file-gone", message));
}

#[tokio::test]
async fn a_file_that_was_added_before_the_one_in_which_reading_stopped_is_not_passed_over_in_silence() {
    for (name, text) in [("aa.csv", "id,mag\nearlier,1\n"), ("0.csv", "id,mag\nearlier,1\n"), ("a.csv", "mag,id\n1,a1\n2,more\n")]
    {
        let folder = folder(&FILES);
        let position = stopped_in_the_second(folder.path()).await;
        std::fs::write(folder.path().join(name), text).expect("a file");
        let error = open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files").seek(&position).expect_err("a new file");
        let message = format!(
            "{name}: the file lies before b.csv, in which reading stopped, and was not there then, or had another length"
        );
        assert_eq!((error.code, error.message), ("files-changed", message));
        let hint = error.hint.expect("what to do");
        assert!(hint.contains("--fresh") && hint.contains("`follow: true`"), "{hint}");
    }
}

#[tokio::test]
async fn a_share_of_files_goes_on_only_where_it_is_the_same() {
    let folder = folder(&FILES);
    let open = |index, of| open_many(folder.path(), "*.csv", TaskIndex { index, of }).expect("files");
    let position = open(0, 2).position();
    open(0, 2).seek(&position).expect("the same share");
    std::fs::write(folder.path().join("e.csv"), "id,mag\n").expect("a file");
    let error = open(0, 2).seek(&position).expect_err("another share");
    let message = "expected the files that were there when the job started, found others";
    assert_eq!((error.code, error.message.as_str()), ("files-changed", message));
    let error = open(0, 3).take_over(&[position.clone(), position], TaskIndex { index: 0, of: 3 }).expect_err("other files");
    assert_eq!((error.code, error.message.as_str()), ("files-changed", message));
}

#[tokio::test]
async fn files_are_dealt_out_to_any_number_of_tasks() {
    let texts: Vec<(String, String)> = (0..9)
        .map(|file| {
            let rows: String =
                (0..file % 5 * 4).map(|row| format!("f{file}r{row:02},{}\n", if row == 5 { "x" } else { "1" })).collect();
            (format!("{file}.csv"), format!("id,mag\n{rows}"))
        })
        .collect();
    let folder = folder(&texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>());
    check_source_tasks(&|task| Box::new(open_many(folder.path(), "*.csv", task).expect("files"))).await;
}

/// What the tasks of a folder of four files, of two rows each, are at when each has read so many rows.
async fn positions(folder: &Path, rows: &[usize]) -> Vec<Position> {
    let mut positions = Vec::new();
    let of = u32::try_from(rows.len()).expect("few");
    for (index, rows) in (0..).zip(rows) {
        let mut source = open_many(folder, "*.csv", TaskIndex { index, of }).expect("files");
        for _ in 0..*rows {
            source.read(BatchLimit { rows: 1, bytes: 1 << 20 }).await.expect("a read").expect("a row");
        }
        positions.push(source.position());
    }
    positions
}

#[tokio::test]
async fn one_task_reads_what_several_had_begun_in_the_order_of_names_and_holds_time_until_they_are_done() {
    let text = |name: char| format!("id,mag\n{name}1,1\n{name}2,1\n");
    let files = ["a", "b", "c", "d"].map(|name| (format!("{name}.csv"), text(name.chars().next().expect("a name"))));
    let folder = folder(&files.each_ref().map(|(name, text)| (name.as_str(), text.as_str())));
    // The first of two has read one row of a; the second b, and one row of d.
    let former = positions(folder.path(), &[1, 3]).await;
    let mut source = open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files");
    assert_eq!(source.take_over(&former, TaskIndex::ONLY).expect("positions"), [0, 1]);
    let mut found = Vec::new();
    while let Some(read) = source.read(BatchLimit { rows: 1, bytes: 1 << 20 }).await.expect("a read") {
        found.push((row_object(&read.rows, 0)[7..9].to_owned(), source.holds_time()));
        let mut again = open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files");
        again.seek(&source.position()).expect("a seek");
        let is_last = found.len() == 4;
        assert_eq!(again.holds_time(), source.holds_time() && !is_last, "what it has begun itself is its own: {found:?}");
    }
    let expected = [("a2", true), ("c1", true), ("c2", true), ("d2", true)];
    assert_eq!(found, expected.map(|(id, held)| (id.to_owned(), held)));
    // Of three tasks, one has a, one c and the last d: none reads a file before one that was begun.
    for (index, from, expected) in [(0, 0, "a2"), (1, 0, "c1"), (2, 1, "d2")] {
        let task = TaskIndex { index, of: 3 };
        let mut source = open_many(folder.path(), "*.csv", task).expect("files");
        assert_eq!(source.take_over(&former, task).expect("positions"), [from]);
        assert!(!source.holds_time());
        let read = source.read(BatchLimit { rows: 1, bytes: 1 << 20 }).await.expect("a read").expect("a row");
        assert_eq!(&row_object(&read.rows, 0)[7..9], expected);
    }
}

#[tokio::test]
async fn a_file_that_has_grown_since_a_former_task_read_it_is_told() {
    let folder = folder(&FILES);
    let former = positions(folder.path(), &[1, 3]).await;
    std::fs::write(folder.path().join("b.csv"), "id,mag\nb1,1\nb2,x\nb3,1\n").expect("a file");
    let mut source = open_many(folder.path(), "*.csv", TaskIndex::ONLY).expect("files");
    let error = source.take_over(&former, TaskIndex::ONLY).expect_err("it has grown");
    let message = "b.csv: the file lies before d.csv, in which reading stopped, and was not there then, or had another length";
    assert_eq!((error.code, error.message.as_str()), ("files-changed", message));
}
