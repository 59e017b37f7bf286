//! The process's sandbox for plugins, with compiled code kept in the user's cache directory.

use std::path::PathBuf;

use wasmill_plugin::cache::Cache;
use wasmill_plugin::{PluginError, Sandbox};

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
    Sandbox::start(cache)
}

/// `wasmill/compiled` in the user's cache directory; none where the environment doesn't say where that is.
fn directory() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("wasmill").join("compiled"))
}
