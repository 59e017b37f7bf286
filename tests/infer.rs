//! `wasmill schema infer`: what it prints is a schema that reads the file.

mod program;

use program::Folder;

#[test]
fn what_is_printed_reads_the_file() {
    for (name, format, text) in [
        (
            "rows.ndjson",
            "json",
            "{\"id\":1,\"at\":\"2018-01-31T02:18:21Z\",\"x y\":\"a\"}\n{\"id\":2,\"at\":null,\"x y\":\"b\"}\n",
        ),
        ("rows.csv", "csv", "id,at,x y\n1,2018-01-31T02:18:21Z,a\n2,,b\n"),
    ] {
        let folder = Folder::new();
        folder.write(name, text);
        let ended = folder.run(&["schema", "infer", name]);
        ended.says(0, &[&format!("note: {name}: looked at 2 rows, all there are")]);
        assert_eq!(ended.out, "schema:\n  id: int64 not null\n  at: timestamp\n  \"x y\": utf8 not null\n");
        let schema = ended.out.replace('\n', "\n    ");
        folder.write(
            "job.yaml",
            format!(
                "name: read
sources:
  rows:
    connector: file
    path: {name}
    format: {format}
    {schema}
sinks: {{ out: {{ input: rows, connector: file, path: out.ndjson, format: json }} }}
"
            ),
        );
        folder.run(&["run", "job.yaml"]).says(0, &[]);
        let row = |id, at, x| format!("{{\"id\":{id},\"at\":{at},\"x y\":\"{x}\"}}\n");
        assert_eq!(folder.read("out.ndjson"), row(1, "\"2018-01-31T02:18:21.000Z\"", "a") + &row(2, "null", "b"));
    }
}

#[test]
fn it_says_how_much_it_looked_at_and_what_does_not_fit() {
    let folder = Folder::new();
    folder.write("rows.log", "{\"a\":1}\n{\"a\":\"x\"}\nhello\n{\"a\":2}\n");
    let ended = folder.run(&["schema", "infer", "rows.log", "--format", "json", "--rows", "3"]);
    let expected = r#"{"file":"rows.log","format":"json","rows":2,"complete":false,"malformed":1,"columns":[{"name":"a","type":"int64 not null","misfits":"1 of utf8 (first: line 2)"}]}"#;
    assert_eq!(ended.out.trim_end(), expected);
    ended.says(
        0,
        &[
            "1 row malformed, the first is rows.log:3: expected a JSON object, found what isn't one at column 1",
            "a: not all values are of one type, there are 1 of utf8 (first: line 2): those rows would be malformed",
            "rows.log: looked at 3 rows, the first; `--rows N` looks at more",
        ],
    );
    folder.write("rows.parquet", "no columns");
    folder
        .run(&["schema", "infer", "rows.parquet"])
        .says(1, &["rows.parquet: this is no Parquet file, or it is damaged or cut off"]);
    folder.run(&["schema", "infer", "none.csv"]).says(1, &["none.csv: there is no such file"]);
}
