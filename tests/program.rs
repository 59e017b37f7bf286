//! The program under test, run on jobs in a folder of their own.
#![allow(dead_code, reason = "each test target uses some of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with a job and its data, gone with the test.
pub struct Folder(TempDir, TempDir);

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Asserts how it ended and that standard error has all of these texts.
    #[track_caller]
    pub fn says(&self, code: i32, texts: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in texts {
            assert!(self.err.contains(text), "expected:\n{text}\nfound:\n{}", self.err);
        }
        self
    }
}

impl Folder {
    pub fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a folder");
        Self(folder(), folder())
    }

    /// A folder with this job as `job.yaml`.
    pub fn of_job(job: &str) -> Self {
        let folder = Self::new();
        folder.write("job.yaml", job);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).expect("JSON")
    }

    /// A command of the program, in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasmill"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        // The cache of compiled plugins is the tests' own.
        command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
        // Tests run jobs of one name side by side: each is reached in a folder of its own.
        command.env("XDG_RUNTIME_DIR", self.1.path());
        // Jobs name plugins of the repository by it.
        command.env("PLUGINS", from_root("plugins"));
        command
    }

    /// Runs the program in this folder.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().expect("the program starts"))
    }

    /// Names of the files in this folder, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// A path from the root of the repository.
pub fn from_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package lies two folders below the root").join(path)
}

/// A plugin of the repository, built.
pub fn plugin(path: &str) -> PathBuf {
    let directory = from_root(path);
    let built = Folder::new().run(&["plugin", "build", &directory.display().to_string()]);
    assert_eq!(built.code, Some(0), "{}", built.err);
    let name = directory.file_name().expect("a name").to_string_lossy().into_owned();
    directory.join("dist").join(format!("{name}.wasm"))
}

/// Kills runs of `job.yaml`, each some time after its start, and lets the last one end.
pub fn kill_and_finish(folder: &Folder, arguments: &[&str], pauses_ms: &[u64]) {
    let run = [&["run", "job.yaml"], arguments].concat();
    let mut kills = 0;
    for &pause in pauses_ms {
        let mut child = folder.command(&run).spawn().expect("the program starts");
        std::thread::sleep(std::time::Duration::from_millis(pause));
        if child.try_wait().expect("a child").is_none() {
            kills += 1;
        }
        let _ = child.kill();
        child.wait().expect("a child");
    }
    folder.run(&run).says(0, &[]);
    assert!(kills > 0, "it was killed at least once");
}
