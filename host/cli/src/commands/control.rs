//! `wasmill status`, `stop` and `savepoint`: what is asked of a running job.

use chrono::Utc;
use serde_json::{Value, json};
use wasmill_runtime::JobError;

use crate::arguments::Format;
use crate::control::client::{Failure, ask, running};
use crate::control::message::{Answer, Request};
use crate::exit::Exit;
use crate::report;

/// Prints how a running job is, or all of them.
pub fn status(job: Option<&str>, format: Format) -> Exit {
    let jobs = job.map_or_else(running, |job| vec![job.to_owned()]);
    let mut found = Vec::new();
    for name in jobs {
        match ask(&name, &Request::Status, false) {
            Ok(Answer::Status(status)) => found.push(status),
            Ok(_) => return unexpected(&name),
            // One that ended just now is no fault where none was named.
            Err(_) if job.is_none() => {}
            Err(failure) => return failed(failure),
        }
    }
    let text = match (format, job) {
        (Format::Json, Some(_)) => found.iter().map(|status| format!("{status}\n")).collect(),
        (Format::Json, None) => format!("{}\n", Value::Array(found)),
        (Format::Text, _) if found.is_empty() => "no job runs\n".to_owned(),
        (Format::Text, _) => found.iter().map(shown).collect(),
    };
    report::result(&text)
}

/// Stops a running job cleanly, with a savepoint before where a label is given; returns when it has ended.
pub fn stop(job: &str, savepoint: Option<&str>, format: Format) -> Exit {
    let mut result = json!({ "job": job, "stopped": true });
    if let Some(label) = savepoint {
        match taken(job, label) {
            Ok(epoch) => result["savepoint"] = json!({ "label": label, "epoch": epoch }),
            Err(exit) => return exit,
        }
    }
    match ask(job, &Request::Stop, true) {
        Ok(Answer::Stopping) => {}
        Ok(_) => return unexpected(job),
        Err(failure) => return failed(failure),
    }
    report::result(&match format {
        Format::Json => format!("{result}\n"),
        Format::Text => format!("job `{job}` has stopped\n"),
    })
}

/// Takes a savepoint of a running job.
pub fn savepoint(job: &str, label: Option<&str>, format: Format) -> Exit {
    let label = label.map_or_else(|| Utc::now().format("savepoint-%Y%m%d-%H%M%S").to_string(), str::to_owned);
    match taken(job, &label) {
        Err(exit) => exit,
        Ok(epoch) => report::result(&match format {
            Format::Json => format!("{}\n", json!({ "job": job, "label": label, "epoch": epoch })),
            Format::Text => {
                format!("savepoint `{label}` of job `{job}`: epoch {epoch}; go on from it with `run --from {label}`\n")
            }
        }),
    }
}

fn taken(job: &str, label: &str) -> Result<u64, Exit> {
    match ask(job, &Request::Savepoint { label: label.to_owned() }, false) {
        Ok(Answer::Savepoint { epoch, .. }) => Ok(epoch),
        Ok(_) => Err(unexpected(job)),
        Err(failure) => Err(failed(failure)),
    }
}

/// A status for people.
fn shown(status: &Value) -> String {
    let number = |path: &str| status.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let mut text = format!(
        "{}: {}, {} rows in, {} out, {} dead letters, {:.0} s\n",
        status["job"].as_str().unwrap_or("?"),
        status["outcome"].as_str().unwrap_or("?"),
        number("/rows_in"),
        number("/rows_out"),
        number("/dead_letters"),
        status["wall_seconds"].as_f64().unwrap_or(0.0),
    );
    let checkpoints = match status.pointer("/checkpoints/last").and_then(Value::as_u64) {
        None => "  no checkpoint yet".to_owned(),
        Some(last) => format!("  {} checkpoints, the last is {last}", number("/checkpoints/completed")),
    };
    text.push_str(&format!("{checkpoints}; started again {} times\n", number("/restarts")));
    for (name, operator) in status["operators"].as_object().into_iter().flatten() {
        text.push_str(&format!(
            "  {name}: {} rows, {} keys, watermark {}\n",
            operator["rows_in"],
            operator["state_keys"],
            operator["watermark"].as_str().unwrap_or("none")
        ));
    }
    text
}

fn failed(failure: Failure) -> Exit {
    match failure {
        Failure::Ours(error) => report::error(&error),
        Failure::Theirs(refusal) => report::refusal(&refusal),
    }
    Exit::Failed
}

fn unexpected(job: &str) -> Exit {
    report::error(&JobError::new("control-broken", format!("job `{job}`: it answered something else than was asked")));
    Exit::Failed
}
