//! What a task does with its time: it works, waits for rows, or is held up by a full lane.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::poll_immediate;

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It has rows in hand.
    Working,
    /// It waits for rows.
    Idle,
    /// It waits for others that are slower: for room in a lane, or for sources that it may not get far ahead of.
    HeldUp,
    /// It has ended.
    Ended,
}

/// How a task has spent its time so far, the state that it is in included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// With rows in hand.
    pub working: Duration,
    /// Waiting for rows.
    pub idle: Duration,
    /// Waiting for others that are slower.
    pub held_up: Duration,
}

/// A task's clock. It is turned only where the task has to wait, so that a task which never waits pays nothing for it.
#[derive(Debug)]
pub struct TaskClock(Mutex<State>);

#[derive(Debug)]
struct State {
    doing: Doing,
    since: Instant,
    before: Spent,
}

impl TaskClock {
    /// The clock of a task that has not begun: it idles.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(State { doing: Doing::Idle, since: Instant::now(), before: Spent::default() }))
    }

    /// Notes what the task does from now on.
    pub fn turn(&self, doing: Doing) {
        let mut state = self.lock();
        let now = Instant::now();
        state.before = state.spent(now);
        (state.doing, state.since) = (doing, now);
    }

    /// What the task is doing.
    #[must_use]
    pub fn doing(&self) -> Doing {
        self.lock().doing
    }

    /// How it has spent its time until now; never less than it was before.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.lock().spent(Instant::now())
    }

    /// Waits for something that a full lane may hold up.
    pub(crate) async fn held_up<T>(&self, sending: impl Future<Output = T>) -> T {
        let mut sending = pin!(sending);
        if let Some(sent) = poll_immediate(sending.as_mut()).await {
            return sent;
        }
        self.turn(Doing::HeldUp);
        let sent = sending.await;
        self.turn(Doing::Working);
        sent
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment: what a panic elsewhere leaves is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TaskClock {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn spent(&self, now: Instant) -> Spent {
        let mut spent = self.before;
        let since = now.saturating_duration_since(self.since);
        match self.doing {
            Doing::Working => spent.working += since,
            Doing::Idle => spent.idle += since,
            Doing::HeldUp => spent.held_up += since,
            Doing::Ended => {}
        }
        spent
    }
}

impl std::ops::Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { working: self.working + other.working, idle: self.idle + other.idle, held_up: self.held_up + other.held_up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_to_what_is_being_done_and_stands_still_at_the_end() {
        let pause = || std::thread::sleep(Duration::from_millis(2));
        let clock = TaskClock::new();
        pause();
        clock.turn(Doing::Working);
        pause();
        clock.turn(Doing::HeldUp);
        pause();
        let under_way = clock.spent();
        assert!(under_way.held_up >= Duration::from_millis(2), "a wait under way counts: {under_way:?}");
        clock.turn(Doing::Ended);
        let spent = clock.spent();
        assert!(spent.idle >= Duration::from_millis(2) && spent.working >= Duration::from_millis(2), "{spent:?}");
        pause();
        assert_eq!((clock.spent(), clock.doing()), (spent, Doing::Ended));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn only_what_had_to_wait_counts_as_held_up() {
        let clock = TaskClock::new();
        clock.turn(Doing::Working);
        clock.held_up(std::future::ready(())).await;
        assert_eq!(clock.spent().held_up, Duration::ZERO);
        clock.held_up(tokio::task::yield_now()).await;
        assert!(clock.spent().held_up > Duration::ZERO);
        assert_eq!(clock.doing(), Doing::Working);
    }
}
