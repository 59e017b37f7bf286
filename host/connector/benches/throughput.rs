//! How fast rows are made, read and written: `cargo bench -p wasmill-connector --profile release --bench throughput [PART]`, where a
//! part is `generate`, `decode`, `nested`, `csv`, `file`, `encode` or `pace`.
//!
//! Prints, for each, the best of some runs: nanoseconds a row, and megabytes of text a second where there is text. Decoding is compared
//! with arrow-json and arrow-csv, which are lenient.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use wasmill_connector::csv::{self, CsvIn, CsvOut};
use wasmill_connector::file::{Compressed, FilePath, FileSource, FileSourceConfig};
use wasmill_connector::generator::{FieldRule, GeneratorConfig, GeneratorSource, NexmarkKind, Workload};
use wasmill_connector::json::{JsonIn, JsonOut, RowDecoder, RowEncoder};
use wasmill_connector::{BatchLimit, FormatIn, Source};
use wasmill_flow::TaskIndex;
use wasmill_flow::column_type::parse_field;

const LIMIT: BatchLimit = BatchLimit { rows: 1024, bytes: 1 << 20 };
const RUNS: usize = 7;

fn main() {
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let quakes = quakes(200_000);
    if wanted("generate") {
        generators(&runtime);
    }
    if wanted("decode") {
        decoding("earthquakes, all 14 fields", &quakes, &quake_schema(&QUAKE_FIELDS));
        let five = ["id", "time", "mag", "place", "net"];
        let some: Vec<_> = QUAKE_FIELDS.iter().filter(|(name, _)| five.contains(name)).cloned().collect();
        decoding("earthquakes, 5 of 14 fields", &quakes, &quake_schema(&some));
    }
    if wanted("nested") {
        let lines = orders(200_000);
        decoding("orders, structs and lists of structs", &lines, &order_schema());
        encoding("orders", &lines, &order_schema());
    }
    if wanted("csv") {
        let quakes = csv_of(&quakes);
        decoding_csv("earthquakes, all 14 fields", &quakes, &quake_schema(&QUAKE_FIELDS));
        let quoted = quotes_around_all(&quakes);
        decoding_csv("all fields in quotes", &quoted, &quake_schema(&QUAKE_FIELDS));
    }
    if wanted("file") {
        file(&runtime, "quakes.ndjson", quakes.as_bytes());
        for compression in ["gz", "zst"] {
            file(&runtime, &format!("quakes.ndjson.{compression}"), &compressed(compression, quakes.as_bytes()));
        }
    }
    if wanted("encode") {
        encoding("earthquakes", &quakes, &quake_schema(&QUAKE_FIELDS));
    }
    if wanted("pace") {
        pacing(&runtime);
    }
}

/// The best of some runs, by the time that this thread spent on a processor: other programs on the machine don't count.
fn best(mut run: impl FnMut()) -> Duration {
    let mut timed = || {
        let start = thread_time();
        run();
        thread_time() - start
    };
    (0..RUNS).map(|_| timed()).min().expect("some runs")
}

/// The processor time of this thread, as Linux counts it.
fn thread_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("a number"))
}

fn report(what: &str, time: Duration, rows: u64, bytes: Option<u64>) {
    let mut line = format!("{what:<44} {:>9.2} ns/row", time.as_nanos() as f64 / rows as f64);
    if let Some(bytes) = bytes {
        write!(line, " {:>8.0} MB/s", bytes as f64 / 1e6 / time.as_secs_f64()).expect("memory takes text");
    }
    println!("{line}");
}

fn generators(runtime: &tokio::runtime::Runtime) {
    const ROWS: u64 = 10_000_000;
    let at = FieldRule::At { every_nanos: 60_000, disorder: Duration::from_millis(499), start_millis: 0 };
    let rules = [
        ("id", FieldRule::Sequence),
        ("key", FieldRule::Uniform(0, 99_999)),
        ("name", FieldRule::OneOf(vec!["a".into(), "b".into()])),
        ("at", at),
    ];
    let fields = Workload::Fields(rules.map(|(name, rule)| (name.to_owned(), rule)).to_vec());
    let nexmark = |kind| Workload::Nexmark { kind, event_rate: 100_000.0 };
    for (what, workload) in [
        ("generator: micro, 5 columns", Workload::Micro),
        ("generator: 4 fields by rule", fields),
        ("generator: nexmark, bids of all events", nexmark(Some(NexmarkKind::Bid))),
        ("generator: nexmark, all kinds", nexmark(None)),
    ] {
        let config =
            GeneratorConfig { workload, rows: Some(ROWS), rate: None, seed: 0, task: TaskIndex::ONLY, start: Instant::now() };
        let time = best(|| {
            let mut source = GeneratorSource::new(&config).expect("a generator");
            runtime.block_on(async {
                while let Some(read) = source.read(LIMIT).await.expect("a read") {
                    black_box(read);
                }
            });
        });
        report(what, time, ROWS, None);
    }
}

