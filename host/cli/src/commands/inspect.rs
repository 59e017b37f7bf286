//! `wasmill plugin inspect`: what a plugin's file is, what it imports and exports, and whether it fits the contract.

use std::path::Path;

use serde::Serialize;
use wasmill_plugin::{PluginError, file, preflight};
use wasmill_runtime::JobError;
use wit_component::{DecodedWasm, decode};

use crate::arguments::Format;
use crate::exit::Exit;
use crate::plugin_directory;
use crate::{report, sandbox};

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Inspection {
    file: String,
    kind: &'static str,
    digest: String,
    bytes: usize,
    /// The world of the contract that it fits; none where it fits none.
    world: Option<&'static str>,
    imports: Vec<String>,
    exports: Vec<String>,
    /// Why it fits no world.
    problem: Option<Misfit>,
}

#[derive(Debug, Serialize)]
struct Misfit {
    code: &'static str,
    message: String,
    hint: Option<String>,
}

/// Inspects a plugin; one that isn't fit to run is printed all the same, and ends with exit code 2.
pub fn inspect(path: &Path, format: Format) -> Exit {
    let inspection = match inspected(path) {
        Ok(inspection) => inspection,
        Err(error) => {
            report::error(&error);
            return Exit::Wrong;
        }
    };
    let printed = report::result(&match format {
        Format::Text => as_text(&inspection),
        Format::Json => format!("{}\n", serde_json::to_string(&inspection).unwrap_or_default()),
    });
    match &inspection.problem {
        Some(Misfit { code, message, hint }) => {
            report::error(&JobError { hint: hint.clone(), ..JobError::new(code, message) });
            Exit::Wrong
        }
        None => printed,
    }
}

fn inspected(path: &Path) -> Result<Inspection, JobError> {
    let file_path = plugin_directory::prepare(false)(path).map_err(report::of_plugin)?;
    let read = file::read(&file_path).map_err(report::of_plugin_error)?;
    let name = file_path.display().to_string();
    preflight::check(&name, &read.component).map_err(report::of_plugin_error)?;
    let (imports, exports) = interfaces(&read.component);
    let problem = sandbox::start().and_then(|sandbox| sandbox.load(&file_path)).err();
    Ok(Inspection {
        file: name,
        kind: if read.was_core_module { "core module with component metadata" } else { "component" },
        digest: format!("sha256:{}", read.digest),
        bytes: read.component.len(),
        world: problem.is_none().then_some("wasmill:plugin/stream-operator@0.1.0"),
        imports,
        exports,
        problem: problem.map(|PluginError { code, message, hint }| Misfit { code: code.name(), message, hint }),
    })
}

/// What a component imports and exports, by name. A component that can't be decoded has neither: its problem says why.
fn interfaces(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let Ok(DecodedWasm::Component(resolve, world)) = decode(component) else { return (Vec::new(), Vec::new()) };
    let world = &resolve.worlds[world];
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    let exports = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    (imports, exports)
}

fn as_text(inspection: &Inspection) -> String {
    let Inspection { file, kind, digest, bytes, world, imports, exports, problem: _ } = inspection;
    let mut text = format!("{file}\n  kind: {kind}\n  digest: {digest}\n  bytes: {bytes}\n");
    text.push_str(&format!("  world: {}\n", world.unwrap_or("none of the contract")));
    for (title, names) in [("imports", imports), ("exports", exports)] {
        text.push_str(&format!("  {title}:{}\n", if names.is_empty() { " none" } else { "" }));
        names.iter().for_each(|name| text.push_str(&format!("    {name}\n")));
    }
    text
}
