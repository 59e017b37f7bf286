//! A server of PostgreSQL in a folder of its own, which ends with the test.
#![allow(dead_code, reason = "each test target uses some of it")]

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// A running server, whose user is `postgres` and needs no password.
pub struct Server {
    folder: TempDir,
    pub port: u16,
    process: Child,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("wasmill-postgres").tempdir().expect("a folder");
        if let Some((user, group)) = stranger() {
            chown(folder.path(), Some(user), Some(group)).expect("the folder is the server's");
        }
        let data = folder.path().join("data");
        let made = command("initdb").args(["-A", "trust", "-U", "postgres", "-D"]).arg(&data).output().expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let process = spawn(&folder, port);
        let server = Self { folder, port, process };
        server.wait_until_ready();
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// What a statement gives, asked by its own client: a line a row.
    pub fn asked(&self, sql: &str) -> String {
        let answer = command("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url()])
            .output()
            .expect("psql runs");
        assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).trim_end().to_owned()
    }

    /// Ends the server as a power cut of its machine would, but for what the system holds, and starts it again.
    pub fn kill_and_start(&mut self) {
        self.kill();
        self.process = spawn(&self.folder, self.port);
    }

    fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
        // Its children notice that it is gone.
        sleep(Duration::from_millis(300));
        let _ = std::fs::remove_file(self.folder.path().join("data/postmaster.pid"));
    }

    /// As [`Self::asked`], of a server that may have just been started.
    pub fn asked_when_ready(&self, sql: &str) -> String {
        self.wait_until_ready();
        self.asked(sql)
    }

    fn wait_until_ready(&self) {
        for _ in 0..300 {
            let ready =
                command("pg_isready").args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).output().expect("pg_isready runs");
            if ready.status.success() {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        panic!("the server doesn't start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        sleep(Duration::from_millis(100));
    }
}

fn spawn(folder: &TempDir, port: u16) -> Child {
    let sockets = format!("unix_socket_directories={}", folder.path().display());
    let mut server = command("postgres");
    server.arg("-D").arg(folder.path().join("data")).args([
        "-p",
        &port.to_string(),
        "-h",
        "127.0.0.1",
        "-c",
        &sockets,
        "-c",
        "timezone=UTC",
    ]);
    server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts")
}

/// A program of the newest PostgreSQL that is installed; as root as another user, since the server refuses root.
fn command(program: &str) -> Command {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            versions.flatten().map(|version| version.path().join("bin").join(program)).filter(|path| path.exists()).collect()
        })
        .unwrap_or_default();
    found.sort();
    let path = found.pop().unwrap_or_else(|| PathBuf::from(program));
    let mut command = Command::new(path);
    if let Some((user, group)) = stranger() {
        command.uid(user).gid(group).current_dir("/");
    }
    command
}

/// The user and group of the server where this process is root's: those of `postgres`, who comes with the package.
fn stranger() -> Option<(u32, u32)> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0);
    if !is_root {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let user = users.lines().find_map(|line| line.strip_prefix("postgres:"))?;
    let mut numbers = user.split(':').skip(1);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
