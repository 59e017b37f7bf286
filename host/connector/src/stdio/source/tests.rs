//! Standard input, by pipes that the tests write to.

use std::io::{Read as _, Write};
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::Schema;
use wasmill_flow::column_type::parse_field;

use super::*;
use crate::conformance::{SourceUnderTest, check_source};
use crate::json::JsonIn;
use crate::row_object;

const LIMIT: BatchLimit = BatchLimit { rows: 1024, bytes: 1 << 20 };

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![parse_field("n", "int64").expect("a type")]))
}

fn lines(read: &Read) -> Vec<String> {
    (0..read.rows.num_rows()).map(|row| row_object(&read.rows, row)).collect()
}

#[tokio::test]
async fn standard_input_keeps_the_contract() {
    let text = "{\"n\":1}\n\n{\"n\":2}\r\n{\"n\":\"3\"}\n{\"n\":4}\nhello\n{\"n\":6}";
    let open = || -> Box<dyn Source> {
        Box::new(StdinSource::of(text.as_bytes(), schema(), JsonIn::default().into()).expect("a thread"))
    };
    assert!(!open().replays());
    check_source(&SourceUnderTest { open: &open, rows: 6, ends: true }).await;
}

#[tokio::test]
async fn rows_are_handed_over_as_they_come() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let mut source = StdinSource::of(reader, schema(), JsonIn::default().into()).expect("a thread");
    for n in 0..3 {
        writer.write_all(format!("{{\"n\":{n}}}\n{{\"n\":").as_bytes()).expect("an open pipe");
        loop {
            let read = tokio::time::timeout(Duration::from_secs(10), source.read(LIMIT)).await;
            let read = read.expect("a row that has come is handed over").expect("a read").expect("a row");
            if lines(&read).last() == Some(&format!("{{\"n\":{n}}}")) {
                break;
            }
        }
        assert!(tokio::time::timeout(Duration::from_millis(20), source.read(LIMIT)).await.is_err(), "half a row is waited for");
        writer.write_all(b"99}\n").expect("an open pipe");
    }
    drop(writer);
    let mut rest = Vec::new();
    while let Some(read) = source.read(LIMIT).await.expect("a read") {
        rest.extend(lines(&read));
    }
    assert_eq!(rest, ["{\"n\":99}"]);
}

#[tokio::test]
async fn malformed_rows_name_no_file() {
    let mut source = StdinSource::of(&b"\n{\"n\":1.5}\n"[..], schema(), JsonIn::default().into()).expect("a thread");
    let read = source.read(LIMIT).await.expect("a read").expect("a row");
    let malformed = &read.malformed[0];
    assert_eq!((malformed.file.as_deref(), malformed.line, malformed.column, malformed.byte), (None, 2, Some(6), 6));
    assert_eq!(malformed.reason, "n: expected int64, found 1.5");
}

#[test]
fn going_back_is_refused() {
    let mut source = StdinSource::of(&b""[..], schema(), JsonIn::default().into()).expect("a thread");
    let error = source.seek(&source.position()).expect_err("no way back");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("stdin-not-replayable", "standard input can't be read again from where a checkpoint was taken")
    );
}

#[tokio::test]
async fn an_input_that_fails_ends_the_job_after_the_rows_that_came() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from_raw_os_error(5))
        }
    }
    let input = b"{\"n\":1}\n".chain(Failing);
    let mut source = StdinSource::of(input, schema(), JsonIn::default().into()).expect("a thread");
    let error = loop {
        match source.read(LIMIT).await {
            Ok(read) => assert!(read.is_some(), "an error is no end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code, "stdin-unreadable");
    assert!(error.message.starts_with("standard input can't be read: "), "{}", error.message);
}
