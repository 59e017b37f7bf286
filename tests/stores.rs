//! Checkpoints in buckets, by the whole program: a job that is killed goes on from a real MinIO, one that is replaced stops, and what can't
//! be reached is said. And what `wasmill checkpoints` says of a store.

mod json_schema;
mod program;

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use json_schema::faults;
use program::{Ended, Folder};
use serde_json::Value;
use wasmill_faulty_store::minio::Minio;

/// Three seconds of rows.
const ROWS: u64 = 9_000;

fn job(store: Option<&str>) -> String {
    let (rate, checkpoint) = match store {
        Some(store) => (", rate: 3000", format!("checkpoint: {{ every: 50ms, base-every: 1, store: \"{store}\" }}\n")),
        None => ("", String::new()),
    };
    format!(
        "name: kept
parallelism: 1
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 9] }} }}, rows: {ROWS}{rate} }} }}
operators: {{ counted: {{ input: rows, key-by: [key], aggregate: {{ n: count(*), sum: sum(id) }} }} }}
sinks: {{ out: {{ input: counted, connector: file, path: out.ndjson, format: json }} }}
{checkpoint}"
    )
}

/// What a run writes that nothing disturbs.
fn undisturbed() -> String {
    let calm = Folder::of_job(&job(None));
    calm.run(&["run", "job.yaml"]).says(0, &[]);
    calm.read("out.ndjson")
}

fn command(folder: &Folder, minio: &Minio, arguments: &[&str]) -> Command {
    let mut command = folder.command(arguments);
    command.envs(minio.environment());
    command
}

