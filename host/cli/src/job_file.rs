//! From the path of a job file to a job: reads it, has it validated, and says what is wrong with it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use wasmill_job::graph::{Job, SinkConnector};
use wasmill_job::problem::{Severity, Words};
use wasmill_job::{Catalog, Problem, load};

use crate::arguments::{JobArgs, cores};
use crate::report;

/// More of a file than the job crate takes, so that it is the one to refuse a longer one.
const MOST_BYTES: u64 = 2 << 20;

/// What became of a job file.
pub struct Loaded {
    /// Its text; empty where it can't be read.
    pub text: String,
    /// The job; none where it is invalid.
    pub job: Option<Job>,
    /// Everything that is wrong or looks so.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Prints all problems.
    pub fn print_problems(&self) {
        for problem in &self.problems {
            report::problem(problem, &self.text);
        }
    }
}

/// Reads and validates a job file, with what the command line sets.
pub fn open(args: &JobArgs, catalog: &dyn Catalog) -> Loaded {
    let name = args.job.display().to_string();
    let (text, path) = match read(&args.job).and_then(|text| Ok((text, absolute(&args.job)?))) {
        Ok(read) => read,
        Err(what) => {
            return Loaded { text: String::new(), job: None, problems: vec![unreadable(&name, what)] };
        }
    };
    let directory = path.parent().unwrap_or(Path::new("/"));
    let environment = |name: &str| std::env::var(name).ok();
    match load(&text, &name, directory, &args.set, args.parallelism, cores(), &environment, catalog) {
        Ok((job, mut problems)) => match overwritten(&job, &path) {
            Some(sink) => {
                problems.push(Problem { file: name, ..overwrites(sink) });
                Loaded { text, job: None, problems }
            }
            None => Loaded { text, job: Some(job), problems },
        },
        Err(problems) => Loaded { text, job: None, problems },
    }
}

/// Why a file can't be read, and what to do.
struct Unreadable {
    code: &'static str,
    found: String,
    advice: Option<String>,
}

fn read(path: &Path) -> Result<String, Unreadable> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unreadable {
            code: "job-file-missing",
            found: "there is no such file".to_owned(),
            advice: Some("check the path; it is relative to the working directory".to_owned()),
        },
        _ => Unreadable { code: "job-file-unreadable", found: format!("it can't be read: {error}"), advice: None },
    };
    let file = File::open(path).map_err(refused)?;
    if file.metadata().map_err(refused)?.is_dir() {
        return Err(Unreadable {
            code: "job-file-unreadable",
            found: "it is a directory".to_owned(),
            advice: Some(format!("name the file in it, as {}", path.join("job.yaml").display())),
        });
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(refused)?;
    // A text that is cut off within a character is too long, not broken.
    if bytes.len() as u64 == MOST_BYTES {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Unreadable {
            code: "job-file-unreadable",
            found: format!("it isn't UTF-8: byte 0x{:02x} at {at}, in line {line}", error.as_bytes()[at]),
            advice: Some("save it as UTF-8".to_owned()),
        }
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Unreadable> {
    std::path::absolute(path).map_err(|error| Unreadable {
        code: "job-file-unreadable",
        found: format!("the working directory is not known: {error}"),
        advice: None,
    })
}

fn unreadable(file: &str, what: Unreadable) -> Problem {
    Problem {
        code: what.code,
        severity: Severity::Error,
        file: file.to_owned(),
        line: None,
        column: None,
        path: String::new(),
        found: Some(Words::Sentence(what.found)),
        expected: "a job file".to_owned(),
        suggestion: what.advice.map(Words::Phrase),
    }
}

/// The path in the job of a sink that would write over the job file.
fn overwritten(job: &Job, file: &Path) -> Option<String> {
    let writes = |connector: &SinkConnector| matches!(connector, SinkConnector::File { path, .. } if path == file);
    let sink = job.sinks.iter().find(|sink| writes(&sink.connector)).map(|sink| format!("sinks.{}.path", sink.name));
    let letters = job.dead_letters.as_ref().filter(|letters| writes(&letters.connector));
    sink.or_else(|| letters.map(|_| "dead-letters.path".to_owned()))
}

fn overwrites(sink: String) -> Problem {
    Problem {
        code: wasmill_job::problem::code::SAME_FILE,
        severity: Severity::Error,
        file: String::new(),
        line: None,
        column: None,
        path: sink,
        found: Some(Words::Phrase("the job file".to_owned())),
        expected: "a file of its own".to_owned(),
        suggestion: None,
    }
}
