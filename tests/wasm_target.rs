//! `plugin build` on machines that have no Wasm target for the Rust on the PATH.

mod program;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use program::{Ended, Folder, from_root};

const HINT: &str = "with rustup: `rustup target add wasm32-unknown-unknown`; on Debian, as root: `apt-get install rustc-web cargo-web \
                    rust-web-src rust-web-llvm`, and the linker that /usr/bin/rust-lld is a link to, as lld-22; then build again";

/// A folder of programs in place of Rust's that all fail.
fn no_rust(folder: &Folder) -> PathBuf {
    for name in ["cargo", "rustc", "rustup"] {
        folder.write(&format!("programs/{name}"), "#!/bin/sh\necho no such thing here >&2\nexit 1\n");
        fs::set_permissions(folder.path(&format!("programs/{name}")), fs::Permissions::from_mode(0o755))
            .expect("made executable");
    }
    folder.path("programs")
}

/// The plugin `keyed-count` as a crate of its own.
fn crate_of_its_own(folder: &Folder) {
    let plugin = from_root("plugins/keyed-count");
    let sdk = from_root("sdk/rust");
    folder.write(
        "count/Cargo.toml",
        format!(
            "[package]\nname = \"count\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\n\
             wasmill-sdk = {{ path = \"{}\" }}\n\n[workspace]\n\n[profile.release]\nopt-level = \"s\"\nlto = true\npanic = \"abort\"\n",
            sdk.display()
        ),
    );
    folder.write("count/src/lib.rs", fs::read(plugin.join("src/lib.rs")).expect("the plugin's source"));
}

fn build(folder: &Folder, path: &str) -> Ended {
    let mut command = folder.command(&["plugin", "build", "count"]);
    // What Debian's Cargo builds is kept from run to run: it makes a core library.
    command.env("PATH", path).env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian"));
    Ended::of(command.output().expect("the program starts"))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("a process").uid() == 0
}

#[test]
fn without_a_target_debians_packages_build_the_plugin_or_the_error_says_what_to_do() {
    let folder = Folder::new();
    crate_of_its_own(&folder);
    let path = format!("{}:/usr/bin:/bin", no_rust(&folder).display());
    let ended = build(&folder, &path);
    let packages_are_there =
        Path::new("/usr/bin/rustc").is_file() && Path::new("/usr/lib/rustlib/src/rust/library/core").exists();
    if packages_are_there || (Path::new("/usr/bin/apt-get").is_file() && is_root()) {
        ended.says(0, &[]);
        let built = folder.run(&["plugin", "inspect", "count/dist/count.wasm"]);
        built.says(0, &[]);
        assert!(built.out.contains("world: wasmill:plugin/stream-operator@0.1.0"), "{}", built.out);
    } else {
        ended.says(
            1,
            &["error[no-wasm-target]: plugin count: can't be built: no Rust here compiles for wasm32-unknown-unknown: ", HINT],
        );
    }
}