const MILLIS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);
const QUAKE_FIELDS: [(&str, DataType); 14] = [
    ("id", DataType::Utf8View),
    ("time", MILLIS),
    ("updated", MILLIS),
    ("mag", DataType::Float64),
    ("mag_type", DataType::Utf8View),
    ("place", DataType::Utf8View),
    ("net", DataType::Utf8View),
    ("status", DataType::Utf8View),
    ("type", DataType::Utf8View),
    ("tsunami", DataType::Int64),
    ("sig", DataType::Int64),
    ("lon", DataType::Float64),
    ("lat", DataType::Float64),
    ("depth", DataType::Float64),
];

fn quake_schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
}

/// Lines as those of the earthquakes feed.
fn quakes(count: u64) -> String {
    let mut text = String::new();
    for n in 0..count {
        let (time, mag, lon) = (1_517_365_101_235 + n * 350, (n % 71) as f64 / 10.0, (n % 360_000) as f64 / 1000.0 - 180.0);
        writeln!(
            text,
            r#"{{"id":"ak{n:08}","time":{time},"updated":{},"mag":{mag},"mag_type":"ml","place":"{}km WNW of Skagway, Alaska","net":"ak","status":"automatic","type":"earthquake","tsunami":0,"sig":{},"lon":{lon},"lat":{},"depth":{}}}"#,
            time + 290_000, n % 200, n % 1000, lon / 2.0, n % 700
        )
        .expect("memory takes text");
    }
    text
}

fn order_schema() -> SchemaRef {
    let field = |name: &str, written: &str| parse_field(name, written).expect("a type");
    Arc::new(Schema::new(vec![
        field("id", "int64"),
        field("customer", "struct<name: utf8, address: struct<street: utf8, city: utf8>>"),
        field("tags", "list<utf8>"),
        field("items", "list<struct<article: utf8, count: int64, price: float64>>"),
    ]))
}

