//! The side of the process that wants something compiled: starts the compiler's process, and says in words how it ended.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;

use super::Failure;
use super::confined::{COMPILED, NO_COMPONENT, REFUSED, UNCONFINED};

/// SIGKILL: the hard limit of CPU time, or the kernel out of memory.
const SIGKILL: i32 = 9;
/// SIGXCPU: the limit of CPU time.
const SIGXCPU: i32 = 24;
/// SIGABRT and SIGSEGV: how allocators end where there is no more memory.
const NO_MEMORY: [i32; 2] = [6, 11];

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
        let unavailable = |error: std::io::Error| Failure::Unavailable(format!("{}: {error}", self.program.display()));
        let child = self.command().spawn().map_err(unavailable)?;
        let output = feed(child, file).map_err(unavailable)?;
        self.outcome(output)
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

    fn outcome(&self, output: Output) -> Result<Vec<u8>, Failure> {
        let mut answer = output.stdout;
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match answer.first() {
            Some(&COMPILED) if output.status.success() => {
                answer.remove(0);
                Ok(answer)
            }
            Some(&NO_COMPONENT) => Err(Failure::NoComponent(words(&answer[1..]))),
            Some(&REFUSED) => Err(Failure::Refused(words(&answer[1..]))),
            Some(&UNCONFINED) => Err(Failure::Unavailable(words(&answer[1..]))),
            _ => Err(self.ended(output.status, &words(&output.stderr))),
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

/// Hands the file over while the answer is read, so that neither side waits for the other.
fn feed(mut child: Child, file: &[u8]) -> std::io::Result<Output> {
    let Some(mut input) = child.stdin.take() else { return child.wait_with_output() };
    thread::scope(|scope| {
        // A compiler that ends early reads no more: how it ended says why.
        scope.spawn(move || drop(input.write_all(file)));
        child.wait_with_output()
    })
}
