//! The smallest server that Prometheus can read from: one connection at a time, one page, a time limit on everything.
//!
//! A thread of its own and the standard library's sockets: there is one page for one reader, and whoever dawdles is sent away. A
//! framework would bring connections kept alive, bodies and routes, each with limits of its own to set.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wasmill_runtime::JobError;

/// The longest that one reader may take, asking and reading together.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest request that is read.
const MOST_BYTES: usize = 8 << 10;

/// A server of one page, until it is dropped.
pub struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// Where it is somebody else's, or not this machine's.
    pub fn bind(address: SocketAddr) -> Result<TcpListener, JobError> {
        TcpListener::bind(address).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => "another program listens there: choose another port, or 0 for any that is free",
                _ => "choose an address of this machine, as 127.0.0.1:9090",
            };
            JobError::new("metrics-address", format!("--metrics {address}: can't be listened at: {error}")).with_hint(hint)
        })
    }

    /// Serves a page at `/metrics`.
    ///
    /// # Errors
    /// Where the system refuses a thread.
    pub fn start(listener: TcpListener, page: impl Fn() -> String + Send + 'static) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = Arc::clone(&ended);
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            for connection in listener.incoming() {
                if is_ended.load(Relaxed) {
                    return;
                }
                match connection {
                    // A reader that goes away, or never asks, is nobody's error.
                    Ok(connection) => drop(serve(connection, &page)),
                    // Out of descriptors, above all: later there may be some.
                    Err(_) => thread::sleep(Duration::from_millis(100)),
                }
            }
        })?;
        Ok(Self { address, ended, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        // It looks up with the next connection.
        if TcpStream::connect_timeout(&self.address, PATIENCE).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Answers one request.
fn serve(mut connection: TcpStream, page: &impl Fn() -> String) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    connection.set_write_timeout(Some(PATIENCE))?;
    let (status, kind, body) = match request(&mut connection, deadline)? {
        Asked::Page => ("200 OK", "text/plain; version=0.0.4; charset=utf-8", page()),
        Asked::Elsewhere => ("404 Not Found", "text/plain; charset=utf-8", "the metrics are at /metrics\n".to_owned()),
        Asked::OtherMethod => ("405 Method Not Allowed", "text/plain; charset=utf-8", "only GET\n".to_owned()),
        Asked::Nonsense => ("400 Bad Request", "text/plain; charset=utf-8", "expected GET /metrics HTTP/1.1\n".to_owned()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    connection.write_all(head.as_bytes())?;
    connection.write_all(body.as_bytes())
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Page,
    Elsewhere,
    OtherMethod,
    Nonsense,
}

/// Reads a request up to the empty line that ends its head.
fn request(connection: &mut TcpStream, deadline: Instant) -> io::Result<Asked> {
    let mut head = Vec::new();
    let mut buffer = [0; 1_024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MOST_BYTES {
            return Ok(Asked::Nonsense);
        }
        connection.set_read_timeout(Some(left))?;
        match connection.read(&mut buffer)? {
            0 => return Ok(Asked::Nonsense),
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(asked(&head))
}

fn asked(head: &[u8]) -> Asked {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words.as_slice() else { return Asked::Nonsense };
    if !version.starts_with(b"HTTP/1.") {
        return Asked::Nonsense;
    }
    match (*method, target.split(|byte| *byte == b'?').next().unwrap_or_default()) {
        (b"GET", b"/metrics") => Asked::Page,
        (b"GET", _) => Asked::Elsewhere,
        _ => Asked::OtherMethod,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &Server, request: &str) -> String {
        let mut connection = TcpStream::connect(server.address()).expect("connected");
        connection.write_all(request.as_bytes()).expect("asked");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("answered");
        answer
    }

    #[test]
    fn the_page_is_served_and_nothing_else() {
        let listener = Server::bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let server = Server::start(listener, || "x 1\n".to_owned()).expect("a server");
        let page = ask(&server, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{page}");
        assert!(page.ends_with("Content-Length: 4\r\nConnection: close\r\n\r\nx 1\n"), "{page}");
        assert!(ask(&server, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(ask(&server, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        assert!(ask(&server, "hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
    }

    #[test]
    fn whoever_does_not_ask_is_sent_away_and_the_next_is_served() {
        let listener = Server::bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let server = Server::start(listener, || "x 1\n".to_owned()).expect("a server");
        let silent = TcpStream::connect(server.address()).expect("connected");
        let began = Instant::now();
        assert!(ask(&server, "GET /metrics?x HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
        assert!(began.elapsed() < PATIENCE * 3);
        drop(silent);
    }

    #[test]
    fn a_busy_port_is_an_error_that_says_what_to_do() {
        let listener = Server::bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let address = listener.local_addr().expect("an address");
        let error = Server::bind(address).expect_err("taken");
        assert_eq!(error.code, "metrics-address");
        assert!(error.message.starts_with(&format!("--metrics {address}: can't be listened at: ")), "{error}");
        assert!(error.hint.is_some_and(|hint| hint.starts_with("another program listens there")));
    }
}
