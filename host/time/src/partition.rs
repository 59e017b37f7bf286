//! How far event time has come in one partition of a source, after every row, and where its batches are cut.

use std::ops::Range;

use wasmill_flow::Watermark;

/// So many rows one after the other, all too far ahead, are believed: event time has gone on, as after a long pause.
const BELIEVED: u32 = 100;

/// Event time of one partition: its watermark follows the greatest claim so far.
///
/// A row's claim is its event time, which the watermark stays a bound behind, less 1 ms, since rows of the same time may still come; or it
/// is the watermark itself, which only some rows say.
#[derive(Debug, Clone)]
pub struct PartitionTime {
    /// How far the watermark is behind the greatest claim.
    behind: i64,
    max_jump: Option<i64>,
    reached: Reached,
    /// Claims that were too far ahead to count.
    too_far: u64,
    /// The last watermark that was sent.
    sent: Watermark,
}

/// What a checkpoint keeps of a partition's event time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// The greatest claim that counted.
    pub largest: Option<i64>,
    /// How many of the last rows, one after the other, were too far ahead of it, and the least claim of them.
    pub ahead: Option<(u32, i64)>,
}

/// Rows that travel as one batch, and the watermark to send behind them, where it has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The rows, as a range of those that were read.
    pub rows: Range<usize>,
    /// What follows them.
    pub watermark: Option<Watermark>,
}

impl PartitionTime {
    /// A partition whose rows are at most so many milliseconds out of order; 0 where their times ascend.
    #[must_use]
    pub fn bounded(bound: u64) -> Self {
        Self::new(i64::try_from(bound).unwrap_or(i64::MAX).saturating_add(1))
    }

    /// A partition in which some rows say what the watermark is.
    #[must_use]
    pub fn punctuated() -> Self {
        Self::new(0)
    }

    fn new(behind: i64) -> Self {
        Self { behind, max_jump: None, reached: Reached::default(), too_far: 0, sent: Watermark::NONE }
    }

    /// A claim that is more than so many milliseconds ahead of all before it doesn't count, unless a hundred rows one after the other are
    /// that far ahead: then the least of them does.
    #[must_use]
    pub fn with_max_jump(self, most: Option<u64>) -> Self {
        Self { max_jump: most.map(|most| i64::try_from(most).unwrap_or(i64::MAX)), ..self }
    }

    /// What a checkpoint keeps.
    #[must_use]
    pub fn reached(&self) -> Reached {
        self.reached
    }

    /// How many claims were too far ahead to count, since it was made.
    #[must_use]
    pub fn too_far(&self) -> u64 {
        self.too_far
    }

    /// Goes on from a checkpoint; the watermark is to be sent before any row.
    pub fn resume(&mut self, reached: Reached) -> Watermark {
        self.reached = reached;
        self.sent = self.watermark();
        self.sent
    }

    /// The watermark behind the rows so far. That of the end is never among them.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.watermark_at(self.reached)
    }

    /// The watermark where it has come so far.
    #[must_use]
    pub fn watermark_at(&self, reached: Reached) -> Watermark {
        reached.largest.map_or(Watermark::NONE, |largest| self.behind(largest))
    }

    fn behind(&self, largest: i64) -> Watermark {
        Watermark(largest.saturating_sub(self.behind).min(Watermark::END.0 - 1))
    }

    /// Takes rows that were read together, which claim their event times, and says where to cut them.
    ///
    /// A batch ends before a row that is at or behind the watermark which earlier rows of the same batch have raised: were it in one batch
    /// with them, whether it is late would depend on how rows were read together. Constant time a row.
    pub fn cut(&mut self, times: &[i64], cuts: &mut Vec<Cut>) {
        if self.take_together(times) {
            cuts.push(self.ending(0..times.len()));
        } else {
            self.cut_by(times, |row| Some(times[row]), cuts);
        }
    }

    /// The same for rows that claim something else, or nothing.
    pub fn cut_by(&mut self, times: &[i64], claim: impl Fn(usize) -> Option<i64>, cuts: &mut Vec<Cut>) {
        let mut start = 0;
        let mut watermark = self.watermark();
        for (row, &time) in times.iter().enumerate() {
            if time <= watermark.0 && watermark > self.sent {
                cuts.push(self.ending(start..row));
                start = row;
            }
            if let Some(claim) = claim(row) {
                self.take(claim);
                watermark = self.watermark();
            }
        }
        if start < times.len() {
            cuts.push(self.ending(start..times.len()));
        }
    }

    /// Takes rows in one pass, where none is too far ahead, nor at or behind the watermark that they raise together; whether that is so.
    fn take_together(&mut self, times: &[i64]) -> bool {
        let (&[first, ..], Reached { largest, ahead: None }) = (times, self.reached) else { return false };
        let (least, greatest) =
            times.iter().fold((first, first), |(least, greatest), &time| (least.min(time), greatest.max(time)));
        let within = self.max_jump.is_none_or(|most| largest.is_some_and(|largest| greatest.saturating_sub(largest) <= most));
        let largest = largest.map_or(greatest, |largest| largest.max(greatest));
        let together = within && least > self.behind(largest).0;
        if together {
            self.reached.largest = Some(largest);
        }
        together
    }

    fn take(&mut self, claim: i64) {
        let Reached { largest, ahead } = self.reached;
        let is_too_far = |largest: i64| self.max_jump.is_some_and(|most| claim.saturating_sub(largest) > most);
        self.reached = match largest {
            Some(far) if is_too_far(far) => {
                let (rows, least) = ahead.map_or((1, claim), |(rows, least)| (rows + 1, least.min(claim)));
                if rows < BELIEVED {
                    self.too_far += 1;
                    Reached { largest, ahead: Some((rows, least)) }
                } else {
                    Reached { largest: Some(least), ahead: None }
                }
            }
            _ => Reached { largest: largest.max(Some(claim)), ahead: None },
        };
    }

    fn ending(&mut self, rows: Range<usize>) -> Cut {
        let watermark = self.watermark();
        let moved = watermark > self.sent;
        self.sent = self.sent.max(watermark);
        Cut { rows, watermark: moved.then_some(watermark) }
    }
}

#[cfg(test)]
mod tests;
