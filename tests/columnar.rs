//! Files of columns through whole jobs: from format to format, with only what somebody reads, in folders of parts, and bad ones.

mod program;

use std::fs;

use program::{Ended, Folder};

/// A folder with `rows.parquet`: 10,000 rows of `id` (0 …), `text`, `mag` (one in ten null) and `at`, in row groups of 1,000.
fn given() -> Folder {
    let folder = Folder::of_job(
        "name: write
sources:
  rows: { connector: file, path: rows.ndjson, format: json, schema: { id: int64 not null, text: utf8, mag: float64, at: timestamp } }
sinks:
  out: { input: rows, connector: file, path: rows.parquet, format: { type: parquet, row-group-rows: 1000 } }
",
    );
    folder.write("rows.ndjson", rows(0..10_000));
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    folder
}

fn rows(ids: std::ops::Range<u32>) -> String {
    let mag = |id: u32| if id.is_multiple_of(10) { "null".to_owned() } else { format!("{}.5", id % 7) };
    let at = |id: u32| format!("2024-01-01T00:{:02}:{:02}.{:03}Z", id / 60_000 % 60, id / 1000 % 60, id % 1000);
    ids.map(|id| format!("{{\"id\":{id},\"text\":\"row {id}\",\"mag\":{},\"at\":\"{}\"}}\n", mag(id), at(id))).collect()
}

fn run(folder: &Folder, job: &str, more: &[&str]) -> Ended {
    folder.write("job.yaml", job);
    let arguments = ["run", "job.yaml", "--summary", "summary.json"];
    folder.run(&[&arguments, more].concat())
}

#[test]
fn rows_go_from_format_to_format_and_stay_what_they_are() {
    let folder = given();
    for (from, to, name) in
        [("parquet", "arrow", "rows.arrow"), ("arrow", "parquet", "again.parquet"), ("parquet", "json", "out.ndjson")]
    {
        let source = match name {
            "rows.arrow" => "rows.parquet",
            "again.parquet" => "rows.arrow",
            _ => "again.parquet",
        };
        let job = format!(
            "name: copy
sources: {{ rows: {{ connector: file, path: {source}, format: {from} }} }}
sinks: {{ out: {{ input: rows, connector: file, path: {name}, format: {to} }} }}
"
        );
        run(&folder, &job, &[]).says(0, &[]);
        let summary = folder.json("summary.json");
        assert_eq!((&summary["rows_in"], &summary["rows_out"]), (&10_000.into(), &10_000.into()));
        let bytes = fs::metadata(folder.path(name)).expect("a file").len();
        if to == "parquet" {
            assert_eq!(summary["sinks"]["out"]["bytes"], bytes);
        }
    }
    assert!(folder.read("out.ndjson") == folder.read("rows.ndjson"));
    assert!(folder.names().iter().all(|name| !name.ends_with(".partial")), "{:?}", folder.names());
}

