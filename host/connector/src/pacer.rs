//! Wakes futures at their moment, to some microseconds: one thread for the whole process.
//!
//! Tokio's timer ticks once a millisecond, which is too coarse for rows that are due every 20 µs.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::ConnectorError;

/// Ready at this moment, and not before. Starts the pacing thread at its first use. A future that is dropped is forgotten.
///
/// # Errors
/// Code `pacing-thread` where the thread can't be started.
pub(crate) fn wait_until(due: Instant) -> WaitUntil {
    WaitUntil { due, entry: None }
}

/// The future of [`wait_until`].
#[derive(Debug)]
pub(crate) struct WaitUntil {
    due: Instant,
    /// The number of this future's entry among the waiting, where it has one.
    entry: Option<u64>,
}

impl Future for WaitUntil {
    type Output = Result<(), ConnectorError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if Instant::now() >= self.due {
            return Poll::Ready(Ok(()));
        }
        let pacer = match pacer() {
            Ok(pacer) => pacer,
            Err(reason) => {
                return Poll::Ready(Err(ConnectorError::new(
                    "pacing-thread",
                    format!("the pacing thread can't be started: {reason}"),
                )
                .with_hint("raise the limit of threads, or leave `rate` out")));
            }
        };
        let due = self.due;
        self.entry = Some(pacer.enter(due, self.entry, context.waker()));
        Poll::Pending
    }
}

impl Drop for WaitUntil {
    fn drop(&mut self) {
        if let (Some(entry), Ok(pacer)) = (self.entry, pacer()) {
            pacer.leave(self.due, entry);
        }
    }
}

/// The one pacer of the process.
fn pacer() -> Result<&'static Pacer, &'static str> {
    static PACER: OnceLock<Result<Arc<Pacer>, String>> = OnceLock::new();
    let started = PACER.get_or_init(|| {
        let pacer = Arc::new(Pacer::default());
        let thread = Arc::clone(&pacer);
        let started = std::thread::Builder::new().name("wasmill-pacer".to_owned()).spawn(move || thread.run());
        started.map(|_| pacer).map_err(|error| error.to_string())
    });
    started.as_ref().map(|pacer| &**pacer).map_err(String::as_str)
}

/// Those who wait, and the thread's bell.
#[derive(Debug, Default)]
struct Pacer {
    waiting: Mutex<Waiting>,
    earlier: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By moment, then by the order of entry.
    wakers: BTreeMap<(Instant, u64), Waker>,
    entries: u64,
}

impl Pacer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A waker that panics poisons the lock, but leaves the map whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a waker, or replaces that of an entry. Returns the number of its entry.
    fn enter(&self, due: Instant, entry: Option<u64>, waker: &Waker) -> u64 {
        let mut waiting = self.lock();
        let entry = entry.unwrap_or_else(|| {
            waiting.entries += 1;
            waiting.entries
        });
        let is_first = waiting.wakers.first_key_value().is_none_or(|(first, _)| (due, entry) < *first);
        waiting.wakers.insert((due, entry), waker.clone());
        drop(waiting);
        if is_first {
            self.earlier.notify_one();
        }
        entry
    }

    fn leave(&self, due: Instant, entry: u64) {
        self.lock().wakers.remove(&(due, entry));
    }

    /// The thread: sleeps until the first moment, or until an earlier one comes.
    fn run(&self) {
        sharpen_timer();
        let mut waiting = self.lock();
        loop {
            let now = Instant::now();
            let Some(first) = waiting.wakers.first_entry() else {
                waiting = self.earlier.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let due = first.key().0;
            if due > now {
                waiting = self.earlier.wait_timeout(waiting, due - now).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let waker = first.remove();
            drop(waiting);
            // A panic of a waker must not end the pacing of all jobs.
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waker.wake())));
            waiting = self.lock();
        }
    }
}

/// Lets this thread sleep to the nanosecond that it asks for. Linux otherwise adds up to 50 µs, to save power.
///
/// `/proc/TID/timerslack_ns` is `prctl(PR_SET_TIMERSLACK)` without unsafe code. Where there is no such file, sleeps stay as coarse as
/// they are.
fn sharpen_timer() {
    let thread = std::fs::read_link("/proc/thread-self").ok();
    if let Some(number) = thread.as_deref().and_then(std::path::Path::file_name) {
        drop(std::fs::write(std::path::Path::new("/proc").join(number).join("timerslack_ns"), "1"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn futures_wake_at_their_moment_in_whatever_order_they_came() {
        let start = Instant::now();
        let late = [40_u64, 10, 30, 20, 0].map(|millis| {
            tokio::spawn(async move {
                let due = start + Duration::from_millis(millis);
                wait_until(due).await.expect("a pacing thread");
                let now = Instant::now();
                assert!(now >= due, "woken {:?} before {millis} ms", due - now);
                now - due
            })
        });
        for task in late {
            let late = task.await.expect("no panic");
            assert!(late < Duration::from_secs(1), "{late:?} late");
        }
    }

    #[tokio::test]
    async fn a_future_that_is_dropped_is_forgotten() {
        let due = Instant::now() + Duration::from_secs(3600);
        let mut waits = [(); 100].map(|()| wait_until(due));
        for wait in &mut waits {
            assert!(futures_util::FutureExt::now_or_never(wait).is_none());
        }
        let pacer = pacer().expect("a pacing thread");
        let waiting = || pacer.lock().wakers.keys().filter(|(moment, _)| *moment == due).count();
        assert_eq!(waiting(), 100);
        drop(waits);
        assert_eq!(waiting(), 0);
    }
}
