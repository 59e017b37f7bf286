//! Where programs that tests start lie, and where those listen.

use std::net::TcpListener;
use std::path::PathBuf;

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
