//! Files good and bad.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::Schema;
use proptest::prelude::*;
use wasmill_flow::column_type::parse_field;

use super::*;
use crate::conformance::{SourceUnderTest, check_source};
use crate::json::JsonIn;
use crate::rows::KEPT_BYTES;
use crate::{Malformed, dead_letter, row_object};

const LIMIT: BatchLimit = BatchLimit { rows: 1024, bytes: 1 << 20 };

fn schema() -> SchemaRef {
    let fields = [("id", "utf8 not null"), ("mag", "float64")];
    Arc::new(Schema::new(fields.map(|(name, written)| parse_field(name, written).expect("a type")).to_vec()))
}

fn path(path: &Path) -> FilePath {
    FilePath { written: "in/quakes.ndjson".to_owned(), path: path.to_owned() }
}

fn open(file: &Path) -> FileSource {
    FileSource::open(path(file), schema(), JsonIn::default().into()).expect("a file")
}

fn open_error(file: &Path) -> ConnectorError {
    FileSource::open(path(file), schema(), JsonIn::default().into()).expect_err("no file to read")
}

fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("quakes.ndjson");
    std::fs::write(&path, text).expect("a file");
    (folder, path)
}

async fn read_all(source: &mut FileSource) -> (Vec<String>, Vec<Malformed>) {
    let (mut rows, mut malformed) = (Vec::new(), Vec::new());
    while let Some(read) = source.read(LIMIT).await.expect("a read") {
        rows.extend((0..read.rows.num_rows()).map(|row| row_object(&read.rows, row)));
        malformed.extend(read.malformed);
    }
    (rows, malformed)
}

#[tokio::test]
async fn files_keep_the_contract() {
    let bad = "{\"id\":\"a\",\"mag\":\"strong\"}\nhello\n{\"id\":\"b\"";
    for text in [
        "{\"id\":\"a\"}\n{\"id\":\"b\",\"mag\":2.5}\n\n{\"id\":\"c\"}\n".to_owned(),
        "\n\r\n{\"id\":\"a\"}\r\n   \n{\"id\":\"b\"}\r\n{\"id\":\"c\"}".to_owned(),
        format!("{bad}\n\n\n"),
        bad.to_owned(),
        format!("\u{feff}{{\"id\":\"first\"}}\n{{\"id\":\"{}\"}}\n{{\"id\":\"last\"}}", "x".repeat(300_000)),
    ] {
        let (_folder, path) = file(&text);
        check_source(&SourceUnderTest { open: &|| Box::new(open(&path)), rows: 3, ends: true }).await;
    }
    for text in ["", "\n", "  \r\n\r\n"] {
        let (_folder, path) = file(text);
        check_source(&SourceUnderTest { open: &|| Box::new(open(&path)), rows: 0, ends: true }).await;
    }
}

