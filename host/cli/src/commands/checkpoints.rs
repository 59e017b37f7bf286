//! `wasmill checkpoints`: what a store holds, looked at while a job writes to it or not, and removed.

mod verify;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Runtime;
use wasmill_checkpoint::store::Entry;
use wasmill_checkpoint::{CheckpointError, Location, Manifest, StateObject, Store};
use wasmill_flow::Epoch;
use wasmill_runtime::JobError;

use crate::arguments::{CheckpointsCommand, Format};
use crate::exit::Exit;
use crate::report;

/// What `list --format json` prints.
#[derive(Debug, Serialize)]
struct Listed {
    store: String,
    checkpoints: Vec<Checkpoint>,
}

/// A checkpoint in a list. All but its id is null where its manifest can't be read, and `problem` says why.
#[derive(Debug, Serialize)]
struct Checkpoint {
    id: u64,
    /// The label of a savepoint.
    label: Option<String>,
    created: Option<String>,
    job: Option<String>,
    /// Whether the job had ended, or was stopped, with it.
    last: Option<bool>,
    /// State files, and their bytes.
    objects: Option<usize>,
    bytes: Option<u64>,
    problem: Option<String>,
}

/// What `show --format json` prints: the checkpoint as its manifest has it.
#[derive(Debug, Serialize)]
struct Shown {
    store: String,
    id: u64,
    label: Option<String>,
    created: Option<String>,
    job: String,
    last: bool,
    parallelism: u32,
    max_parallelism: u32,
    sources: Vec<Source>,
    operators: Vec<Operator>,
    sinks: Vec<Sink>,
}

#[derive(Debug, Serialize)]
struct Source {
    name: String,
    task: u32,
    position: Value,
}

#[derive(Debug, Serialize)]
struct Operator {
    name: String,
    plugin: Option<String>,
    watermark: Option<String>,
    objects: Vec<Object>,
}

#[derive(Debug, Serialize)]
struct Object {
    name: String,
    bytes: u64,
    sha256: String,
    first_group: u32,
    end_group: u32,
    /// It holds what changed since the file before it.
    delta: bool,
}

#[derive(Debug, Serialize)]
struct Sink {
    name: String,
    task: u32,
    prepared: Value,
}

/// What `delete --format json` prints.
#[derive(Debug, Serialize)]
struct Deleted {
    store: String,
    deleted: u64,
    label: Option<String>,
    objects: Vec<String>,
}

/// Does what is asked for.
pub fn checkpoints(command: &CheckpointsCommand) -> Exit {
    let text = runtime().and_then(|runtime| Ok(runtime.block_on(answer(command))?));
    match text {
        Ok((text, failure)) => match (report::result(&text), failure) {
            (Exit::Done, Some(error)) => {
                report::error(&error);
                Exit::Failed
            }
            (exit, _) => exit,
        },
        Err(error) => {
            report::error(&error);
            Exit::Failed
        }
    }
}

/// What asks a store.
pub(super) fn runtime() -> Result<Runtime, JobError> {
    let refused = |error: std::io::Error| JobError::new("system", format!("the system refuses threads: {error}"));
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)
}

/// A checkpoint by its epoch, or a savepoint by its label, and that.
pub(crate) async fn manifest(store: &Store, id: &str) -> Result<(Option<String>, Manifest), CheckpointError> {
    Ok(match id.parse() {
        Ok(epoch) => (None, store.show(Epoch(epoch)).await?),
        Err(_) => (Some(id.to_owned()), store.show_savepoint(id).await?),
    })
}

/// What is printed, and why the command fails all the same, where it does.
async fn answer(command: &CheckpointsCommand) -> Result<(String, Option<JobError>), CheckpointError> {
    let (store, format) = match command {
        CheckpointsCommand::List { store, format } => (store, format),
        CheckpointsCommand::Show { store, format, .. }
        | CheckpointsCommand::Delete { store, format, .. }
        | CheckpointsCommand::Verify { store, format, .. } => (store, format),
    };
    let location = Location::of(store);
    let opened = Store::look(&location).await?;
    let name = location.to_string();
    let text = match command {
        CheckpointsCommand::Verify { id, .. } => {
            let verified = verify::verify(&opened, name, id.as_deref()).await?;
            return Ok((print(*format, &verified, verify::Verified::as_text), verified.failure()));
        }
        CheckpointsCommand::List { .. } => {
            let checkpoints = opened.entries().await?.into_iter().chain(opened.kept().await?).map(listed).collect();
            let listed = Listed { store: name, checkpoints };
            print(*format, &listed, list_as_text)
        }
        CheckpointsCommand::Show { id, .. } => {
            let (label, manifest) = manifest(&opened, id).await?;
            print(*format, &shown(name, label, manifest), show_as_text)
        }
        CheckpointsCommand::Delete { id, .. } => {
            let (label, removed) = match id.parse() {
                Ok(epoch) => (None, opened.delete(&location, Epoch(epoch)).await?),
                Err(_) => (Some(id.clone()), opened.delete_savepoint(id).await?),
            };
            let epoch = removed.epochs.first().map_or(0, |epoch| epoch.0);
            let deleted = Deleted { store: name, deleted: epoch, label, objects: removed.objects };
            print(*format, &deleted, |deleted| {
                let what =
                    deleted.label.as_ref().map_or_else(|| format!("checkpoint {epoch}"), |label| format!("savepoint `{label}`"));
                format!("{what} deleted, with {} state files that no other needs\n", deleted.objects.len())
            })
        }
    };
    Ok((text, None))
}

