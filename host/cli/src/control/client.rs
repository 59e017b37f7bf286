//! A caller's end of a running job's socket.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use wasmill_runtime::JobError;

use super::message::{Answer, Refusal, Request};
use super::server::job_of;
use super::{folder, socket};

/// Asks a running job for something; with `to_the_end` returns when the job has ended.
///
/// # Errors
/// Where no such job runs, or it refuses.
pub fn ask(job: &str, request: &Request, to_the_end: bool) -> Result<Answer, Failure> {
    let path = socket(job);
    let broken =
        |error: io::Error| Failure::Ours(JobError::new("control-broken", format!("job `{job}`: {}: {error}", path.display())));
    let connected = UnixStream::connect(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::Ours(not_running(job)),
        _ => broken(error),
    })?;
    let mut text = serde_json::to_string(request).unwrap_or_default();
    text.push('\n');
    (&connected).write_all(text.as_bytes()).map_err(broken)?;
    let mut reader = BufReader::new(&connected);
    let mut line = String::new();
    reader.read_line(&mut line).map_err(broken)?;
    match serde_json::from_str(&line) {
        Ok(Answer::Refused(refusal)) => Err(Failure::Theirs(refusal)),
        Ok(answer) => {
            if to_the_end {
                // Nothing more comes but the end.
                let _ = reader.read_to_end(&mut Vec::new());
            }
            Ok(answer)
        }
        Err(error) => Err(broken(io::Error::other(format!("an answer that can't be read: {error}")))),
    }
}

/// The jobs of this user that run now.
#[must_use]
pub fn running() -> Vec<String> {
    let entries = fs::read_dir(folder()).into_iter().flatten().flatten();
    let mut jobs: Vec<String> =
        entries.filter(|entry| UnixStream::connect(entry.path()).is_ok()).filter_map(|entry| job_of(&entry.path())).collect();
    jobs.sort_unstable();
    jobs
}

/// Why a job didn't do it.
#[derive(Debug)]
pub enum Failure {
    /// It couldn't be asked.
    Ours(JobError),
    /// It says why.
    Theirs(Refusal),
}

fn not_running(job: &str) -> JobError {
    let running = running();
    let hint = match running.as_slice() {
        [] => "no job of this user runs on this machine; a job is found by the `name` in its file".to_owned(),
        jobs => format!("running: {}", jobs.join(", ")),
    };
    JobError::new("job-not-running", format!("no job `{job}` runs")).with_hint(hint)
}
