//! The smallest server that Prometheus can read from: one page, a few readers at a time, a time limit on everything.
//!
//! Threads and the standard library's sockets: there is one page for few readers, and whoever dawdles is sent away. A framework would
//! bring connections kept alive, bodies and routes, each with limits of its own to set.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wasmill_runtime::JobError;

/// The longest that one reader may take, asking and reading together.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest request that is read.
const MOST_BYTES: usize = 8 << 10;
/// The most readers at a time; who comes while there are as many is sent away unheard.
const READERS: usize = 16;

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
    pub fn start(listener: TcpListener, page: impl Fn() -> String + Send + Sync + 'static) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = Arc::clone(&ended);
        let (page, readers) = (Arc::new(page), Arc::new(AtomicUsize::new(0)));
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            for connection in listener.incoming() {
                if is_ended.load(Relaxed) {
                    return;
                }
                match connection {
                    Ok(connection) if readers.load(Relaxed) < READERS => answer(connection, &page, &readers),
                    Ok(unheard) => drop(unheard),
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

/// Answers one request on a thread of its own; it ends by itself in time.
fn answer(connection: TcpStream, page: &Arc<impl Fn() -> String + Send + Sync + 'static>, readers: &Arc<AtomicUsize>) {
    let (page, mine) = (Arc::clone(page), Arc::clone(readers));
    readers.fetch_add(1, Relaxed);
    let serve = move || {
        // A reader that goes away, or never asks, is nobody's error.
        let _ = serve(connection, &*page);
        mine.fetch_sub(1, Relaxed);
    };
    if thread::Builder::new().name("metrics-reader".to_owned()).spawn(serve).is_err() {
        readers.fetch_sub(1, Relaxed);
    }
}

/// Answers one request.
fn serve(mut connection: TcpStream, page: &impl Fn() -> String) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let (status, kind, body) = match request(&mut connection, deadline)? {
        Asked::Page => ("200 OK", "text/plain; version=0.0.4; charset=utf-8", page()),
        Asked::Elsewhere => ("404 Not Found", "text/plain; charset=utf-8", "the metrics are at /metrics\n".to_owned()),
        Asked::OtherMethod => ("405 Method Not Allowed", "text/plain; charset=utf-8", "only GET\n".to_owned()),
        Asked::Nonsense => ("400 Bad Request", "text/plain; charset=utf-8", "expected GET /metrics HTTP/1.1\n".to_owned()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    write(&mut connection, deadline, (head + &body).as_bytes())
}

/// Writes all of it, unless the reader takes it too slowly.
fn write(connection: &mut TcpStream, deadline: Instant, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.set_write_timeout(Some(left))?;
        match connection.write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
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
    fn whoever_does_not_ask_holds_up_neither_the_next_nor_the_end() {
        let listener = Server::bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let server = Server::start(listener, || "x 1\n".to_owned()).expect("a server");
        let began = Instant::now();
        let silent: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(server.address()).expect("connected")).collect();
        assert!(ask(&server, "GET /metrics?x HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
        drop(server);
        assert!(began.elapsed() < PATIENCE, "nobody waits for who is silent: {:?}", began.elapsed());
        drop(silent);
    }

    #[test]
    fn a_reader_that_takes_nothing_is_sent_away() {
        let listener = Server::bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let server = Server::start(listener, || "x".repeat(64 << 20)).expect("a server");
        let mut slow = TcpStream::connect(server.address()).expect("connected");
        slow.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("asked");
        thread::sleep(PATIENCE + PATIENCE / 2);
        let mut got = Vec::new();
        // Cut off: what was in the sockets' buffers, and no more.
        let _ = slow.read_to_end(&mut got);
        assert!(got.len() < 64 << 20, "{} bytes", got.len());
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
