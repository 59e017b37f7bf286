//! Files and the schemas that follow.

use super::*;

fn inferred(name: &str, bytes: &[u8], most: u64) -> Result<Inferred, ConnectorError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    infer(&FilePath { written: name.to_owned(), path }, Compressed::ByExtension, None, most)
}

fn columns(name: &str, text: &str) -> Vec<String> {
    let found = inferred(name, text.as_bytes(), 1000).expect("rows");
    found.columns.iter().map(|column| format!("{}: {}", column.name, column.written)).collect()
}

#[test]
fn json_values_say_their_types() {
    let text = r#"{"id":"a","n":1,"x":1,"big":18446744073709551615,"at":"2018-01-31T02:18:21Z","day":"2018-01-31","ok":true,"tags":["a"],"place":{"lat":1,"lon":2.5},"none":null}
{"id":"b","n":-2,"x":1.5,"big":7,"at":"2018-01-31 02:18:21.5+01:00","day":"2018-02-01","ok":false,"tags":[],"place":{"lat":-1.5},"none":null,"late":1}
"#;
    let expected = [
        "id: utf8 not null",
        "n: int64 not null",
        "x: float64 not null",
        "big: uint64 not null",
        "at: timestamp not null",
        "day: date not null",
        "ok: boolean not null",
        "tags: list<utf8> not null",
        "place: struct<lat: float64, lon: float64> not null",
        "none: utf8",
        "late: int64",
    ];
    assert_eq!(columns("x.ndjson", text), expected);
    assert_eq!(columns("x.log", text), expected, "by its first byte");
}

#[test]
fn csv_fields_say_their_types() {
    let text = "id,n,code,at,x,\"empty, all\",mixed\n\"a\",1,007,2018-01-31T02:18:21Z,1,,1\nb,\"2\",7,2018-01-31T02:18:21Z,,,x\n";
    let expected = [
        "id: utf8 not null",
        "n: int64 not null",
        "code: utf8 not null",
        "at: timestamp not null",
        "x: int64",
        "empty, all: utf8",
        "mixed: utf8 not null",
    ];
    assert_eq!(columns("x.csv", text), expected);
    assert_eq!(columns("x.tsv", "a\tb\n1\t2\n"), ["a: int64 not null", "b: int64 not null"]);
    assert_eq!(columns("x.csv", "a,b\n"), ["a: utf8", "b: utf8"], "a header without rows");
}

#[test]
fn what_does_not_fit_is_told() {
    let found = inferred("x.ndjson", b"{\"a\":1}\n{\"a\":\"x\"}\n\n{\"a\":2}\nhello\n[1]\n", 1000).expect("rows");
    assert_eq!((found.rows, found.malformed, found.complete), (3, 2, true));
    assert_eq!(found.columns[0].written, "int64 not null");
    assert_eq!(found.columns[0].misfits.as_deref(), Some("1 of utf8 (first: line 2)"));
    let (line, reason) = found.first_malformed.expect("a malformed row");
    assert_eq!((line, reason.as_str()), (5, "expected a JSON object, found what isn't one at column 1"));
    let error = inferred("x.csv", b"a,a\n", 10).expect_err("a header with a name twice");
    assert_eq!(error.message, "x.csv:1:3: the header can't be read: expected the field `a` once, found it twice");
}

#[test]
fn only_the_first_rows_are_looked_at_where_that_is_said_and_archives_are_read() {
    let text = "{\"a\":1}\n".repeat(10) + "{\"a\":1.5}\n\n";
    let found = inferred("x.ndjson", text.as_bytes(), 10).expect("rows");
    assert_eq!((found.rows, found.complete, found.columns[0].written.as_str()), (10, false, "int64 not null"));
    let found = inferred("x.ndjson", text.as_bytes(), 11).expect("rows");
    assert_eq!((found.rows, found.complete), (11, true));
    for (name, compression) in [("x.gz", crate::file::Compression::Gzip), ("x.ndjson.zst", crate::file::Compression::Zstd)] {
        let bytes = compression.member(text.as_bytes()).expect("memory takes bytes");
        assert_eq!(inferred(name, &bytes, 100).expect("rows").columns[0].written, "float64 not null");
        let error = inferred(name, &bytes[..bytes.len() - 3], 100).expect_err("an archive that is cut off");
        assert_eq!(error.code, "archive-cut-off");
    }
    assert_eq!(inferred("x.gz", b"", 10).expect("nothing").columns, []);
}