#[test]
fn row_groups_that_a_filter_rules_out_are_not_read_and_are_counted() {
    let folder = given();
    let job = "name: some
sources: { rows: { connector: file, path: rows.parquet, format: parquet } }
operators:
  late: { input: rows, filter: \"id >= 8500 and text <> 'row 8501'\" }
  two: { input: late, select: { id: id, at: at } }
sinks: { out: { input: two, connector: file, path: out.ndjson, format: json } }
";
    run(&folder, job, &[]).says(0, &[]);
    let out = folder.read("out.ndjson");
    assert_eq!(out.lines().count(), 1_499);
    assert!(out.starts_with("{\"id\":8500,\"at\":\"2024-01-01T00:00:08.500Z\"}\n{\"id\":8502,"), "{}", &out[..100]);
    let summary = folder.json("summary.json");
    let (read, pruned) = (&summary["sources"]["rows"]["rows"], &summary["sources"]["rows"]["pruned"]);
    assert_eq!((read, pruned), (&2_000.into(), &8_000.into()));
    let explained = folder.run(&["explain", "job.yaml"]);
    assert!(explained.out.contains("out: id int64 not null, text utf8, at timestamp\n"), "{}", explained.out);
    let left_out = "left out where statistics say so: rows without id >= 8500 and text <> 'row 8501'\n";
    assert!(explained.out.contains(left_out), "{}", explained.out);
    let unread = explained.out.lines().find(|line| line.contains("not read, and so not checked: "));
    assert!(unread.is_some_and(|line| !line.contains("text")), "{}", explained.out);
    // A limit counts rows of the file, so none may be left out.
    run(&folder, job, &["--set", "sources.rows.limit=9000"]).says(0, &[]);
    assert_eq!(folder.read("out.ndjson").lines().count(), 499);
    assert_eq!(folder.json("summary.json")["sources"]["rows"]["pruned"], 0);
}

#[test]
fn rows_on_which_a_filter_fails_are_not_ruled_out_by_what_stands_behind() {
    let folder = given();
    for (filter, dead) in [("1 / (id % 5000) >= 0 and id >= 9000", 2), ("id >= 9000 and 1 / (id % 5000) >= 0", 0)] {
        let job = format!(
            "name: some
sources: {{ rows: {{ connector: file, path: rows.parquet, format: parquet }} }}
operators: {{ late: {{ input: rows, filter: \"{filter}\" }} }}
sinks: {{ out: {{ input: late, connector: file, path: out.ndjson, format: json }} }}
dead-letters: {{ connector: file, path: dead.ndjson, format: json }}
"
        );
        run(&folder, &job, &[]).says(0, &[]);
        assert_eq!(folder.read("out.ndjson").lines().count(), 1000, "{filter}");
        assert_eq!(folder.read("dead.ndjson").lines().count(), dead, "{filter}");
    }
}

#[test]
fn with_checkpoints_each_epoch_and_task_has_a_part() {
    let folder = given();
    for (format, extension) in [("parquet", "parquet"), ("arrow", "arrow"), ("json", "ndjson")] {
        let job = format!(
            "name: parts-{format}
sources: {{ rows: {{ connector: file, path: rows.parquet, format: parquet }} }}
operators: {{ counted: {{ input: rows, key-by: [id], aggregate: {{ n: count(*), at: max(at) }} }} }}
sinks: {{ out: {{ input: counted, connector: file, path: out-{format}/, format: {format} }} }}
checkpoint: {{ store: store-{format}, every: 50ms }}
"
        );
        run(&folder, &job, &["--parallelism", "2"]).says(0, &[]);
        let names: Vec<_> = fs::read_dir(folder.path(&format!("out-{format}")))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        assert!(names.iter().all(|name| name.starts_with("part-") && name.ends_with(&format!(".{extension}"))), "{names:?}");
        for task in ["-00000.", "-00001."] {
            assert!(names.iter().any(|name| name.contains(task)), "{names:?}");
        }
        let mut ids = Vec::new();
        for name in names {
            if format == "json" {
                ids.extend(folder.read(&format!("out-{format}/{name}")).lines().map(str::to_owned));
                continue;
            }
            let copy = format!(
                "name: copy
sources: {{ rows: {{ connector: file, path: out-{format}/{name}, format: {format} }} }}
sinks: {{ out: {{ input: rows, connector: file, path: copy.ndjson, format: json }} }}
"
            );
            run(&folder, &copy, &[]).says(0, &[]);
            ids.extend(folder.read("copy.ndjson").lines().map(str::to_owned));
        }
        assert_eq!(ids.len(), 10_000);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 10_000);
    }
}

#[test]
fn without_checkpoints_each_task_has_one_part() {
    let folder = Folder::of_job(
        "name: parts
sources: { bids: { connector: generator, workload: nexmark, kind: bid, rows: 1000 } }
sinks: { out: { input: bids, connector: file, path: out/, format: parquet } }
",
    );
    folder.write("out/notes.txt", "mine");
    for _ in 0..2 {
        folder.run(&["run", "job.yaml", "--parallelism", "2"]).says(0, &[]);
        let mut names: Vec<_> =
            fs::read_dir(folder.path("out")).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, ["notes.txt", "part-0000000001-00000.parquet", "part-0000000001-00001.parquet"]);
    }
}

#[test]
fn a_schema_that_the_file_does_not_have_is_told_before_anything_runs() {
    let folder = given();
    let job = |schema: &str| {
        format!(
            "name: bad
sources: {{ rows: {{ connector: file, path: rows.parquet, format: parquet, schema: {schema} }} }}
sinks: {{ out: {{ input: rows, connector: file, path: out.ndjson, format: json }} }}
"
        )
    };
    run(&folder, &job("{ id: utf8 }"), &[]).says(
        2,
        &["rows.parquet: column `id`: expected utf8, as `schema` says, found int64", "job.yaml:2:43", "write int64 in `schema`"],
    );
    run(&folder, &job("{ idd: int64 }"), &[]).says(2, &["rows.parquet: there is no column `idd`; there are id, text, mag, at"]);
    assert!(!folder.path("out.ndjson").exists());
    run(&folder, &job("{ mag: float64 not null, id: int64 }"), &[]).says(1, &["mag: expected float64 not null, found null"]);
}

#[test]
fn a_file_that_is_damaged_or_cut_off_is_named() {
    let folder = given();
    let whole = fs::read(folder.path("rows.parquet")).expect("a file");
    let job = "name: bad
sources: { rows: { connector: file, path: rows.parquet, format: parquet } }
sinks: { out: { input: rows, connector: file, path: out.ndjson, format: json } }
";
    let expected = "rows.parquet: this is no Parquet file, or it is damaged or cut off: ";
    folder.write("rows.parquet", &whole[..whole.len() / 2]);
    run(&folder, job, &[]).says(2, &[expected, "write the file anew, or name the format that it has"]);
    folder.write("rows.parquet", "{\"id\":1}\n");
    run(&folder, job, &[]).says(2, &[expected]);
    let mut torn = whole.clone();
    torn[1_000..2_000].fill(0xff);
    folder.write("rows.parquet", torn);
    run(&folder, job, &[]).says(1, &[expected]);
    fs::remove_file(folder.path("rows.parquet")).expect("a file");
    run(&folder, job, &[]).says(2, &["rows.parquet: there is no such file"]);
}

#[test]
fn what_one_file_of_columns_can_not_do_is_refused_with_what_to_do() {
    let folder = given();
    let job = |sink: &str, more: &str| {
        format!(
            "name: bad
sources: {{ rows: {{ connector: file, path: rows.parquet, format: parquet }} }}
sinks: {{ out: {{ input: rows, {sink} }} }}
{more}"
        )
    };
    run(&folder, &job("connector: file, path: out.parquet, format: parquet", "checkpoint: { store: store }\n"), &[]).says(
        2,
        &[
            "found `out.parquet`, expected a folder, whose path ends in `/`: a file of columns is whole at its end only",
            "each checkpoint then adds a file to the folder",
        ],
    );
    run(&folder, &job("connector: file, path: out.arrow, format: arrow, existing: append", ""), &[])
        .says(2, &["found `out.arrow`, expected a folder, whose path ends in `/`"]);
    run(&folder, &job("connector: stdio, format: parquet", ""), &[])
        .says(2, &["error[not-in-this-version]: found columns to standard output, expected `connector: file`, or rows as json"]);
    run(&folder, &job("connector: file, path: o, format: { type: parquet, compression: lzo }", ""), &[])
        .says(2, &["found `lzo`", "expected one of zstd, snappy, lz4, gzip, none"]);
}
