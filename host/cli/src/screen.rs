//! Standard error as a screen: lines above, and below them what is redrawn in place, so that neither garbles the other.

use std::env;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar};

static SCREEN: LazyLock<Mutex<MultiProgress>> = LazyLock::new(Mutex::default);

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

/// Prints whole lines. Where standard error is closed there is nobody to tell.
pub fn print(lines: &[u8]) {
    let screen = lock();
    // What is redrawn comes back with its next drawing. (`MultiProgress::suspend` would do both, but panics where the terminal is gone.)
    let _ = screen.clear();
    let _ = io::stderr().lock().write_all(lines);
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
        print(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
