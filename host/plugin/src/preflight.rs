//! What is looked at before anything is compiled: parsers and compilers have ceilings far above what a plugin needs, and below them
//! a small file can cost minutes and gigabytes.

use wasmparser::{Parser, Payload};

use crate::error::{Code, PluginError};

/// Functions of all modules in a component.
const FUNCTIONS: u32 = 20_000;
/// Bytes of one function's body.
const FUNCTION_BYTES: usize = 256 << 10;
/// Modules and components, nested ones included.
const MODULES: u32 = 32;
/// Levels of nesting.
const DEPTH: usize = 8;
/// Types of all modules and components.
const TYPES: u32 = 5_000;
/// Imports and exports of all modules and components.
const NAMES: u32 = 2_000;

/// Refuses a module or component that is too intricate, or cut off.
///
/// # Errors
/// What there is too much of, and how much is taken; or where the file is broken.
pub fn check(name: &str, bytes: &[u8]) -> Result<(), PluginError> {
    let mut totals = Totals::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| {
            PluginError::new(
                Code::Invalid,
                format!("plugin {name}: is broken WebAssembly: {} (at byte {})", error.message(), error.offset()),
            )
            .with_hint("the file may be cut off or damaged: build or copy it again")
        })?;
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CodeSectionEntry(body) => {
                totals.functions += 1;
                totals.longest = totals.longest.max(body.range().len());
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => totals.modules += 1,
            Payload::TypeSection(section) => totals.types = totals.types.saturating_add(section.count()),
            Payload::CoreTypeSection(section) => totals.types = totals.types.saturating_add(section.count()),
            Payload::ComponentTypeSection(section) => totals.types = totals.types.saturating_add(section.count()),
            Payload::ImportSection(section) => totals.names = totals.names.saturating_add(section.count()),
            Payload::ExportSection(section) => totals.names = totals.names.saturating_add(section.count()),
            Payload::ComponentImportSection(section) => totals.names = totals.names.saturating_add(section.count()),
            Payload::ComponentExportSection(section) => totals.names = totals.names.saturating_add(section.count()),
            _ => {}
        }
        let too_much = totals
            .too_much()
            .or_else(|| (depth > DEPTH).then(|| format!("modules nested {depth} deep, at most {DEPTH} are taken")));
        if let Some(what) = too_much {
            return Err(PluginError::new(Code::TooBig, format!("plugin {name}: has {what}")));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Totals {
    functions: u32,
    longest: usize,
    modules: u32,
    types: u32,
    names: u32,
}

impl Totals {
    fn too_much(&self) -> Option<String> {
        let over = |count: u32, most: u32, what: &str| (count > most).then(|| format!("more than {most} {what}"));
        over(self.functions, FUNCTIONS, "functions")
            .or_else(|| (self.longest > FUNCTION_BYTES).then(|| format!("a function of more than {FUNCTION_BYTES} bytes")))
            .or_else(|| over(self.modules, MODULES, "modules"))
            .or_else(|| over(self.types, TYPES, "types"))
            .or_else(|| over(self.names, NAMES, "imports and exports"))
    }
}

/// Whether a core module carries the custom section that says which world it implements.
pub(crate) fn has_component_metadata(bytes: &[u8]) -> bool {
    Parser::new(0)
        .parse_all(bytes)
        .filter_map(Result::ok)
        .any(|payload| matches!(payload, Payload::CustomSection(section) if section.name().starts_with("component-type")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_cut_off_is_refused_at_its_byte() {
        let error = check("p.wasm", b"\0asm\x01\0\0\0\x01\x05").expect_err("cut off");
        assert!(error.message.starts_with("plugin p.wasm: is broken WebAssembly: "), "{error}");
        assert!(error.message.ends_with("(at byte 10)"), "{error}");
    }
}
