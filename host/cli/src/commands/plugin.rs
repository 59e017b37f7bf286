//! `wasmill plugin build`: a plugin's directory to its file.

use std::path::Path;
use std::time::Instant;

use wasmill_job::catalog::PluginProblem;
use wasmill_runtime::JobError;

use crate::exit::Exit;
use crate::plugin_directory::PluginDirectory;
use crate::{plugin_build, report, sandbox};

/// Builds a plugin, checks that it fits the contract, and says what came of it.
pub fn build(directory: &Path) -> Exit {
    match built(directory) {
        Ok(text) => report::result(&text),
        Err(error) => {
            report::error(&error);
            if error.code == "plugin-unreadable" { Exit::Wrong } else { Exit::Failed }
        }
    }
}

fn built(path: &Path) -> Result<String, JobError> {
    let began = Instant::now();
    if !path.is_dir() {
        let found = if path.exists() { "is a file" } else { "isn't there" };
        let message = format!("plugin {}: {found}, expected a plugin's directory", path.display());
        return Err(report::of_plugin(PluginProblem { code: "plugin-unreadable", message, hint: None }));
    }
    let directory = PluginDirectory::of(path).map_err(report::of_plugin)?;
    let file = plugin_build::build(&directory).map_err(report::of_plugin)?;
    let checked = sandbox::start().and_then(|sandbox| sandbox.load(&file)).map_err(report::of_plugin_error)?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let size = checked.bytes as f64 / 1024.0;
    let seconds = began.elapsed().as_secs_f64();
    Ok(format!("{}: {size:.1} KiB, sha256:{}, built in {seconds:.1} s\n", file.display(), checked.digest))
}
