//! Which sessions keys have and when each is to be looked at: known beside the state, and found out from it where a task is restored.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use wasmill_flow::Watermark;

use crate::window::trigger::Trigger;

/// What is known of a key beside its bytes, and of a moment at which it is to be looked at, about, in bytes.
const KNOWN: usize = 112;
const DUE: usize = 40;

/// The sessions of all keys.
#[derive(Debug)]
pub(super) struct Known {
    times: Times,
    /// The sessions of each encoded key.
    sessions: HashMap<Arc<[u8]>, Vec<Session>>,
    /// When keys are to be looked at: when event time has come to just before that. Of each session there is one at which it is, or before.
    due: BTreeSet<(i64, Arc<[u8]>)>,
}

/// What of a session comes when.
#[derive(Debug, Clone, Copy)]
struct Times {
    gap: i64,
    allowed_lateness: i64,
    trigger: Trigger,
}

/// A key's session: its number among them, and when its first and its last row came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) space: i64,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// What a row makes of sessions.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) session: Session,
    /// The numbers of those that are put together with it, and are no more.
    pub(super) others: Vec<i64>,
    /// Its result has come out.
    pub(super) closing: bool,
}

/// A session that is looked at.
#[derive(Debug)]
pub(super) struct LookedAt {
    pub(super) key: Arc<[u8]>,
    pub(super) session: Session,
    /// Its result comes out now.
    pub(super) comes: bool,
    /// It takes no more rows.
    pub(super) past: bool,
}

impl Times {
    /// Where a session ends whose last row came then.
    fn end_of(self, last: i64) -> i64 {
        last.saturating_add(self.gap)
    }

    /// Whether a session that ends there takes no more rows.
    fn is_past(self, end: i64, watermark: Watermark) -> bool {
        end.saturating_sub(1).saturating_add(self.allowed_lateness) <= watermark.0
    }

    /// When a session is to be looked at next.
    fn looked_at(self, session: &Session, watermark: Watermark) -> i64 {
        let end = self.end_of(session.last);
        if is_closing(end, watermark) {
            return end.saturating_add(self.allowed_lateness);
        }
        self.trigger.next(session.first, watermark.0).map_or(end, |early| early.min(end))
    }
}

/// Whether a session that ends there has had its result come out when event time has come so far.
fn is_closing(end: i64, watermark: Watermark) -> bool {
    end.saturating_sub(1) <= watermark.0
}

impl Known {
    pub(super) fn new(gap: i64, allowed_lateness: i64, trigger: Trigger) -> Self {
        Self { times: Times { gap, allowed_lateness, trigger }, sessions: HashMap::new(), due: BTreeSet::new() }
    }

    /// Where a session ends whose last row came then.
    pub(super) fn end_of(&self, last: i64) -> i64 {
        self.times.end_of(last)
    }

    /// A key's sessions.
    pub(super) fn of(&self, key: &[u8]) -> &[Session] {
        self.sessions.get(key).map_or(&[], Vec::as_slice)
    }

    /// The session that a row makes of those that it is within the gap of, or begins; nothing where it is late.
    pub(super) fn joined(&self, key: &[u8], time: i64, watermark: Watermark) -> Option<Joined> {
        let known = self.of(key);
        let mut near =
            known.iter().filter(|session| time < self.end_of(session.last) && session.first < self.end_of(time)).copied();
        let Some(mut oldest) = near.next() else {
            let end = self.end_of(time);
            if self.times.is_past(end, watermark) {
                return None;
            }
            let space = (0..).find(|space| known.iter().all(|session| session.space != *space)).unwrap_or(i64::MAX);
            let session = Session { space, first: time, last: time };
            return Some(Joined { session, others: Vec::new(), closing: is_closing(end, watermark) });
        };
        let (mut others, mut last) = (Vec::new(), oldest.last.max(time));
        for other in near {
            let younger = if other.first < oldest.first { std::mem::replace(&mut oldest, other) } else { other };
            others.push(younger);
            last = last.max(other.last);
        }
        others.sort_unstable_by_key(|session| session.first);
        let session = Session { space: oldest.space, first: oldest.first.min(time), last };
        let others = others.iter().map(|session| session.space).collect();
        Some(Joined { session, others, closing: is_closing(self.end_of(last), watermark) })
    }

    /// Notes what a row has made of a key's sessions.
    pub(super) fn note(&mut self, key: &[u8], Joined { session, others, .. }: &Joined, watermark: Watermark) {
        let at = self.times.looked_at(session, watermark);
        let Some(known) = self.sessions.get_mut(key) else {
            let key: Arc<[u8]> = key.into();
            self.due.insert((at, Arc::clone(&key)));
            self.sessions.insert(key, vec![*session]);
            return;
        };
        let gone = |known: &&Session| known.space == session.space || others.contains(&known.space);
        let due = known.iter().filter(gone).map(|known| self.times.looked_at(known, watermark)).min();
        if due.is_none_or(|due| at < due) {
            self.due.insert((at, key.into()));
        }
        match known.iter_mut().find(|known| known.space == session.space) {
            Some(known) if others.is_empty() => *known = *session,
            _ => {
                known.retain(|known| !gone(&known));
                known.push(*session);
            }
        }
    }

    /// Has a key have these sessions and no others.
    pub(super) fn replace(&mut self, key: &[u8], sessions: Vec<Session>, watermark: Watermark) {
        if sessions.is_empty() {
            self.sessions.remove(key);
        } else {
            self.put(key.into(), sessions, watermark);
        }
    }

    fn put(&mut self, key: Arc<[u8]>, sessions: Vec<Session>, watermark: Watermark) {
        for session in &sessions {
            self.due.insert((self.times.looked_at(session, watermark), Arc::clone(&key)));
        }
        self.sessions.insert(key, sessions);
    }

    /// Has a key have a session more.
    pub(super) fn add(&mut self, key: &[u8], session: Session, watermark: Watermark) {
        let sessions = self.of(key).iter().copied().chain([session]).collect();
        self.replace(key, sessions, watermark);
    }

    pub(super) fn clear(&mut self) {
        self.sessions.clear();
        self.due.clear();
    }

    /// The sessions of which something is due when event time comes on from `before` to `watermark`; forgets those that take no more rows.
    pub(super) fn look(&mut self, watermark: Watermark, before: Watermark) -> Vec<LookedAt> {
        let mut keys = BTreeSet::new();
        while self.due.first().is_some_and(|(at, _)| at.saturating_sub(1) <= watermark.0) {
            keys.extend(self.due.pop_first().map(|(_, key)| key));
        }
        let mut all = Vec::new();
        for key in keys {
            let Some(sessions) = self.sessions.remove(&key) else { continue };
            let mut left = Vec::new();
            for session in sessions {
                let end = self.end_of(session.last);
                let past = self.times.is_past(end, watermark);
                let comes = if is_closing(end, watermark) {
                    !is_closing(end, before)
                } else {
                    self.times.trigger.comes(session.first, before.0, watermark.0)
                };
                if !past {
                    left.push(session);
                }
                if comes || past {
                    all.push(LookedAt { key: Arc::clone(&key), session, comes, past });
                }
            }
            if !left.is_empty() {
                self.put(key, left, watermark);
            }
        }
        all
    }

    /// When the next key is to be looked at.
    pub(super) fn next(&self) -> Option<i64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The memory held, in bytes, about.
    pub(super) fn held(&self) -> usize {
        self.sessions.len() * KNOWN + self.due.len() * DUE
    }
}
