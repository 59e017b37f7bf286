//! The side of the process that wants something compiled: starts the compiler's process, and says in words how it ended.

use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Failure;
use super::confined::{COMPILED, NO_COMPONENT, REFUSED, UNCONFINED};

/// SIGKILL: the hard limit of CPU time, or the kernel out of memory.
const SIGKILL: i32 = 9;
/// SIGXCPU: the limit of CPU time.
const SIGXCPU: i32 = 24;
/// SIGABRT and SIGSEGV: how allocators end where there is no more memory.
const NO_MEMORY: [i32; 2] = [6, 11];

/// The longest that a compiler may take by the clock: far more than its CPU time, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most that is kept of what it says on standard error, in bytes.
const MOST_WORDS: u64 = 16 << 10;

/// How to start a compiler's process, and what it may take.
#[derive(Debug, Clone)]
pub struct CompilerProcess {
    /// A program that calls [`super::confined::main`] when it is run with these arguments and two more: the limits, in whole seconds and
    /// in bytes.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its environment, whole.
    pub environment: Vec<(OsString, OsString)>,
    /// The most CPU time, in seconds.
    pub cpu_seconds: u64,
    /// The most memory, in bytes of address space.
    pub memory_bytes: u64,
}

impl CompilerProcess {
    /// The limits that plugins get: 10 s and 1 GiB.
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<OsString>, environment: Vec<(OsString, OsString)>) -> Self {
        Self { program, arguments, environment, cpu_seconds: 10, memory_bytes: 1 << 30 }
    }

    pub(super) fn compile(&self, file: &[u8]) -> Result<Vec<u8>, Failure> {
        let unavailable = |error: io::Error| Failure::Unavailable(format!("{}: {error}", self.program.display()));
        let child = self.command().spawn().map_err(unavailable)?;
        let ended = feed(child, file, self.memory_bytes).map_err(unavailable)?;
        self.outcome(ended)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(self.cpu_seconds.to_string()).arg(self.memory_bytes.to_string());
        // Nothing of this process's: no secrets in the environment, no directory to stand in.
        command
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn outcome(&self, ended: Ended) -> Result<Vec<u8>, Failure> {
        let Ended { status, answer, words: said } = ended;
        let Some(mut answer) = answer else {
            return Err(Failure::Ended(format!("gave no answer within {} s", PATIENCE.as_secs())));
        };
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match answer.first() {
            Some(&COMPILED) if status.success() => {
                answer.remove(0);
                Ok(answer)
            }
            Some(&NO_COMPONENT) => Err(Failure::NoComponent(words(&answer[1..]))),
            Some(&REFUSED) => Err(Failure::Refused(words(&answer[1..]))),
            Some(&UNCONFINED) => Err(Failure::Unavailable(words(&answer[1..]))),
            _ => Err(self.ended(status, &words(&said))),
        }
    }

    /// Why a compiler ended that gave no answer.
    fn ended(&self, status: ExitStatus, said: &str) -> Failure {
        match status.signal() {
            Some(SIGXCPU | SIGKILL) => {
                Failure::TooMuch(format!("took more than {} s of CPU time, or was killed for its memory", self.cpu_seconds))
            }
            Some(signal) if NO_MEMORY.contains(&signal) => Failure::TooMuch(format!(
                "took more than {} MiB of memory, or made the compiler crash (signal {signal})",
                self.memory_bytes >> 20
            )),
            Some(signal) => Failure::Ended(format!("was ended by signal {signal}: {said}")),
            None => Failure::Ended(format!("ended with exit code {}: {said}", status.code().unwrap_or_default())),
        }
    }
}

/// How a compiler ended.
struct Ended {
    status: ExitStatus,
    /// What it answered; none where it was ended, as it took too long.
    answer: Option<Vec<u8>>,
    /// What it said on standard error.
    words: Vec<u8>,
}

/// Hands the file over while the answer is read, so that neither side waits for the other. No more than `most` bytes are taken: the
/// answer of a compiler that a plugin has got hold of is not to be trusted either.
fn feed(mut child: Child, file: &[u8], most: u64) -> io::Result<Ended> {
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        // A compiler that ends early reads no more: how it ended says why.
        scope.spawn(move || input.map(|mut input| input.write_all(file)));
        let words = scope.spawn(move || read(errors, MOST_WORDS));
        let (answered, answer) = mpsc::channel();
        scope.spawn(move || answered.send(read(output, most)));
        let answer = answer.recv_timeout(PATIENCE).ok();
        if answer.is_none() {
            child.kill()?;
        }
        let status = child.wait()?;
        Ok(Ended { status, answer, words: words.join().unwrap_or_default() })
    })
}

/// Reads a stream to its end, or so much of it.
fn read(stream: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is still what was said.
    let _ = stream.map(|stream| stream.take(most).read_to_end(&mut bytes));
    bytes
}
