//! Checkpoints in Azure's blobs, by the whole program and Microsoft's own emulator: a job that is killed goes on, and one that is replaced stops.

mod program;

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::{Ended, Folder};
use wasmill_faulty_store::azurite::Azurite;

/// Three seconds of rows.
const ROWS: u64 = 9_000;

fn job(checkpoint: &str, rate: &str) -> String {
    format!(
        "name: kept
parallelism: 1
sources: {{ rows: {{ connector: generator, fields: {{ id: sequence, key: {{ uniform: [0, 9] }} }}, rows: {ROWS}{rate} }} }}
operators: {{ counted: {{ input: rows, key-by: [key], aggregate: {{ n: count(*), sum: sum(id) }} }} }}
sinks: {{ out: {{ input: counted, connector: file, path: out.ndjson, format: json }} }}
{checkpoint}"
    )
}

fn command(folder: &Folder, azurite: &Azurite) -> Command {
    let mut command = folder.command(&["run", "job.yaml"]);
    command.envs(azurite.environment());
    command
}

fn start(folder: &Folder, azurite: &Azurite) -> Child {
    command(folder, azurite).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// Waits until more of the output is visible than there was: another checkpoint is complete.
fn wait_for_more(folder: &Folder) {
    let visible = || folder.path("out.ndjson").metadata().map_or(0, |file| file.len());
    let (before, deadline) = (visible(), Instant::now() + Duration::from_secs(60));
    while visible() <= before {
        assert!(Instant::now() < deadline, "no more than {before} bytes are visible");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_job_in_azure_goes_on_when_it_is_killed_and_stops_when_it_is_replaced() {
    let azurite = Azurite::start();
    let calm = Folder::of_job(&job("", ""));
    calm.run(&["run", "job.yaml"]).says(0, &[]);
    let url = format!("az://{}/of/kept", Azurite::CONTAINER);
    let folder =
        Folder::of_job(&job(&format!("checkpoint: {{ every: 50ms, base-every: 2, store: \"{url}\" }}\n"), ", rate: 3000"));
    let mut killed = start(&folder, &azurite);
    wait_for_more(&folder);
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    let replaced = start(&folder, &azurite);
    wait_for_more(&folder);
    let last = Ended::of(command(&folder, &azurite).output().expect("the program starts"));
    let replaced = Ended::of(replaced.wait_with_output().expect("it ends"));
    last.says(0, &["note: going on from checkpoint ", &format!(" in {url}")]);
    let text = format!("{url}: another process has taken it over (this one was owner 2, now owner 3 writes)");
    replaced.says(1, &["error[checkpoint-fenced]: ", &text]);
    assert_eq!(folder.read("out.ndjson"), calm.read("out.ndjson"));
}