/// Lines of a shop: objects, texts in arrays, objects in arrays.
fn orders(count: u64) -> String {
    let mut text = String::new();
    for n in 0..count {
        let item = |k: u64| format!(r#"{{"article":"article number {}","count":{},"price":{}.5}}"#, n * 7 + k, k + 1, n % 90);
        let items = (0..n % 4).map(item).collect::<Vec<_>>().join(",");
        writeln!(
            text,
            r#"{{"id":{n},"customer":{{"name":"customer {}","address":{{"street":"a street of some length {}","city":"Delft"}}}},"tags":["new","gift","a longer tag {}"],"items":[{items}]}}"#,
            n % 1000, n % 100, n % 7
        )
        .expect("memory takes text");
    }
    text
}

fn decoding(what: &str, text: &str, schema: &SchemaRef) {
    let rows = text.lines().count() as u64;
    let mut decoder = RowDecoder::new(Arc::clone(schema), JsonIn::default()).expect("supported types");
    let time = best(|| {
        for line in text.lines() {
            decoder.decode(line.as_bytes()).expect("a row");
            if decoder.rows() == 1024 {
                black_box(decoder.take_rows());
            }
        }
        black_box(decoder.take_rows());
    });
    report(&format!("decode: {what}"), time, rows, Some(text.len() as u64));
    let time = best(|| {
        let reader = arrow_json::ReaderBuilder::new(Arc::clone(schema)).with_batch_size(1024).build(Cursor::new(text.as_bytes()));
        for batch in reader.expect("a reader") {
            black_box(batch.expect("rows"));
        }
    });
    report(&format!("arrow-json: {what}"), time, rows, Some(text.len() as u64));
}

/// The same rows as CSV with a header.
fn csv_of(text: &str) -> String {
    let schema = quake_schema(&QUAKE_FIELDS);
    let mut decoder = RowDecoder::new(Arc::clone(&schema), JsonIn::default()).expect("supported types");
    let encoder = csv::RowEncoder::new(&schema, CsvOut::default()).expect("supported types");
    let mut out = encoder.header().to_vec();
    for line in text.lines() {
        decoder.decode(line.as_bytes()).expect("a row");
        if decoder.rows() == 1024 {
            encoder.encode(&decoder.take_rows(), &mut out);
        }
    }
    encoder.encode(&decoder.take_rows(), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn quotes_around_all(text: &str) -> String {
    let line = |line: &str| {
        let plain = line.replace("Skagway, Alaska", "Skagway; Alaska").replace('"', "");
        plain.split(',').map(|field| format!("\"{field}\"")).collect::<Vec<_>>().join(",") + "\n"
    };
    text.lines().map(line).collect()
}

/// Cuts into rows and decodes, as arrow-csv does in one.
fn decoding_csv(what: &str, text: &str, schema: &SchemaRef) {
    let rows = text.lines().count() as u64 - 1;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("quakes.csv");
    std::fs::write(&path, text).expect("a file");
    let time = best(|| read_file(&runtime, &path, CsvIn::default().into(), schema));
    report(&format!("csv file: {what}"), time, rows, Some(text.len() as u64));
    let time = best(|| {
        let input = std::fs::File::open(&path).expect("a file");
        let reader = arrow_csv::ReaderBuilder::new(Arc::clone(schema)).with_header(true).with_batch_size(1024).build(input);
        for batch in reader.expect("a reader") {
            black_box(batch.expect("rows"));
        }
    });
    report(&format!("arrow-csv: {what}"), time, rows, Some(text.len() as u64));
}

fn compressed(extension: &str, text: &[u8]) -> Vec<u8> {
    match extension {
        "zst" => zstd::bulk::compress(text, 3).expect("memory takes bytes"),
        _ => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes bytes")
        }
    }
}

fn read_file(runtime: &tokio::runtime::Runtime, path: &Path, format: FormatIn, schema: &SchemaRef) {
    let config = FileSourceConfig {
        path: FilePath { written: "quakes".to_owned(), path: path.to_owned() },
        format,
        compressed: Compressed::ByExtension,
        task: TaskIndex::ONLY,
    };
    let mut source = FileSource::open(config, Arc::clone(schema)).expect("a file");
    runtime.block_on(async {
        while let Some(read) = source.read(LIMIT).await.expect("a read") {
            assert!(read.malformed.is_empty(), "{:?}", read.malformed[0]);
            black_box(read);
        }
    });
}

/// Rates are of the text, decompressed.
fn file(runtime: &tokio::runtime::Runtime, name: &str, bytes: &[u8]) {
    const ROWS: u64 = 200_000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    let schema = quake_schema(&QUAKE_FIELDS);
    let time = best(|| read_file(runtime, &path, JsonIn::default().into(), &schema));
    report(&format!("file source: {name}, all 14 fields"), time, ROWS, Some(quakes(ROWS).len() as u64));
}

fn encoding(name: &str, text: &str, schema: &SchemaRef) {
    let mut decoder = RowDecoder::new(Arc::clone(schema), JsonIn::default()).expect("supported types");
    let mut batches = Vec::new();
    for line in text.lines() {
        decoder.decode(line.as_bytes()).expect("a row");
        if decoder.rows() == 1024 {
            batches.push(decoder.take_rows());
        }
    }
    let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    for (what, timestamps_as_millis) in [("RFC 3339", false), ("integers", true)] {
        let encoder = RowEncoder::new(schema, JsonOut { timestamps_as_millis }).expect("supported types");
        let mut out = Vec::new();
        let mut bytes = 0;
        let time = best(|| {
            bytes = 0;
            for batch in &batches {
                out.clear();
                encoder.encode(batch, &mut out);
                bytes += out.len() as u64;
                black_box(&out);
            }
        });
        report(&format!("encode: {name}, timestamps as {what}"), time, rows, Some(bytes));
    }
}

/// How late rows are that are due every 20 µs.
fn pacing(runtime: &tokio::runtime::Runtime) {
    let start = Instant::now() + Duration::from_millis(10);
    let config = GeneratorConfig {
        workload: Workload::Micro,
        rows: Some(100_000),
        rate: Some(50_000.0),
        seed: 0,
        task: TaskIndex::ONLY,
        start,
    };
    let mut late = runtime.block_on(runtime.spawn(async move {
        let mut source = GeneratorSource::new(&config).expect("a generator");
        let (mut row, mut late) = (0, Vec::with_capacity(100_000));
        while let Some(read) = source.read(LIMIT).await.expect("a read") {
            let now = Instant::now();
            for _ in 0..read.rows.num_rows() {
                late.push(now - config.due(row).expect("a rate"));
                row += 1;
            }
        }
        late
    }));
    let late = late.as_mut().expect("no panic");
    late.sort();
    let at = |part: f64| late[((late.len() - 1) as f64 * part) as usize].as_nanos() as f64 / 1000.0;
    println!(
        "pacing: 50,000 rows/s come late by (µs)         p50 {:.1}  p99 {:.1}  p99.9 {:.1}  max {:.1}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
