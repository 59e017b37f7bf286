//! Microsoft's own emulator of Azure's blobs, started on this machine for a test and ended with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use object_store::azure::MicrosoftAzureBuilder;

use crate::{contents, tools};

/// The version that is installed where there is none.
const PACKAGE: &str = "azurite@3.35.0";
/// The emulator's only account, whose key everybody knows.
const ACCOUNT: &str = "devstoreaccount1";
/// That key.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// What that account may do, signed with that key: whatever it likes until 2099.
const SIGNATURE: &str =
    "sv=2021-08-06&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&sig=96c2EygB3PgwPw%2FPybbUy3WlHCPrp0h%2FIdLehWe2UEU%3D";

/// A server, gone when it is dropped.
#[derive(Debug)]
pub struct Azurite {
    child: Child,
    port: u16,
}

impl Azurite {
    /// The container that is there.
    pub const CONTAINER: &str = "checkpoints";

    /// Starts a server on a free port, and waits until its container is there. It is installed by npm first where it isn't there.
    ///
    /// # Panics
    /// Where it can't be installed or doesn't start, with what to do.
    #[must_use]
    pub fn start() -> Self {
        let program = program();
        let port = tools::free_port();
        let child = Command::new(&program)
            .args(["--silent", "--skipApiVersionCheck", "--inMemoryPersistence", "--extentMemoryLimit", "512"])
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: can't be started: {error}", program.display()));
        let mut azurite = Self { child, port };
        let make_container = format!(
            "PUT /{ACCOUNT}/{}?restype=container&{SIGNATURE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::CONTAINER
        );
        tools::wait_for(&mut azurite.child, &program, port, &make_container, &["201", "409"]);
        azurite
    }

    /// What a program's environment must have to use it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let url = format!("http://127.0.0.1:{}", self.port);
        [("AZURE_STORAGE_USE_EMULATOR", "true".to_owned()), ("AZURITE_BLOB_STORAGE_URL", url)]
    }

    /// What the container holds below a name, by what names have behind it.
    ///
    /// # Panics
    /// Where it doesn't answer.
    #[must_use]
    pub fn objects(&self, below: &str) -> BTreeMap<String, Bytes> {
        let store = MicrosoftAzureBuilder::new()
            .with_container_name(Self::CONTAINER)
            .with_endpoint(format!("http://127.0.0.1:{}/{ACCOUNT}", self.port))
            .with_allow_http(true)
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .build();
        contents::below(&store.expect("a container"), below)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, in the folder of tools, installed by npm where it isn't there.
fn program() -> PathBuf {
    let folder = tools::folder().join("azurite");
    let program = folder.join("node_modules/.bin/azurite-blob");
    if !program.exists() {
        install(&folder);
    }
    program
}

fn install(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder for tools");
    let what_to_do = "this test needs Azurite: install Node.js with npm, which fetches it, or name a folder that has azurite/node_modules in WASMILL_TOOLS";
    let installed = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
        .arg(folder)
        .arg(PACKAGE)
        .status();
    match installed {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("npm install {PACKAGE}: {status}; {what_to_do}"),
        Err(error) => panic!("npm: {error}; {what_to_do}"),
    }
}
