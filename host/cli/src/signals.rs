//! One signal stops the job, a second one ends the program at once.

use std::io;
use std::process::exit;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;
use crate::report;

/// Listens for SIGINT and SIGTERM from now on; the receiver becomes true with the first. To be called within a tokio runtime.
///
/// # Errors
/// Where the system refuses.
pub fn listen() -> io::Result<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                stop.send_replace(true);
                // A standard error that nobody reads must not keep the second signal from being heard.
                tokio::task::spawn_blocking(|| report::remark("stopping", "stopping; a second signal ends the program at once"));
            }
        }
        exit(Exit::Interrupted.into());
    });
    Ok(stopped)
}
