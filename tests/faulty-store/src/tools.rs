//! Where programs that tests start lie, and where those listen.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The folder of tools: `WASMILL_TOOLS`, else `~/.cache/wasmill-ci/tools`.
pub fn folder() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set"));
    std::env::var_os("WASMILL_TOOLS").map_or_else(|| home().join(".cache/wasmill-ci/tools"), PathBuf::from)
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Waits until a server on a port answers a request of HTTP with one of these statuses.
///
/// # Panics
/// Where it ends, or doesn't within a minute.
pub fn wait_for(child: &mut Child, program: &Path, port: u16, request: &str, statuses: &[&str]) {
    let asked = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(request.as_bytes())?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok::<_, std::io::Error>(statuses.iter().any(|status| start.ends_with(status.as_bytes())))
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !asked().unwrap_or(false) {
        if let Some(status) = child.try_wait().expect("a child") {
            panic!("{} ended by itself: {status}; run it to see why", program.display());
        }
        assert!(Instant::now() < deadline, "{} doesn't answer on port {port} within a minute", program.display());
        sleep(Duration::from_millis(50));
    }
}
