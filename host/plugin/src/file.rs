//! A plugin's file: reads it and tells what it is; makes a component of a core module.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{Code, PluginError};

/// The largest plugin that is read, in bytes.
pub const MOST_BYTES: u64 = 16 << 20;

/// A component's bytes, or those of a core module that can be made one.
#[derive(Debug, Clone)]
pub struct ComponentFile {
    /// SHA-256 of the file as it was read, in hexadecimal: the plugin's identity.
    pub digest: String,
    /// The file, as it was read.
    pub bytes: Vec<u8>,
    /// It holds a core module with component metadata.
    pub is_core_module: bool,
}

impl ComponentFile {
    /// The component: the file, or what is made of a core module.
    ///
    /// The parser goes down as deep as types nest, which a small file can make deeper than a stack: to be called in a process that may
    /// die of it, or of a file that has been compiled, or that was built here.
    ///
    /// # Errors
    /// Where no component can be made of the core module.
    pub fn component(&self, name: &str) -> Result<Cow<'_, [u8]>, PluginError> {
        if !self.is_core_module {
            return Ok(Cow::Borrowed(&self.bytes));
        }
        encode(&self.bytes).map(Cow::Owned).map_err(|error| no_component(name, &error))
    }
}

/// Reads a plugin.
///
/// # Errors
/// Where the file can't be read, is too long, or is neither a component nor a core module with component metadata.
pub fn read(path: &Path) -> Result<ComponentFile, PluginError> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        match error.kind() {
        std::io::ErrorKind::NotFound => PluginError::new(Code::Unreadable, format!("plugin {shown}: there is no such file"))
            .with_hint("check the path, which is relative to the job file; `wasmill plugin build` makes the file from a plugin's directory"),
        _ => PluginError::new(Code::Unreadable, format!("plugin {shown}: cannot be read: {error}")),
    }
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(PluginError::new(Code::Unreadable, format!("plugin {shown}: is a directory, expected a .wasm file")));
    }
    if metadata.len() > MOST_BYTES {
        return Err(PluginError::new(
            Code::TooBig,
            format!("plugin {shown}: has {} bytes, at most {MOST_BYTES} are taken", metadata.len()),
        ));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes)).map_err(unreadable)?;
    from_bytes(&shown.to_string(), &bytes)
}

/// The same from bytes; `name` is for messages.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<ComponentFile, PluginError> {
    let digest = hex(&Sha256::digest(bytes));
    let refused = |found: &str| {
        Err(PluginError::new(Code::NotAComponent, format!("plugin {name}: is {found}, expected a WebAssembly component"))
            .with_hint("build it with `wasmill plugin build`, or give the .wasm file that your toolchain made"))
    };
    match bytes {
        [] => refused("an empty file"),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(ComponentFile { digest, bytes: bytes.to_vec(), is_core_module: false }),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            check_core_module(name, bytes)?;
            Ok(ComponentFile { digest, bytes: bytes.to_vec(), is_core_module: true })
        }
        [0, b'a', b's', b'm', ..] => refused("WebAssembly of an unknown version"),
        [0x7f, b'E', b'L', b'F', ..] => refused("native or precompiled code, which is never taken from outside"),
        [0x1f, 0x8b, ..] => refused("a gzip archive"),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => refused("a zip archive"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => refused("a zstd archive"),
        text if std::str::from_utf8(text).is_ok() => refused("text"),
        _ => refused("not WebAssembly"),
    }
}

fn check_core_module(name: &str, bytes: &[u8]) -> Result<(), PluginError> {
    crate::preflight::check(name, bytes)?;
    if !crate::preflight::has_component_metadata(bytes) {
        return Err(PluginError::new(
            Code::NotAComponent,
            format!("plugin {name}: is a core module without component metadata, expected a component"),
        )
        .with_hint("a Rust plugin needs `wasmill_sdk::export!(YourOperator)` and crate-type = [\"cdylib\"]"));
    }
    Ok(())
}

/// Makes a component of a core module with component metadata; why that can't be done, in the encoder's words.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let encoded =
        wit_component::ComponentEncoder::default().validate(true).module(module).and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| format!("{error:#}"))
}

/// A core module of which no component can be made.
pub(crate) fn no_component(name: &str, why: &str) -> PluginError {
    PluginError::new(Code::NotAComponent, format!("plugin {name}: the core module can't be made a component: {why}")).with_hint(
        "its imports and exports must be those of the contract; imports of `env` or `wasi_snapshot_preview1` are not given",
    )
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        from_bytes("p.wasm", bytes).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_no_component_is_named() {
        assert_eq!(refusal(b""), "plugin p.wasm: is an empty file, expected a WebAssembly component");
        assert_eq!(refusal(b"(module)"), "plugin p.wasm: is text, expected a WebAssembly component");
        assert_eq!(refusal(b"PK\x03\x04"), "plugin p.wasm: is a zip archive, expected a WebAssembly component");
        assert_eq!(refusal(&[0x1f, 0x8b, 8]), "plugin p.wasm: is a gzip archive, expected a WebAssembly component");
        assert_eq!(
            refusal(b"\x7fELF\x02"),
            "plugin p.wasm: is native or precompiled code, which is never taken from outside, expected a WebAssembly component"
        );
        assert_eq!(refusal(&[0xff, 0xfe]), "plugin p.wasm: is not WebAssembly, expected a WebAssembly component");
        assert_eq!(
            refusal(b"\0asm\x09\0\0\0"),
            "plugin p.wasm: is WebAssembly of an unknown version, expected a WebAssembly component"
        );
    }

    #[test]
    fn a_core_module_without_metadata_is_refused() {
        assert_eq!(
            refusal(b"\0asm\x01\0\0\0"),
            "plugin p.wasm: is a core module without component metadata, expected a component"
        );
    }

    #[test]
    fn a_missing_file_and_a_directory_are_named() {
        let directory = std::env::temp_dir();
        let error = read(&directory).expect_err("a directory");
        assert_eq!(error.to_string(), format!("plugin {}: is a directory, expected a .wasm file", directory.display()));
        let error = read(&directory.join("no-such-plugin.wasm")).expect_err("nothing there");
        assert!(error.to_string().ends_with("no-such-plugin.wasm: there is no such file"), "{error}");
    }
}
