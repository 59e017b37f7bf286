//! The compiler's process: gives up what it doesn't need, and then compiles one component from standard input to standard output.
//!
//! The answer is a byte that says what follows, and the compiled code or a text.

use std::io::{self, Read as _, Write as _};

use rlimit::Resource;
use seccompiler::{SeccompAction, SeccompFilter, TargetArch};

use crate::{engine, file};

/// What follows is compiled code.
pub(super) const COMPILED: u8 = 0;
/// What follows is why the component was refused.
pub(super) const REFUSED: u8 = 1;
/// What follows is why the core module can't be made a component.
pub(super) const NO_COMPONENT: u8 = 3;
/// What follows is why this process could not be confined; nothing was compiled.
pub(super) const UNCONFINED: u8 = 2;

/// What a core module begins with: WebAssembly's mark and its version.
const CORE_MODULE: &[u8] = &[0, b'a', b's', b'm', 1, 0, 0, 0];

/// What a compiler asks of the kernel: memory, its pipes, an end. Anything else fails there with "operation not permitted".
const CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Compiles, confined to `cpu_seconds` of CPU time and `memory_bytes` of address space; the exit code of the process.
///
/// To be called first in a process: before it has other threads, files or secrets.
#[must_use]
pub fn main(cpu_seconds: u64, memory_bytes: u64) -> i32 {
    let (kind, answer) = match compile(cpu_seconds, memory_bytes) {
        Ok(code) => (COMPILED, code),
        Err((kind, why)) => (kind, why.into_bytes()),
    };
    let mut out = io::stdout().lock();
    let written = out.write_all(&[kind]).and_then(|()| out.write_all(&answer)).and_then(|()| out.flush());
    i32::from(written.is_err())
}

fn compile(cpu_seconds: u64, memory_bytes: u64) -> Result<Vec<u8>, (u8, String)> {
    let unconfined = |why: String| (UNCONFINED, why);
    close_what_was_left_open();
    limit(cpu_seconds, memory_bytes).map_err(|error| unconfined(format!("no limits can be set: {error}")))?;
    let engine = engine::engine().map_err(|error| unconfined(format!("{error:#}")))?;
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component).map_err(|error| unconfined(format!("nothing to compile: {error}")))?;
    give_up_calls().map_err(|error| unconfined(format!("no filter of system calls can be set: {error}")))?;
    if component.starts_with(CORE_MODULE) {
        component = file::encode(&component).map_err(|why| (NO_COMPONENT, why))?;
    }
    engine.precompile_component(&component).map_err(|error| (REFUSED, format!("{error:#}")))
}

fn limit(cpu_seconds: u64, memory_bytes: u64) -> io::Result<()> {
    // A second later the kernel kills what ignores the first signal.
    Resource::CPU.set(cpu_seconds, cpu_seconds + 1)?;
    Resource::AS.set(memory_bytes, memory_bytes)?;
    Resource::CORE.set(0, 0)?;
    Resource::FSIZE.set(0, 0)
}

/// Closes all files but the three standard ones: a parent may have left some open that this process must not have.
fn close_what_was_left_open() {
    #[expect(unsafe_code, reason = "nothing in this process has opened a file yet, so none is closed that somebody still uses")]
    // A kernel without this call (before 5.9) keeps them: the filter lets nothing be opened either way.
    let _ = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
}

fn give_up_calls() -> Result<(), Box<dyn std::error::Error>> {
    let rules = CALLS.iter().map(|&call| (call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, TargetArch::try_from(std::env::consts::ARCH)?)?;
    let program: seccompiler::BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter_all_threads(&program)?)
}
