//! What stops an update: rows that an aggregate can't take, or bytes that none has written.

/// The most bytes that an aggregate of no fixed width may hold of a key: what a value of a plugin's state may have, too.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// Why an update wasn't done. What was changed so far is to be thrown away.
#[derive(Debug)]
pub(super) enum Refused {
    /// A row would take an accumulator of fixed width out of its range.
    Overflow,
    /// These rows can't be taken, in ascending order and with their reasons.
    Rows(Vec<(usize, String)>),
    /// The loaded bytes are none that an aggregate writes.
    Damaged,
}

/// The reason of a row that finds its key full.
pub(super) fn full() -> String {
    format!("it holds {} KiB of this key already, the most that it may", MOST_BYTES / 1024)
}
