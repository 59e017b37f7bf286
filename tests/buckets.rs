//! Output in buckets, by the whole program on real servers: killed again and again, at any instant and at every place, on other numbers of
//! tasks, a job leaves each row in one part. And what is said where a bucket can't be used.

mod program;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use program::{Ended, Folder};
use wasmill_failpoint::Failpoint;
use wasmill_faulty_store::azurite::Azurite;
use wasmill_faulty_store::minio::Minio;

const ROWS: i64 = 9_000;

/// A server with a bucket.
trait Server {
    const BUCKET: &str;
    fn environment(&self) -> Vec<(&'static str, String)>;
    fn objects(&self, below: &str) -> BTreeMap<String, Vec<u8>>;
}

impl Server for Minio {
    const BUCKET: &str = "s3://checkpoints";

    fn environment(&self) -> Vec<(&'static str, String)> {
        Minio::environment(self).into()
    }

    fn objects(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        Minio::objects(self, below).into_iter().map(|(name, bytes)| (name, bytes.into())).collect()
    }
}

impl Server for Azurite {
    const BUCKET: &str = "az://checkpoints";

    fn environment(&self) -> Vec<(&'static str, String)> {
        Azurite::environment(self).into()
    }

    fn objects(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        Azurite::objects(self, below).into_iter().map(|(name, bytes)| (name, bytes.into())).collect()
    }
}

/// Every row, and a count of each key as it grows, compressed.
fn job(bucket: &str, checkpoint: &str) -> String {
    format!(
        "name: parts
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 9] }} }}, rows: {ROWS}, rate: 6000 }} }}
operators: {{ counted: {{ input: rows, key-by: [key], aggregate: {{ n: count(*) }} }} }}
sinks:
  all: {{ input: rows, connector: file, path: \"{bucket}/out/all/\", format: json }}
  counts: {{ input: counted, connector: file, path: \"{bucket}/out/counts\", format: json, compression: gzip }}
{checkpoint}"
    )
}

fn command<S: Server>(folder: &Folder, server: &S, arguments: &[&str]) -> Command {
    let mut command = folder.command(arguments);
    command.envs(server.environment());
    command
}

fn run<S: Server>(folder: &Folder, server: &S, arguments: &[&str]) -> Ended {
    let arguments = [&["run", "job.yaml"], arguments].concat();
    Ended::of(command(folder, server, &arguments).output().expect("the program starts"))
}

/// The rows of all parts, sorted; hidden objects have none that count.
fn rows<S: Server>(server: &S, sink: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for (name, bytes) in server.objects(&format!("out/{sink}")) {
        let mut text = String::new();
        match name.strip_prefix("part-").map(|name| name.ends_with(".gz")) {
            None => continue,
            Some(true) => drop(flate2::read::MultiGzDecoder::new(&*bytes).read_to_string(&mut text).expect("gzip")),
            Some(false) => text = String::from_utf8(bytes).expect("text"),
        }
        assert!(text.ends_with('\n'), "{name}: the last line is cut off");
        rows.extend(text.lines().map(str::to_owned));
    }
    rows.sort();
    rows
}

/// What must be there at the end: each row once, and each count of a key once.
fn expect_all<S: Server>(server: &S) {
    let all = rows(server, "all");
    let ids = |row: &String| row["{\"id\":".len()..row.find(',').expect("two columns")].parse::<i64>().expect("a number");
    let mut found: Vec<i64> = all.iter().map(ids).collect();
    found.sort_unstable();
    assert!(found.into_iter().eq(0..ROWS), "{} rows, each of {ROWS} once", all.len());
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in &all {
        let key = &row[row.find("\"key\"").expect("a key")..row.len() - 1];
        *counts.entry(key.to_owned()).or_default() += 1;
    }
    let mut expected: Vec<String> =
        counts.iter().flat_map(|(key, n)| (1..=*n).map(move |n| format!("{{{key},\"n\":{n}}}"))).collect();
    expected.sort();
    assert!(rows(server, "counts") == expected, "each count of each key once");
    for sink in ["all", "counts"] {
        let names: Vec<_> = server.objects(&format!("out/{sink}")).into_keys().collect();
        assert!(names.iter().all(|name| name.starts_with("part-")), "nothing hidden is left: {names:?}");
    }
}

/// Kills a job at random instants, on one, two and three tasks in turn, and lets it end.
fn survives_kills<S: Server>(server: &S, checkpoint: &str, kills: u32) {
    let folder = Folder::of_job(&job(S::BUCKET, checkpoint));
    let mut chance = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
    let (mut seen, mut progressed) = (0, 0);
    for kill in 0..kills {
        let tasks = (1 + kill % 3).to_string();
        let mut running = command(&folder, server, &["run", "job.yaml", "--parallelism", &tasks]);
        let mut running = running.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        sleep(Duration::from_millis(100 + u64::from(chance >> 22)));
        running.kill().expect("killed, or gone");
        running.wait().expect("gone");
        let mut visible = rows(server, "all");
        let count = visible.len();
        visible.dedup();
        assert_eq!(visible.len(), count, "after kill {kill} rows are there twice");
        assert!(count >= seen, "after kill {kill} rows that were visible are gone");
        progressed += u32::from(count > seen);
        seen = count;
    }
    assert!(progressed > 1, "the job got on only {progressed} times between {kills} kills");
    run(&folder, server, &["--parallelism", "2"]).says(0, &[]);
    expect_all(server);
}

#[test]
fn a_job_that_is_killed_again_and_again_leaves_each_row_in_s3_once() {
    survives_kills(&Minio::start(), "checkpoint: { every: 50ms, store: ./store }\n", 9);
    survives_kills(&Minio::start(), "checkpoint: { every: 50ms, store: \"s3://checkpoints/of/parts\" }\n", 6);
}

#[test]
fn a_job_that_is_killed_again_and_again_leaves_each_row_in_azure_once() {
    survives_kills(&Azurite::start(), "checkpoint: { every: 50ms, store: ./store }\n", 6);
}

#[test]
fn f01_every_place_around_a_commit_to_a_bucket_can_be_the_last() {
    let minio = Minio::start();
    let folder = Folder::of_job(&job(<Minio as Server>::BUCKET, "checkpoint: { every: 20ms, store: ./store }\n"));
    let places = [
        "sink-prepared:3",
        "sink-recovers",
        "before-manifest:2",
        "manifest-written:2",
        "sink-recovered",
        "before-commit:3",
        "before-commit",
        "after-commit:1",
        "sink-recovers:1",
        "after-commit",
    ];
    for place in places {
        assert!(Failpoint::ALL.iter().any(|known| place.starts_with(known.name())), "{place}");
        let mut command = command(&folder, &minio, &["run", "job.yaml", "--parallelism", "2"]);
        let ended = command.env("WASMILL_ABORT_AT", place).stderr(Stdio::null()).status().expect("it starts");
        assert_eq!(ended.code(), None, "it is killed at {place}");
    }
    run(&folder, &minio, &["--parallelism", "2"]).says(0, &["note: going on from checkpoint "]);
    expect_all(&minio);
}

#[test]
fn without_checkpoints_each_task_leaves_a_part_when_the_job_is_done() {
    let minio = Minio::start();
    let folder = Folder::of_job(&job(<Minio as Server>::BUCKET, "").replace(", rate: 6000", ""));
    run(&folder, &minio, &["--parallelism", "2"]).says(0, &[]);
    expect_all(&minio);
    let names: Vec<_> = minio.objects("out/counts").into_keys().collect();
    assert_eq!(names, ["part-0000000001-00000.ndjson.gz", "part-0000000001-00001.ndjson.gz"]);
    // What is there is replaced, or refused.
    run(&folder, &minio, &["--parallelism", "1"]).says(0, &[]);
    expect_all(&minio);
    run(&folder, &minio, &["--set", "sinks.all.existing=refuse"]).says(
        1,
        &[
            "error[file-exists]: s3://checkpoints/out/all/: parts are there already, and the sink says `existing: refuse`",
            "move them away, choose another path, or say `existing: replace` or `existing: append`",
        ],
    );
}

#[test]
fn a_bucket_that_cannot_be_used_is_said_with_what_to_do() {
    let minio = Minio::start();
    let folder = Folder::of_job(&job("s3://nowhere", "").replace(", rate: 6000", ""));
    run(&folder, &minio, &[]).says(
        1,
        &[
            "error[bucket-refused]: s3://nowhere/out/",
            "see that the bucket is there, and that the keys in the environment may list, read, write and delete in it",
        ],
    );
    let mut without_keys = command(&folder, &minio, &["run", "job.yaml"]);
    without_keys.env_remove("AWS_ACCESS_KEY_ID");
    Ended::of(without_keys.output().expect("the program starts"))
        .says(1, &["error[bucket-address]: s3://nowhere/out/all/: the environment doesn't have AWS_ACCESS_KEY_ID"]);
}
