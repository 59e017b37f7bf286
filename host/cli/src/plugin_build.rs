//! Builds a plugin: its crate for WebAssembly by Cargo, and a component of that.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use wasmill_job::catalog::PluginProblem;
use wasmill_plugin::{PluginError, file};

use crate::plugin_directory::{PluginDirectory, problem};
use crate::signals::Stop;
use crate::wasm_target::{self, TARGET, Toolchain};

/// How often Cargo is looked at while it builds.
const PAUSE: Duration = Duration::from_millis(20);

/// Builds a plugin's directory and returns the file that it leaves. May install a Wasm target. Takes seconds, the first time minutes.
///
/// # Errors
/// Where there is no toolchain for it, the crate doesn't compile, what it makes is no component, or the program is asked to stop.
pub fn build(directory: &PluginDirectory, stop: &Stop) -> Result<PathBuf, PluginProblem> {
    let path = &directory.path;
    if !directory.has_sources() {
        let hint = "name the directory of a crate; this version builds plugins in Rust".to_owned();
        return Err(PluginProblem { hint: Some(hint), ..problem("plugin-unreadable", path, "has no Cargo.toml") });
    }
    let toolchain = wasm_target::find(path).map_err(|missing| PluginProblem {
        hint: Some(missing.hint()),
        ..problem("no-wasm-target", path, format!("can't be built: {missing}"))
    })?;
    let module = compile(path, &toolchain, stop)?;
    let refused = |error: PluginError| PluginProblem { code: error.code.name(), message: error.message, hint: error.hint };
    let made = file::read(&module).map_err(refused)?;
    let component = made.component(&module.display().to_string()).map_err(refused)?;
    let dist = directory.dist();
    write_whole(&dist, &component)
        .map_err(|error| problem("plugin-unwritable", path, format!("{} can't be written: {error}", dist.display())))?;
    Ok(dist)
}

/// Runs Cargo; the core module that it makes.
fn compile(path: &Path, toolchain: &Toolchain, stop: &Stop) -> Result<PathBuf, PluginProblem> {
    let mut cargo = Command::new(&toolchain.cargo);
    cargo
        .current_dir(path)
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .args(&toolchain.arguments)
        .envs(toolchain.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let cannot =
        |error: io::Error| problem("plugin-build-failed", path, format!("{} can't be run: {error}", toolchain.cargo.display()));
    let mut child = cargo.spawn().map_err(cannot)?;
    let out = child.stdout.take();
    let messages = thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is still what Cargo said.
        let _ = out.map(|mut out| out.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let Some(status) = ended(&mut child, stop).map_err(cannot)? else {
        return Err(problem("plugin-build-failed", path, "isn't built: the program was asked to stop"));
    };
    if !status.success() {
        let hint = format!("the messages of Cargo above say why; it was run with {}", toolchain.description);
        let failed = problem("plugin-build-failed", path, format!("doesn't build: Cargo ended with {status}"));
        return Err(PluginProblem { hint: Some(hint), ..failed });
    }
    let messages = messages.join().unwrap_or_default();
    let manifest = path.canonicalize().map(|path| path.join("Cargo.toml")).map_err(cannot)?;
    artifact(&messages, &manifest).ok_or_else(|| {
        let hint = "the package's Cargo.toml needs:  [lib]  crate-type = [\"cdylib\"]".to_owned();
        PluginProblem { hint: Some(hint), ..problem("plugin-build-failed", path, "makes no .wasm file") }
    })
}

/// Waits for Cargo; none where it was ended, as the program is asked to stop.
fn ended(child: &mut Child, stop: &Stop) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if stop.is_asked() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// One message of Cargo, of which only artifacts matter.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The .wasm file that Cargo says it made of the package with this manifest.
fn artifact(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let ours = messages.filter(|message| message.reason == "compiler-artifact" && message.manifest_path == manifest);
    ours.flat_map(|message| message.filenames).rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

/// Writes a file beside and renames it, so that no one sees half of it.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let aside = path.with_extension(format!("wasm.{}.partial", std::process::id()));
    let written = fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_one_that_cargo_says_it_made_of_this_package() {
        let messages = r#"
{"reason":"compiler-artifact","manifest_path":"/sdk/Cargo.toml","filenames":["/t/libsdk.rlib"]}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/p.wasm","/t/p.d"]}
{"reason":"build-finished","success":true}
not JSON
"#;
        assert_eq!(artifact(messages, Path::new("/p/Cargo.toml")), Some("/t/p.wasm".into()));
        assert_eq!(artifact(messages, Path::new("/sdk/Cargo.toml")), None);
    }
}