fn print<T: Serialize>(format: Format, value: &T, as_text: impl Fn(&T) -> String) -> String {
    match format {
        Format::Text => as_text(value),
        #[expect(clippy::expect_used, reason = "names, numbers and JSON values: nothing that JSON can't say")]
        Format::Json => format!("{}\n", serde_json::to_string(value).expect("JSON")),
    }
}

fn listed(Entry { epoch, label, manifest }: Entry) -> Checkpoint {
    let empty =
        Checkpoint { id: epoch.0, label, created: None, job: None, last: None, objects: None, bytes: None, problem: None };
    match manifest {
        Err(error) => Checkpoint { problem: Some(error.to_string()), ..empty },
        Ok(manifest) => Checkpoint {
            created: time(manifest.created_ms),
            last: Some(manifest.last),
            objects: Some(manifest.files().count()),
            bytes: Some(manifest.files().map(|file| file.bytes).sum()),
            job: Some(manifest.job.name),
            ..empty
        },
    }
}

fn shown(store: String, label: Option<String>, manifest: Manifest) -> Shown {
    let Manifest { epoch, last, created_ms, job, sources, operators, sinks, watermarks, .. } = manifest;
    let operators = operators.into_iter().map(|(name, objects)| Operator {
        plugin: job.plugins.get(&name).cloned(),
        watermark: watermarks.get(&name).and_then(|watermark| moment(*watermark)),
        objects: objects.iter().flat_map(files).collect(),
        name,
    });
    Shown {
        store,
        id: epoch.0,
        label,
        created: time(created_ms),
        last,
        operators: operators.collect(),
        sources: sources.into_iter().map(|part| Source { name: part.source, task: part.task, position: part.position }).collect(),
        sinks: sinks.into_iter().map(|part| Sink { name: part.sink, task: part.task, prepared: part.prepared }).collect(),
        parallelism: job.parallelism,
        max_parallelism: job.key_groups,
        job: job.name,
    }
}

/// The files of some key groups.
fn files(chain: &StateObject) -> impl Iterator<Item = Object> {
    chain.files().enumerate().map(|(place, file)| Object {
        name: file.name.to_owned(),
        bytes: file.bytes,
        sha256: file.sha256.to_owned(),
        first_group: chain.first_group,
        end_group: chain.end_group,
        delta: place > 0,
    })
}

/// Milliseconds since 1970 as people read them; none for times that no calendar has.
fn time(ms: u64) -> Option<String> {
    i64::try_from(ms).ok().and_then(moment)
}

fn moment(ms: i64) -> Option<String> {
    Some(DateTime::<Utc>::from_timestamp_millis(ms)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn list_as_text(listed: &Listed) -> String {
    if listed.checkpoints.is_empty() {
        return format!("no checkpoints in {}\n", listed.store);
    }
    let mut lines = String::new();
    for checkpoint in &listed.checkpoints {
        let Checkpoint { id, label, created, job, last, objects, bytes, problem } = checkpoint;
        let id = label.as_ref().map_or_else(|| id.to_string(), |label| format!("{label} (epoch {id})"));
        lines += &match (job, objects, bytes) {
            (Some(job), Some(objects), Some(bytes)) => {
                let created = created.as_deref().unwrap_or("at an unknown time");
                let last = if *last == Some(true) { ", its last" } else { "" };
                format!("{id}  {created}  job {job}{last}, {objects} state files, {bytes} bytes\n")
            }
            _ => format!("{id}  can't be read: {}\n", problem.as_deref().unwrap_or_default()),
        };
    }
    lines
}

fn show_as_text(shown: &Shown) -> String {
    let created = shown.created.as_deref().unwrap_or("at an unknown time");
    let last = if shown.last { ", taken when it ended or was stopped" } else { "" };
    let what = shown.label.as_ref().map(|label| format!("savepoint `{label}`, ")).unwrap_or_default();
    let mut text = format!("{what}checkpoint {} of job {}, {created}{last}\n", shown.id, shown.job);
    text += &format!("parallelism {}, max-parallelism {}\n", shown.parallelism, shown.max_parallelism);
    for Source { name, task, position } in &shown.sources {
        text += &format!("source {name}, task {task}: {position}\n");
    }
    for Operator { name, plugin, watermark, objects } in &shown.operators {
        let plugin = plugin.as_ref().map(|digest| format!(", plugin {digest}")).unwrap_or_default();
        let watermark = watermark.as_ref().map(|time| format!(", watermark {time}")).unwrap_or_default();
        text += &format!("operator {name}{plugin}{watermark}\n");
        for Object { name, bytes, first_group, end_group, delta, .. } in objects {
            let what = if *delta { "what changed in " } else { "" };
            text += &format!("  {name}: {bytes} bytes, {what}key groups {first_group} to {}\n", end_group - 1);
        }
    }
    for Sink { name, task, prepared } in &shown.sinks {
        text += &format!("sink {name}, task {task}: {prepared}\n");
    }
    text
}
