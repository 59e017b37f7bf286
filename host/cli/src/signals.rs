//! One signal stops the job, a second one ends the program at once.

use std::io;
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;
use crate::report;

/// Whether the program is asked to stop.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Of a command that signals end at once, as the system does.
    #[must_use]
    pub fn never() -> Self {
        Self(Arc::new(watch::channel(false).0))
    }

    /// Whether it is by now.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for so long, or until it is asked to stop; whether it is.
    #[must_use]
    pub fn wait(&self, time: Duration) -> bool {
        const STEP: Duration = Duration::from_millis(10);
        let until = Instant::now() + time;
        while !self.is_asked() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(STEP));
        }
        true
    }

    /// Becomes true when it is.
    #[must_use]
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Asks it to stop, as the first signal does.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }
}

/// Listens for SIGINT and SIGTERM from now on, until the program ends: the first asks for a stop. To be called once.
///
/// # Errors
/// Where the system refuses signals or a thread.
pub fn listen() -> io::Result<Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _within = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let stop = Stop::never();
    let asked = stop.clone();
    let listening = async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                // A standard error that nobody reads must not keep the second signal from being heard; and said before anything stops, so
                // that it is there however fast that is.
                report::remark_later("stopping", "stopping; a second signal ends the program at once");
                asked.ask();
            }
        }
        exit(Exit::Interrupted.into());
    };
    // A thread of its own, which neither what comes before the job nor what comes after it can keep from listening.
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(listening))?;
    Ok(stop)
}
