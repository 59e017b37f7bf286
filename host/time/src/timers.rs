//! Which timers are next.

use std::collections::BTreeSet;

/// The next timer of each of some keys, by moment and key. A key's later ones are not in here: whoever keeps them moves the key on when its
/// next has fired.
#[derive(Debug, Default)]
pub struct TimerQueue {
    next: BTreeSet<(i64, Box<[u8]>)>,
    /// The bytes of all keys.
    key_bytes: usize,
}

/// What an entry takes beside its key: the entry itself, in nodes that are two thirds full, and what the allocator adds to a key.
const ENTRY_BYTES: usize = 24 * 3 / 2 + 16;

impl TimerQueue {
    /// Moves a key from the moment of its next timer `before` to that of `after`; none where it had, or has, none. Logarithmic.
    pub fn move_on(&mut self, key: &[u8], before: Option<i64>, after: Option<i64>) {
        if before == after {
            return;
        }
        if let Some(before) = before
            && self.next.remove(&(before, key.into()))
        {
            self.key_bytes -= key.len();
        }
        if let Some(after) = after
            && self.next.insert((after, key.into()))
        {
            self.key_bytes += key.len();
        }
    }

    /// The moment of the first.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.next.first().map(|(at, _)| *at)
    }

    /// At most `most` of those that are due at `moment`, in order of their moments, then keys. They stay in the queue.
    pub fn due(&self, moment: i64, most: usize) -> impl Iterator<Item = (i64, &[u8])> {
        self.next.iter().take(most).map(|(at, key)| (*at, &**key)).take_while(move |(at, _)| *at <= moment)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The memory that it takes, in bytes, as well as it can be told.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.next.len() * ENTRY_BYTES + self.key_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_due_come_in_order_of_moment_and_key() {
        let mut queue = TimerQueue::default();
        for (key, at) in [("b", 5), ("a", 5), ("c", 3), ("d", 9)] {
            queue.move_on(key.as_bytes(), None, Some(at));
        }
        let due = |queue: &TimerQueue, moment, most| {
            queue.due(moment, most).map(|(at, key)| (at, String::from_utf8_lossy(key).into_owned())).collect::<Vec<_>>()
        };
        let named = |of: &[(i64, &str)]| of.iter().map(|&(at, key)| (at, key.to_owned())).collect::<Vec<_>>();
        assert_eq!(queue.first(), Some(3));
        assert_eq!(due(&queue, 2, 10), []);
        assert_eq!(due(&queue, 5, 10), named(&[(3, "c"), (5, "a"), (5, "b")]));
        assert_eq!(due(&queue, 9, 2), named(&[(3, "c"), (5, "a")]));
        queue.move_on(b"c", Some(3), Some(7));
        queue.move_on(b"a", Some(5), None);
        assert_eq!(due(&queue, 9, 10), named(&[(5, "b"), (7, "c"), (9, "d")]));
        assert_eq!(queue.bytes(), 3 * ENTRY_BYTES + 3);
        queue.clear();
        assert_eq!((queue.first(), queue.bytes()), (None, 0));
    }
}
