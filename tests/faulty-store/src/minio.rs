//! A real MinIO, started on this machine for a test and ended with it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;

use crate::{contents, tools};

/// A server, gone when it is dropped.
#[derive(Debug)]
pub struct Minio {
    child: Child,
    port: u16,
    /// Its data.
    _folder: tempfile::TempDir,
}

impl Minio {
    /// The bucket that is there.
    pub const BUCKET: &str = "checkpoints";
    /// Its user.
    pub const USER: &str = "wasmill-test";
    /// The user's password.
    pub const PASSWORD: &str = "wasmill-test-secret";

    /// Starts a server on a free port, and waits until it answers. The program is built first where it isn't there, which takes minutes.
    ///
    /// # Panics
    /// Where it can't be built or doesn't start, with what to do.
    #[must_use]
    pub fn start() -> Self {
        let program = program();
        let folder = tempfile::tempdir().expect("a folder");
        // A folder is a bucket.
        std::fs::create_dir(folder.path().join(Self::BUCKET)).expect("a folder");
        let port = tools::free_port();
        let child = Command::new(&program)
            .arg("server")
            .arg(folder.path())
            .args(["--quiet", "--address", &format!("127.0.0.1:{port}"), "--console-address", "127.0.0.1:0"])
            .env("MINIO_ROOT_USER", Self::USER)
            .env("MINIO_ROOT_PASSWORD", Self::PASSWORD)
            .env("MINIO_BROWSER", "off")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: can't be started: {error}", program.display()));
        let mut minio = Self { child, port, _folder: folder };
        let ready = "GET /minio/health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        tools::wait_for(&mut minio.child, &program, port, ready, &["200"]);
        minio
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a program's environment must have to use it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_ACCESS_KEY_ID", Self::USER.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", Self::PASSWORD.to_owned()),
        ]
    }

    /// What the bucket holds below a name, by what names have behind it.
    ///
    /// # Panics
    /// Where it doesn't answer.
    #[must_use]
    pub fn objects(&self, below: &str) -> BTreeMap<String, Bytes> {
        let store = AmazonS3Builder::new()
            .with_bucket_name(Self::BUCKET)
            .with_endpoint(self.endpoint())
            .with_allow_http(true)
            .with_access_key_id(Self::USER)
            .with_secret_access_key(Self::PASSWORD)
            .build();
        contents::below(&store.expect("a bucket"), below)
    }
}

impl Drop for Minio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: `minio` in the folder of tools, built by Go where it isn't there.
fn program() -> PathBuf {
    let tools = tools::folder();
    let program = tools.join("minio");
    if !program.exists() {
        build(&tools);
    }
    program
}

fn build(tools: &Path) {
    std::fs::create_dir_all(tools).expect("a folder for tools");
    let what_to_do = format!(
        "this test needs MinIO: put its program at {}/minio, or install Go, which builds it in some minutes, or name a folder that has it in \
         WASMILL_TOOLS",
        tools.display()
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::env::split_paths(&path).chain([PathBuf::from("/usr/local/go/bin")]))
        .unwrap_or_else(|_| OsString::new());
    let built =
        Command::new("go").args(["install", "github.com/minio/minio@latest"]).env("PATH", path).env("GOBIN", tools).status();
    match built {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("go install github.com/minio/minio@latest: {status}; {what_to_do}"),
        Err(error) => panic!("go: {error}; {what_to_do}"),
    }
}
