//! Places, by name, at which a test can end a run: what a kill at the worst moment leaves behind is found by plan, not by luck.
//!
//! Code that is about to do, or has just done, what must not be done by halves says so by [`hit`]. Usually nothing happens. A test of
//! the engine in its own thread watches what is hit ([`watch`]) and may end the run there. A whole process can be told to end itself
//! at a place ([`abort_at`]): at once, without unwinding or flushing, as by SIGKILL.
//!
//! One list for all crates: so a test can see that each was hit.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

macro_rules! failpoints {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A place in the code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Failpoint {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Failpoint {
            /// All of them, in the order of a job's life.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name, as `manifest-written`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

failpoints! {
    /// A job goes on from a checkpoint: nothing is restored yet.
    RestoreBegins = "restore-begins",
    /// A file of state has been restored.
    StateRestored = "state-restored",
    /// A sink is about to go back to its last committed epoch.
    SinkRecovers = "sink-recovers",
    /// A sink has gone back to it.
    SinkRecovered = "sink-recovered",
    /// A task has read rows from its source, and nothing is done with them yet.
    RowsRead = "rows-read",
    /// An operator is about to get rows.
    BeforeProcess = "before-process",
    /// An operator has got them, and what it emitted hasn't been handed on.
    AfterProcess = "after-process",
    /// A barrier was sent to all sources.
    BarrierSent = "barrier-sent",
    /// A barrier has come to a task on all of its inputs: nothing has been snapshotted.
    BarrierAligned = "barrier-aligned",
    /// A sink of a task has made an epoch durable, but not visible.
    SinkPrepared = "sink-prepared",
    /// A task has marked the snapshots of its state.
    SnapshotMarked = "snapshot-marked",
    /// A file of state is about to be written into the store.
    BeforeStateWritten = "before-state-written",
    /// It has been written.
    StateWritten = "state-written",
    /// All tasks have handed in their parts; the manifest is about to be written.
    BeforeManifest = "before-manifest",
    /// The manifest is durable: the checkpoint is complete, and nobody has been told.
    ManifestWritten = "manifest-written",
    /// A sink is about to make an epoch visible.
    BeforeCommit = "before-commit",
    /// It has.
    AfterCommit = "after-commit",
    /// Checkpoints that aren't kept are about to be removed.
    BeforeRemoval = "before-removal",
    /// Their manifests are gone, and the files that only they named are still there.
    ManifestsRemoved = "manifests-removed",
}

impl fmt::Display for Failpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Failpoint {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|failpoint| failpoint.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|failpoint| failpoint.name()).collect();
            format!("{name:?} is no failpoint, expected one of {}", names.join(", "))
        })
    }
}

/// Someone listens: until then [`hit`] only reads this.
static ARMED: AtomicBool = AtomicBool::new(false);
/// Where the process ends itself, and how many times it is to pass there before.
static ABORT_AT: OnceLock<(Failpoint, AtomicU64)> = OnceLock::new();

type Watcher = Box<dyn FnMut(Failpoint)>;

thread_local! {
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// Says that the code is at a place. Costs the load of a flag where nobody listens.
#[inline]
pub fn hit(failpoint: Failpoint) {
    if ARMED.load(Relaxed) {
        told(failpoint);
    }
}

#[cold]
fn told(failpoint: Failpoint) {
    if let Some((at, passes)) = ABORT_AT.get()
        && *at == failpoint
        && passes.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err()
    {
        std::process::abort();
    }
    // Taken out while it runs: it may unwind.
    let watcher = WATCHER.with(|watcher| watcher.borrow_mut().take());
    if let Some(mut watcher) = watcher {
        watcher(failpoint);
        WATCHER.with(|place| *place.borrow_mut() = Some(watcher));
    }
}

/// Has this process end itself at a place, given as `NAME` or `NAME:N`, the time after it was there `N` times.
///
/// # Errors
/// What is wrong with the text, as a sentence; also where a place was given before.
pub fn abort_at(place: &str) -> Result<(), String> {
    let (name, passes) = match place.split_once(':') {
        None => (place, 0),
        Some((name, passes)) => {
            (name, passes.parse().map_err(|_| format!("{passes:?} is no number of times, expected NAME or NAME:N"))?)
        }
    };
    ABORT_AT.set((name.parse()?, AtomicU64::new(passes))).map_err(|_| "only one failpoint can be given".to_owned())?;
    ARMED.store(true, Relaxed);
    Ok(())
}

/// Watches what this thread hits until what is returned is dropped. A watcher that unwinds is watching no more.
#[must_use]
pub fn watch(watcher: impl FnMut(Failpoint) + 'static) -> Watching {
    WATCHER.with(|place| *place.borrow_mut() = Some(Box::new(watcher)));
    ARMED.store(true, Relaxed);
    Watching(())
}

/// Someone watches what this thread hits.
#[derive(Debug)]
pub struct Watching(());

impl Drop for Watching {
    fn drop(&mut self) {
        WATCHER.with(|watcher| watcher.borrow_mut().take());
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_place_has_a_name_of_its_own_and_is_found_by_it() {
        for failpoint in Failpoint::ALL {
            assert_eq!(failpoint.name().parse(), Ok(*failpoint));
        }
        let error = "nowhere".parse::<Failpoint>().expect_err("no such place");
        assert!(error.starts_with("\"nowhere\" is no failpoint, expected one of restore-begins, "), "{error}");
        let error = abort_at("before-commit:x").expect_err("no number");
        assert_eq!(error, "\"x\" is no number of times, expected NAME or NAME:N");
    }

    #[test]
    fn a_watcher_sees_what_its_thread_hits_while_it_watches() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        hit(Failpoint::RowsRead);
        let watching = watch({
            let seen = Rc::clone(&seen);
            move |failpoint| seen.borrow_mut().push(failpoint)
        });
        hit(Failpoint::BeforeCommit);
        std::thread::spawn(|| hit(Failpoint::RowsRead)).join().expect("another thread");
        hit(Failpoint::AfterCommit);
        drop(watching);
        hit(Failpoint::RowsRead);
        assert_eq!(*seen.borrow(), [Failpoint::BeforeCommit, Failpoint::AfterCommit]);
    }
}
