//! The process's sandbox for plugins: compiled by this program in a process of its own, and kept in the user's cache directory.

use std::ffi::OsString;
use std::path::PathBuf;

use wasmill_plugin::cache::Cache;
use wasmill_plugin::compiler::confined;
use wasmill_plugin::{Compiler, CompilerProcess, PluginError, Sandbox};

/// The word that makes this program the compiler of one plugin. No command: it is looked for before the command line is read.
const COMPILE: &str = "--compile-one-plugin";

/// Starts the sandbox. Without a usable cache directory plugins are compiled in every process, and a warning says why.
///
/// # Errors
/// Where this machine can't run the engine.
pub fn start() -> Result<Sandbox, PluginError> {
    let cache = directory().and_then(|directory| match Cache::open(&directory) {
        Ok(cache) => Some(cache),
        Err(error) => {
            tracing::warn!(code = "plugin-cache", %error, directory = %directory.display(), "compiled plugins can't be kept; they are compiled each time");
            None
        }
    });
    Sandbox::start(cache, Compiler::Process(compiler()))
}

/// This very program as a compiler, even where its file has been replaced since it was started.
pub fn compiler() -> CompilerProcess {
    // The allocator reserves a gibibyte of addresses as it comes, which is all that a compiler may have. In KiB.
    let reserve = ("MIMALLOC_ARENA_RESERVE".into(), "32768".into());
    CompilerProcess::new("/proc/self/exe".into(), vec![COMPILE.into()], vec![reserve])
}

/// Where this process was started to compile a plugin: compiles it, and returns the exit code.
#[must_use]
pub fn compile(mut arguments: impl Iterator<Item = OsString>) -> Option<i32> {
    if arguments.nth(1)? != COMPILE {
        return None;
    }
    let mut number = || arguments.next()?.to_str()?.parse().ok();
    Some(confined::main(number()?, number()?))
}

/// `wasmill/compiled` in the user's cache directory; none where the environment doesn't say where that is.
fn directory() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("wasmill").join("compiled"))
}
