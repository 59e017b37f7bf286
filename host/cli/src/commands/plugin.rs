//! `wasmill plugin new` and `wasmill plugin build`: a plugin's directory from nothing, and its file from that.

use std::path::Path;
use std::time::Instant;

use wasmill_runtime::JobError;

use crate::exit::Exit;
use crate::later::not_in_this_version;
use crate::plugin_directory::PluginDirectory;
use crate::signals::Stop;
use crate::{plugin_build, plugin_project, report, sandbox};

/// Makes a plugin's project in the current directory, and says what to do with it.
pub fn new(name: &str, language: &str, sdk: Option<&Path>) -> Exit {
    if language != "rust" {
        return not_in_this_version(&format!("`plugin new --language {language}`"), Some("this version has `--language rust`"));
    }
    match plugin_project::make(Path::new("."), name, sdk) {
        Ok(_) => report::result(&format!(
            "{name}: an operator in Rust\n  cd {name}\n  wasmill plugin test    # its cases, in the sandbox and natively\n  \
             wasmill run job.yaml   # builds it; writes out/spikes.ndjson\n"
        )),
        Err(problem) => {
            let exit = if problem.code == "plugin-unwritable" { Exit::Failed } else { Exit::Wrong };
            report::error(&report::of_plugin(problem));
            exit
        }
    }
}

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
    let directory = PluginDirectory::checked(path).map_err(report::of_plugin)?;
    let file = plugin_build::build(&directory, &Stop::never()).map_err(report::of_plugin)?;
    let checked = sandbox::start().and_then(|sandbox| sandbox.load(&file)).map_err(report::of_plugin_error)?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let size = checked.bytes as f64 / 1024.0;
    let seconds = began.elapsed().as_secs_f64();
    Ok(format!("{}: {size:.1} KiB, sha256:{}, built in {seconds:.1} s\n", file.display(), checked.digest))
}
