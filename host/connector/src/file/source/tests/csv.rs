//! Files of CSV.

use super::*;
use crate::csv::CsvIn;

fn open_csv(file: &Path) -> FileSource {
    open_as(path(file), CsvIn::default()).expect("a file")
}

#[tokio::test]
async fn files_of_csv_keep_the_contract() {
    let long = "x".repeat(300_000);
    for text in [
        "id,mag\na,1\nb,2.5\n\n\"c\n,\",\n".to_owned(),
        "\u{feff}\"mag\",\"id\",\"other\"\r\n1,a,x\r\n\r\n,\"b\"\"\",\r\n2,c,\"\r\n\"".to_owned(),
        format!("id,mag\nfirst,1\n\"{long}\n{long}\",2\nlast,3"),
        "id,mag\na,strong\n,1\nb,\"open\n\n\n".to_owned(),
    ] {
        let (_folder, path) = file(&text);
        check_source(&SourceUnderTest { open: &|| Box::new(open_csv(&path)), rows: 3, ends: true }).await;
    }
    for text in ["", "id,mag\n", "\r\n\nid,mag"] {
        let (_folder, path) = file(text);
        check_source(&SourceUnderTest { open: &|| Box::new(open_csv(&path)), rows: 0, ends: true }).await;
    }
}

#[tokio::test]
async fn a_malformed_row_is_told_by_the_line_in_which_it_is_wrong() {
    let text = "id,mag\n\"a\nb\",1\n\"c\nd\",strong\ne,1,2\n\"f\n";
    let (_folder, path) = file(text);
    let (rows, malformed) = read_all(&mut open_csv(&path)).await;
    assert_eq!(rows, [r#"{"id":"a\nb","mag":1.0}"#]);
    let told: Vec<_> = malformed.iter().map(|m| (m.reason.as_str(), m.line, m.column, m.byte, m.field.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("mag: expected float64, found \"strong\"", 5, Some(4), 21, Some("mag")),
            ("expected 2 fields, as the header has, found 3", 6, None, 28, None),
            ("id: expected a closing quote, found none to the end of the file", 7, Some(1), 34, Some("id")),
        ]
    );
    let raw: Vec<_> = malformed.iter().map(|malformed| std::str::from_utf8(&malformed.raw).expect("UTF-8")).collect();
    assert_eq!(raw, ["\"c\nd\",strong", "e,1,2", "\"f\n"]);
}

#[tokio::test]
async fn a_row_that_is_too_long_ends_where_its_quotes_do() {
    let (_folder, path) = file(format!("id,mag\n\"{}\n\n{}\",1\nb,2\n", "x".repeat(300_000), "y".repeat(300_000)));
    let format = CsvIn { max_row_bytes: 1000, ..CsvIn::default() };
    let (rows, malformed) = read_all(&mut open_as(super::path(&path), format).expect("a file")).await;
    assert_eq!(rows, [r#"{"id":"b","mag":2.0}"#]);
    let reason = "expected at most 1000 bytes (max-row-bytes), found a row of 600006";
    assert_eq!((malformed[0].reason.as_str(), malformed[0].line, malformed[0].byte), (reason, 2, 7));
    assert_eq!(malformed[0].raw.len(), KEPT_BYTES);
}

#[tokio::test]
async fn a_header_that_does_not_fit_ends_the_job() {
    let (_folder, path) = file("\nid,magnitude\na,1\n");
    let error = open_csv(&path).read(LIMIT).await.expect_err("a header that doesn't fit");
    let message = "in/quakes.ndjson:2: the header doesn't fit the schema: expected a field `mag`, found the fields id, magnitude";
    assert_eq!((error.code, error.message.as_str()), ("header-invalid", message));
    let hint = "name the columns of `schema` as the header does, or say `header: false` where there is none";
    assert_eq!(error.hint.as_deref(), Some(hint));
}
