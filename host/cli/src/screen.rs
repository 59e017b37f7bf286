//! Standard error as a screen: lines above, and below them what is redrawn in place, so that neither garbles the other.

mod queue;

use std::env;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};

use queue::Queue;

/// The most bytes of log lines that wait for a standard error that isn't read.
const QUEUE_BYTES: usize = 1 << 20;
/// How long a line waits for log lines ahead of it; longer where nobody reads them is in vain.
const FLUSH: Duration = Duration::from_secs(1);

static SCREEN: LazyLock<Mutex<MultiProgress>> = LazyLock::new(Mutex::default);
static LOGGED: Queue = Queue::new(QUEUE_BYTES);

fn lock() -> MutexGuard<'static, MultiProgress> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a bar redrawn in place, below those that are there already.
pub fn add(bar: ProgressBar) -> ProgressBar {
    lock().add(bar)
}

/// Runs what redraws, while no line is printed.
pub fn draw<T>(drawing: impl FnOnce() -> T) -> T {
    let _screen = lock();
    drawing()
}

/// Prints whole lines, behind those that were logged, and waits until they are written. Where standard error is closed there is nobody
/// to tell. Not for a thread that others wait for: see [`Lines`].
pub fn print(lines: &[u8]) {
    flush();
    write(lines);
}

/// Waits a little for what was logged to be written.
pub fn flush() {
    LOGGED.flush(FLUSH);
}

fn write(lines: &[u8]) {
    let screen = lock();
    // What is redrawn comes back with its next drawing. (`MultiProgress::suspend` would do both, but panics where the terminal is gone.)
    let _ = screen.clear();
    let _ = io::stderr().lock().write_all(lines);
}

/// Starts the thread that prints what is logged; `dropped` makes a line of how many lines were dropped. To be called once.
///
/// # Errors
/// Where the system refuses a thread.
pub fn print_logged(dropped: fn(u64) -> String) -> io::Result<()> {
    let serve = move || {
        LOGGED.serve(|lost, lines| {
            if lost > 0 {
                write(dropped(lost).as_bytes());
            }
            write(lines);
        })
    };
    thread::Builder::new().name("log".to_owned()).spawn(serve).map(drop)
}

/// Logs whole lines: a thread of its own prints them, so that a standard error that isn't read holds up no task. What is more than it
/// can hold is dropped, and counted.
pub fn log(lines: &[u8]) {
    LOGGED.add(lines);
}

/// Whether lines may have colours: standard error is a terminal that knows them, and `NO_COLOR` isn't set.
pub fn has_colours() -> bool {
    static COLOURS: LazyLock<bool> = LazyLock::new(|| {
        let unset = |name: &str| env::var_os(name).is_none_or(|value| value.is_empty());
        io::stderr().is_terminal() && unset("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
    });
    *COLOURS
}

/// A writer of whole lines, as logging needs one: each call has all of its lines.
#[derive(Debug, Clone, Copy)]
pub struct Lines;

impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        log(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