#[tokio::test]
async fn a_malformed_row_is_told_by_line_column_byte_and_field() {
    let (_folder, path) = file(
        "{\"id\":\"a\"}\r\n\n{\"id\":\"b\",\"mag\":\"strong\"}\r\n{\"id\":\"\u{e9}\u{e9}\" x}\n{\"id\":\"c\"}\n{\"mag\":1}\n",
    );
    let mut source = open(&path);
    let (rows, malformed) = read_all(&mut source).await;
    assert_eq!(rows, [r#"{"id":"a","mag":null}"#, r#"{"id":"c","mag":null}"#]);
    let told: Vec<_> = malformed.iter().map(|m| (m.reason.as_str(), m.line, m.column, m.byte, m.field.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("mag: expected float64, found \"strong\"", 3, Some(17), 29, Some("mag")),
            ("expected a JSON object, found x} where it isn't JSON: expected `,` or `}`", 4, Some(14), 53, None),
            ("id: expected utf8 not null, found nothing", 6, None, 67, Some("id")),
        ]
    );
    assert!(malformed.iter().all(|malformed| malformed.file.as_deref() == Some("in/quakes.ndjson")));
    assert_eq!(malformed[0].raw, b"{\"id\":\"b\",\"mag\":\"strong\"}");
    assert_eq!(source.extent(), Extent::Bytes(std::fs::metadata(&path).expect("a file").len()));
}

#[tokio::test]
async fn a_last_line_that_is_cut_off_is_malformed_and_one_without_its_end_is_not() {
    let (_folder, path) = file("{\"id\":\"a\"}\n{\"id\":\"b");
    let (rows, malformed) = read_all(&mut open(&path)).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(malformed[0].reason, "expected a whole JSON object, found a line that is cut off");
    let (_folder, path) = file("{\"id\":\"a\"}\n{\"id\":\"b\"}");
    assert_eq!(read_all(&mut open(&path)).await.0.len(), 2);
}

#[tokio::test]
async fn a_line_that_is_not_utf8_is_malformed_and_kept_in_base64() {
    let (_folder, path) = file(b"{\"id\":\"\xff\"}\n");
    let (rows, malformed) = read_all(&mut open(&path)).await;
    assert!(rows.is_empty());
    assert_eq!(
        (malformed[0].reason.as_str(), malformed[0].column, malformed[0].byte),
        ("expected UTF-8, found the byte 0xff", Some(8), 7)
    );
    let letter = dead_letter("job", "quakes", &malformed[0]);
    assert_eq!((letter.raw, letter.raw_base64.as_deref()), (None, Some("eyJpZCI6Iv8ifQ==")));
}

#[tokio::test]
async fn a_row_of_100_mib_is_malformed_and_not_held_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.ndjson");
    let mut text = b"{\"id\":\"first\"}\n{\"id\":\"".to_vec();
    text.extend("é".repeat(50 << 20).as_bytes());
    text.extend(b"\"}\n{\"id\":\"last\"}\n");
    std::fs::write(&path, &text).expect("a file");
    drop(text);
    let mut source = open(&path);
    let (rows, malformed) = read_all(&mut source).await;
    assert_eq!(rows, [r#"{"id":"first","mag":null}"#, r#"{"id":"last","mag":null}"#]);
    let [long] = malformed.as_slice() else { panic!("one malformed row") };
    assert_eq!(long.reason, "expected at most 16777216 bytes (max-row-bytes), found a row of 104857609");
    assert_eq!((long.line, long.column, long.byte, long.raw.len()), (2, None, 15, KEPT_BYTES - 1));
    assert!(dead_letter("job", "quakes", long).raw.is_some_and(|raw| raw.starts_with("{\"id\":\"éé")));
    assert!(source.reader.room().capacity() < 4 << 20);
}

#[tokio::test]
async fn a_long_row_that_is_skipped_does_not_hold_the_thread_and_survives_a_dropped_read() {
    let (_folder, path) = file(format!("{{\"id\":\"{}\"}}\n{{\"id\":\"b\"}}\n", "x".repeat(8 << 20)));
    let options = JsonIn { max_row_bytes: 100, ..JsonIn::default() };
    let open =
        || FileSource::open(FilePath { written: "x".to_owned(), path: path.clone() }, schema(), options.into()).expect("a file");
    let mut source = open();
    let start = source.position();
    assert!(source.read(LIMIT).now_or_never().is_none(), "a read that skips gives way");
    assert_eq!(source.position(), start);
    let (rows, malformed) = read_all(&mut source).await;
    assert_eq!((rows.len(), malformed.len()), (1, 1));
    check_source(&SourceUnderTest { open: &|| Box::new(open()), rows: 2, ends: true }).await;
}

#[test]
fn a_path_that_is_no_file_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = open_error(&folder.path().join("none.ndjson"));
    assert_eq!((error.code, error.message.as_str()), ("file-not-found", "in/quakes.ndjson: there is no such file"));
    assert_eq!(error.hint.as_deref(), Some("check the path; paths in a job file are relative to it"));
    let error = open_error(folder.path());
    assert_eq!((error.code, error.message.as_str()), ("file-is-directory", "in/quakes.ndjson: expected a file, found a folder"));
    assert_eq!(error.hint.as_deref(), Some("name a file in it"));
    let error = open_error(Path::new("/dev/null"));
    assert_eq!(
        (error.code, error.message.as_str()),
        ("file-not-regular", "in/quakes.ndjson: expected a regular file, found a pipe or a device")
    );
    let (_folder, path) = file("");
    let error = open_error(&path.join("below"));
    assert_eq!(
        (error.code, error.message.as_str()),
        ("file-unreadable", "in/quakes.ndjson: the file can't be opened: not a directory")
    );
}

#[tokio::test]
async fn a_file_that_is_not_what_it_was_is_not_gone_on_with() {
    let (_folder, path) = file("{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
    let mut source = open(&path);
    read_all(&mut source).await;
    let end = source.position();
    std::fs::write(&path, "{\"id\":\"a\"}\n").expect("a file");
    let error = open(&path).seek(&end).expect_err("a shorter file");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("file-too-short", "in/quakes.ndjson: expected at least 22 bytes, which were read before, found 11")
    );
    assert_eq!(error.hint.as_deref(), Some("put back the file that the job was reading, or start with --fresh"));
    std::fs::write(&path, "{\"id\":\"a longer line than before\"}\n").expect("a file");
    let error = open(&path).seek(&end).expect_err("another file");
    let expected = "in/quakes.ndjson: expected a line to start at byte 22, where reading stopped, found the middle of one";
    assert_eq!((error.code, error.message.as_str()), ("file-changed", expected));
}

#[tokio::test]
async fn a_file_that_grew_is_gone_on_with() {
    let (_folder, path) = file("{\"id\":\"a\"}\n{\"id\":\"b\"}");
    let mut source = open(&path);
    read_all(&mut source).await;
    let end = source.position();
    std::fs::write(&path, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n").expect("a file");
    assert!(source.read(LIMIT).await.expect("a read").is_none(), "the end stays the end");
    let mut source = open(&path);
    source.seek(&end).expect("a line ends here");
    assert_eq!(read_all(&mut source).await.0, [r#"{"id":"c","mag":null}"#]);
}

#[test]
fn a_position_of_another_source_is_refused() {
    let (_folder, path) = file("");
    let error = open(&path).seek(&Position(serde_json::json!({"rows": 1}))).expect_err("of a generator");
    assert_eq!(error.code, "position-invalid");
    assert!(error.message.starts_with("expected a position of a file, found {\"rows\":1}: "), "{}", error.message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_line_is_a_row_a_malformed_row_or_blank(
        lines in prop::collection::vec(prop_oneof![
            Just(b"{\"id\":\"a\"}".to_vec()), Just(b"".to_vec()), Just(b" \t".to_vec()), Just(b"{\"id\":1}".to_vec()),
            prop::collection::vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\n'), 0..40),
        ], 0..20)
    ) {
        let text = lines.join(&b'\n');
        let (_folder, path) = file(&text);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (rows, malformed) = runtime.block_on(read_all(&mut open(&path)));
        let expected = lines.iter().filter(|line| !line.trim_ascii().is_empty()).count();
        prop_assert_eq!(rows.len() + malformed.len(), expected);
        let whole = lines.iter().filter(|line| line.as_slice() == b"{\"id\":\"a\"}").count();
        prop_assert!(rows.len() >= whole);
    }
}
