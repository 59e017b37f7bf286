//! Lines that must not hold up who says them: a thread of their own prints them, and those over a limit are dropped and counted.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What waits to be printed.
pub struct Queue {
    /// The most bytes that wait; with more, lines are dropped.
    most: usize,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
    /// Lines that were taken out are being printed.
    printing: bool,
}

impl Queue {
    /// An empty queue that holds at most so many bytes.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        let waiting = Waiting { lines: VecDeque::new(), bytes: 0, dropped: 0, printing: false };
        Self { most, waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    /// Adds lines at once, or drops them where too much waits.
    pub fn add(&self, lines: &[u8]) {
        let mut waiting = self.lock();
        if waiting.bytes + lines.len() > self.most {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += lines.len();
        waiting.lines.push_back(lines.to_vec());
        self.changed.notify_all();
    }

    /// Hands lines to `print` as they come, and how many were dropped ahead of them. Never returns.
    pub fn serve(&self, mut print: impl FnMut(u64, &[u8])) -> ! {
        let mut waiting = self.lock();
        loop {
            let Some(lines) = waiting.lines.pop_front() else {
                waiting.printing = false;
                self.changed.notify_all();
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            waiting.bytes -= lines.len();
            waiting.printing = true;
            let dropped = mem::take(&mut waiting.dropped);
            drop(waiting);
            print(dropped, &lines);
            waiting = self.lock();
        }
    }

    /// Waits until all that was added is printed, but no longer than this; whether it is.
    pub fn flush(&self, limit: Duration) -> bool {
        let unprinted = |waiting: &mut Waiting| waiting.printing || !waiting.lines.is_empty();
        let waited = self.changed.wait_timeout_while(self.lock(), limit, unprinted).unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn a_printer_that_stalls_holds_up_nobody_and_what_is_dropped_is_counted() {
        let queue = Arc::new(Queue::new(8));
        let (printed, seen) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let serving = Arc::clone(&queue);
        thread::spawn(move || {
            serving.serve(|dropped, lines| {
                printed.send((dropped, lines.to_vec())).expect("somebody looks");
                may_go_on.recv().expect("somebody says so");
            })
        });
        queue.add(b"one\n");
        assert_eq!(seen.recv(), Ok((0, b"one\n".to_vec())));
        // It stalls now: two lines have room, the third has none.
        for line in [b"two\n", b"thr\n", b"fou\n"] {
            queue.add(line);
        }
        assert!(!queue.flush(Duration::from_millis(1)), "nothing is printed while it stalls");
        (0..3).for_each(|_| go_on.send(()).expect("it waits"));
        assert_eq!(seen.recv(), Ok((1, b"two\n".to_vec())));
        assert_eq!(seen.recv(), Ok((0, b"thr\n".to_vec())));
        assert!(queue.flush(Duration::from_secs(10)));
    }
}