fn start(folder: &Folder, minio: &Minio) -> Child {
    command(folder, minio, &["run", "job.yaml"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn visible(folder: &Folder) -> u64 {
    folder.path("out.ndjson").metadata().map_or(0, |file| file.len())
}

/// Waits until more of the output is visible than this: another checkpoint is complete.
fn wait_for_more(folder: &Folder, than: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while visible(folder) <= than {
        assert!(Instant::now() < deadline, "no more than {than} bytes are visible");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_job_that_is_killed_goes_on_from_its_bucket() {
    let minio = Minio::start();
    let folder = Folder::of_job(&job(Some("s3://checkpoints/of/kept")));
    for _ in 0..3 {
        let before = visible(&folder);
        let mut child = start(&folder, &minio);
        wait_for_more(&folder, before);
        assert!(child.try_wait().expect("a child").is_none(), "it was done before it was killed");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    let ended = Ended::of(command(&folder, &minio, &["run", "job.yaml"]).output().expect("the program starts"));
    ended.says(0, &["note: going on from checkpoint ", " in s3://checkpoints/of/kept"]);
    assert_eq!(folder.read("out.ndjson"), undisturbed());

    let listed = ["checkpoints", "list", "s3://checkpoints/of/kept", "--format", "json"];
    let listed = Ended::of(command(&folder, &minio, &listed).output().expect("the program starts"));
    let listed: Value = serde_json::from_str(&listed.says(0, &[]).out).expect("JSON");
    assert_eq!(listed["checkpoints"].as_array().expect("a list").len(), 3, "{listed}");
    assert_eq!((&listed["checkpoints"][2]["last"], &listed["checkpoints"][2]["job"]), (&true.into(), &"kept".into()));
    let newest = listed["checkpoints"][2]["id"].to_string();
    let delete = ["checkpoints", "delete", "s3://checkpoints/of/kept", &newest];
    let text =
        format!("error[checkpoint-in-use]: s3://checkpoints/of/kept: checkpoint {newest} is the newest, and a job may need it");
    Ended::of(command(&folder, &minio, &delete).output().expect("the program starts")).says(1, &[&text]);
    let older = listed["checkpoints"][0]["id"].to_string();
    let delete = ["checkpoints", "delete", "s3://checkpoints/of/kept", &older];
    let deleted = Ended::of(command(&folder, &minio, &delete).output().expect("the program starts"));
    assert_eq!(deleted.says(0, &[]).out, format!("checkpoint {older} deleted, with 1 state files that no other needs\n"));
}

#[test]
fn a_job_moves_from_one_bucket_s_checkpoint_to_another_bucket() {
    let minio = Minio::start();
    let folder = Folder::of_job(&job(Some("s3://checkpoints/old")));
    let mut child = start(&folder, &minio);
    wait_for_more(&folder, 0);
    child.kill().expect("killed");
    child.wait().expect("gone");
    let listed = Ended::of(
        command(&folder, &minio, &["checkpoints", "list", "s3://checkpoints/old", "--format", "json"])
            .output()
            .expect("it starts"),
    );
    let listed: Value = serde_json::from_str(&listed.says(0, &[]).out).expect("JSON");
    let newest = listed["checkpoints"].as_array().and_then(|all| all.last()).expect("a checkpoint")["id"].clone();
    folder.write("job.yaml", job(Some("s3://checkpoints/new")));
    let from = format!("s3://checkpoints/old#{newest}");
    let moved = Ended::of(command(&folder, &minio, &["run", "job.yaml", "--from", &from]).output().expect("the program starts"));
    moved.says(0, &[&format!("note: going on from checkpoint {newest} of job `kept` in s3://checkpoints/old")]);
    assert_eq!(folder.read("out.ndjson"), undisturbed());
    // The new one has all that it needs.
    let verify = command(&folder, &minio, &["checkpoints", "verify", "s3://checkpoints/new"]).output().expect("it starts");
    Ended::of(verify).says(0, &[]);
}

#[test]
fn f03_a_second_process_on_a_bucket_goes_on_and_the_first_stops() {
    let minio = Minio::start();
    let folder = Folder::of_job(&job(Some("s3://checkpoints")));
    let first = start(&folder, &minio);
    wait_for_more(&folder, 0);
    let second = Ended::of(command(&folder, &minio, &["run", "job.yaml"]).output().expect("the program starts"));
    let first = Ended::of(first.wait_with_output().expect("it ends"));
    second.says(0, &["note: going on from checkpoint "]);
    let text = "s3://checkpoints: another process has taken it over (this one was owner 1, now owner 2 writes)";
    first.says(1, &["error[checkpoint-fenced]: ", text, "run the job once only"]);
    assert_eq!(folder.read("out.ndjson"), undisturbed());
}

#[test]
fn a_bucket_that_cannot_be_reached_or_used_is_said_with_what_to_do() {
    let folder = Folder::of_job(&job(Some("s3://checkpoints")));
    let run = |variables: &[(&str, &str)]| {
        let mut command = folder.command(&["run", "job.yaml"]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        let start = Instant::now();
        let ended = Ended::of(command.envs(variables.iter().copied()).output().expect("the program starts"));
        assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
        ended
    };
    run(&[]).says(1, &["error[checkpoint-address]: s3://checkpoints: the environment doesn't have AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"]);
    // Nothing listens on this port.
    let there = [("AWS_ENDPOINT", "http://127.0.0.1:9"), ("AWS_ALLOW_HTTP", "true")];
    let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")];
    let unreachable = run(&[there, keys].concat());
    unreachable.says(
        1,
        &["error[checkpoint-store]: s3://checkpoints/runs: can't list (tried for ", "see that the store can be reached"],
    );
    let minio = Minio::start();
    let endpoint = minio.endpoint();
    let there = [("AWS_ENDPOINT", &*endpoint), ("AWS_ALLOW_HTTP", "true")];
    run(&[there, keys].concat())
        .says(1, &["error[checkpoint-store]: s3://checkpoints/runs: can't list: ", "that the keys in the environment may"]);
}

#[test]
fn checkpoints_of_a_directory_are_listed_shown_and_deleted() {
    let folder = Folder::of_job(&job(Some("./store")).replace(", rate: 3000", ""));
    folder.run(&["run", "job.yaml"]).says(0, &[]);
    let json = |arguments: &[&str]| -> Value {
        let ended = folder.run(&[&["checkpoints"], arguments, &["--format", "json"]].concat());
        let value = serde_json::from_str(&ended.says(0, &[]).out).expect("JSON");
        let schema: Value = serde_json::from_str(&folder.run(&["schema", "checkpoints"]).out).expect("JSON");
        assert_eq!(faults(&schema["$defs"][arguments[0]], &value), Vec::<String>::new());
        value
    };
    let listed = json(&["list", "store"]);
    let ids: Vec<u64> =
        listed["checkpoints"].as_array().expect("a list").iter().map(|it| it["id"].as_u64().expect("a number")).collect();
    let newest = ids.last().expect("a checkpoint").to_string();
    let shown = json(&["show", "store", &newest]);
    assert_eq!(
        (&shown["job"], &shown["last"], &shown["operators"][0]["name"]),
        (&"kept".into(), &true.into(), &"counted".into())
    );
    assert_eq!(shown["operators"][0]["objects"][0]["first_group"], 0);
    assert_eq!((&shown["sources"][0]["name"], &shown["sinks"][0]["name"]), (&"rows".into(), &"out".into()));
    let text = folder.run(&["checkpoints", "show", "store", &newest]);
    assert!(text.out.starts_with(&format!("checkpoint {newest} of job kept, 20")), "{}", text.out);
    let text = folder.run(&["checkpoints", "list", "store"]);
    assert!(text.out.ends_with(" state files, ") || text.out.contains("job kept, its last, 1 state files, "), "{}", text.out);

    folder
        .run(&["checkpoints", "show", "store", "77777"])
        .says(1, &["error[checkpoint-not-found]: store: no checkpoint 77777; there "]);
    folder
        .run(&["checkpoints", "list", "nowhere"])
        .says(1, &["error[checkpoint-no-store]: nowhere: no checkpoints were ever kept here"]);
    let deleted = json(&["delete", "store", &newest]);
    assert_eq!((deleted["deleted"].to_string(), deleted["objects"].as_array().map(Vec::len)), (newest.clone(), Some(1)));
    assert_eq!(json(&["list", "store"])["checkpoints"].as_array().expect("a list").len(), ids.len() - 1);
    std::fs::write(folder.path(&format!("store/runs/1/manifests/{newest:0>20}.json")), "{").expect("written");
    let damaged = json(&["list", "store"]);
    let last = damaged["checkpoints"].as_array().and_then(|all| all.last()).expect("a checkpoint");
    assert!(last["problem"].as_str().expect("a text").contains("damaged: "), "{last}");
}

#[test]
fn a_checkpoint_is_not_deleted_under_a_job_that_runs() {
    let folder = Folder::of_job(&job(Some("./store")));
    let mut child = folder.command(&["run", "job.yaml"]).stderr(Stdio::null()).spawn().expect("the program starts");
    wait_for_more(&folder, 0);
    folder.run(&["checkpoints", "list", "store"]).says(0, &[]);
    folder
        .run(&["checkpoints", "delete", "store", "1"])
        .says(1, &["error[checkpoint-locked]: store: in use by another process (pid "]);
    child.kill().expect("killed");
    child.wait().expect("gone");
}
