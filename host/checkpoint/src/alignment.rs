//! Which inputs of a task have delivered the barrier, and which must be held back until all have.

use wasmill_flow::{Barrier, Epoch};

/// What an input did that it may not do: a bug of the engine, never of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disorder {
    /// Another barrier than the one whose turn it is.
    #[error("input {input} delivered barrier {found}, expected barrier {expected}")]
    Order {
        /// The input.
        input: usize,
        /// Its barrier.
        found: Epoch,
        /// The one whose turn it is.
        expected: Epoch,
    },
    /// Something of an input that is held back.
    #[error("input {input} delivered {what}, but is held back for barrier {epoch}")]
    HeldBack {
        /// The input.
        input: usize,
        /// What it delivered.
        what: &'static str,
        /// The barrier that other inputs haven't delivered.
        epoch: Epoch,
    },
    /// Something after the end that may not come after it.
    #[error("input {input} delivered {what} after its end")]
    AfterEnd {
        /// The input.
        input: usize,
        /// What it delivered.
        what: &'static str,
    },
    /// Something after the last barrier.
    #[error("input {input} delivered {what} after the last barrier")]
    AfterLast {
        /// The input.
        input: usize,
        /// What it delivered.
        what: &'static str,
    },
    /// A barrier that is the last for one input, and isn't for another.
    #[error("input {input} and one before it don't agree whether barrier {epoch} is the last")]
    Last {
        /// The input.
        input: usize,
        /// The barrier.
        epoch: Epoch,
    },
}

/// What became of a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Other inputs haven't delivered it yet: this one is to be held back.
    Waiting,
    /// All inputs have delivered it: snapshot, pass it on, and let all inputs go on.
    Aligned(Barrier),
}

#[derive(Debug, Clone, Copy, Default)]
struct Input {
    /// Whether it has delivered the barrier whose turn it is.
    delivered: bool,
    ended: bool,
}

/// The inputs of a task, and the barrier whose turn it is. Barriers come in order of their epochs, none left out, on every input,
/// also after its end.
#[derive(Debug)]
pub struct Alignment {
    inputs: Vec<Input>,
    expected: Epoch,
    /// How many inputs have delivered it, and whether they say that it is the last.
    delivered: usize,
    last: bool,
    finished: bool,
}

impl Alignment {
    /// A task with so many inputs, whose first barrier is that of epoch `first`: the one after the checkpoint that was restored.
    #[must_use]
    pub fn new(inputs: usize, first: Epoch) -> Self {
        Self { inputs: vec![Input::default(); inputs], expected: first, delivered: 0, last: false, finished: false }
    }

    /// Whether nothing may be taken from an input now.
    ///
    /// # Panics
    /// Where there is no such input.
    #[must_use]
    #[inline]
    pub fn is_held_back(&self, input: usize) -> bool {
        self.inputs[input].delivered
    }

    /// Whether no input will have rows any more.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        self.inputs.iter().all(|input| input.ended)
    }

    /// Whether the last barrier is aligned.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The barrier whose turn it is.
    #[must_use]
    pub fn expected(&self) -> Epoch {
        self.expected
    }

    /// Takes note of rows.
    ///
    /// # Errors
    /// [`Disorder`] where no rows may come.
    ///
    /// # Panics
    /// Where there is no such input.
    #[inline]
    pub fn rows(&self, input: usize) -> Result<(), Disorder> {
        self.check(input, "rows")?;
        if self.inputs[input].ended {
            return Err(Disorder::AfterEnd { input, what: "rows" });
        }
        Ok(())
    }

    /// Takes note of an input's end. Whether all have ended now.
    ///
    /// # Errors
    /// [`Disorder`] where it has ended before, or nothing may come.
    ///
    /// # Panics
    /// Where there is no such input.
    pub fn end(&mut self, input: usize) -> Result<bool, Disorder> {
        self.check(input, "its end")?;
        if std::mem::replace(&mut self.inputs[input].ended, true) {
            return Err(Disorder::AfterEnd { input, what: "its end" });
        }
        Ok(self.all_ended())
    }

    /// Takes note of a barrier.
    ///
    /// # Errors
    /// [`Disorder`] where it isn't the one whose turn it is.
    ///
    /// # Panics
    /// Where there is no such input.
    pub fn barrier(&mut self, input: usize, barrier: Barrier) -> Result<Progress, Disorder> {
        self.check(input, "a barrier")?;
        if barrier.epoch != self.expected {
            return Err(Disorder::Order { input, found: barrier.epoch, expected: self.expected });
        }
        if self.delivered > 0 && barrier.last != self.last {
            return Err(Disorder::Last { input, epoch: barrier.epoch });
        }
        self.last = barrier.last;
        self.inputs[input].delivered = true;
        self.delivered += 1;
        if self.delivered < self.inputs.len() {
            return Ok(Progress::Waiting);
        }
        self.inputs.iter_mut().for_each(|input| input.delivered = false);
        self.delivered = 0;
        self.expected = self.expected.next();
        self.finished = barrier.last;
        Ok(Progress::Aligned(barrier))
    }

    #[inline]
    fn check(&self, input: usize, what: &'static str) -> Result<(), Disorder> {
        if self.finished {
            return Err(Disorder::AfterLast { input, what });
        }
        if self.inputs[input].delivered {
            return Err(Disorder::HeldBack { input, what, epoch: self.expected });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn barrier(epoch: u64) -> Barrier {
        Barrier { epoch: Epoch(epoch), last: false, since: None }
    }

    fn last(epoch: u64) -> Barrier {
        Barrier { epoch: Epoch(epoch), last: true, since: None }
    }

    #[test]
    fn a_barrier_is_aligned_when_all_inputs_have_delivered_it() {
        let mut alignment = Alignment::new(3, Epoch(8));
        for epoch in [8, 9] {
            assert_eq!(alignment.barrier(1, barrier(epoch)), Ok(Progress::Waiting));
            assert_eq!([0, 1, 2].map(|input| alignment.is_held_back(input)), [false, true, false]);
            assert_eq!(alignment.rows(0), Ok(()));
            assert_eq!(alignment.barrier(2, barrier(epoch)), Ok(Progress::Waiting));
            assert_eq!(alignment.barrier(0, barrier(epoch)), Ok(Progress::Aligned(barrier(epoch))));
            assert_eq!([0, 1, 2].map(|input| alignment.is_held_back(input)), [false; 3]);
        }
        assert_eq!(alignment.expected(), Epoch(10));
    }

    #[test]
    fn the_barrier_of_an_only_input_is_aligned_at_once() {
        let mut alignment = Alignment::new(1, Epoch(1));
        assert_eq!(alignment.barrier(0, barrier(1)), Ok(Progress::Aligned(barrier(1))));
        assert_eq!(alignment.barrier(0, last(2)), Ok(Progress::Aligned(last(2))));
        assert!(alignment.is_finished());
    }

    #[test]
    fn an_input_that_has_ended_still_delivers_barriers() {
        let mut alignment = Alignment::new(2, Epoch(1));
        assert_eq!(alignment.end(0), Ok(false));
        assert_eq!(alignment.barrier(0, barrier(1)), Ok(Progress::Waiting));
        assert_eq!(alignment.barrier(1, barrier(1)), Ok(Progress::Aligned(barrier(1))));
        assert_eq!(alignment.end(1), Ok(true));
        assert!(alignment.all_ended() && !alignment.is_finished());
        assert_eq!(alignment.barrier(1, last(2)), Ok(Progress::Waiting));
        assert_eq!(alignment.barrier(0, last(2)), Ok(Progress::Aligned(last(2))));
    }

    #[test]
    fn what_comes_in_a_wrong_order_is_an_error() {
        let mut alignment = Alignment::new(2, Epoch(5));
        let said = |result: Result<Progress, Disorder>| result.expect_err("disorder").to_string();
        assert_eq!(said(alignment.barrier(0, barrier(6))), "input 0 delivered barrier 6, expected barrier 5");
        assert_eq!(said(alignment.barrier(0, barrier(4))), "input 0 delivered barrier 4, expected barrier 5");
        assert_eq!(alignment.barrier(0, barrier(5)), Ok(Progress::Waiting));
        assert_eq!(said(alignment.barrier(0, barrier(5))), "input 0 delivered a barrier, but is held back for barrier 5");
        assert_eq!(alignment.rows(0), Err(Disorder::HeldBack { input: 0, what: "rows", epoch: Epoch(5) }));
        assert_eq!(said(alignment.barrier(1, last(5))), "input 1 and one before it don't agree whether barrier 5 is the last");
        assert_eq!(alignment.end(1), Ok(false));
        assert_eq!(alignment.rows(1).expect_err("disorder").to_string(), "input 1 delivered rows after its end");
        assert_eq!(alignment.end(1).expect_err("disorder").to_string(), "input 1 delivered its end after its end");
        assert_eq!(alignment.barrier(1, barrier(5)), Ok(Progress::Aligned(barrier(5))));
        assert_eq!(alignment.barrier(0, last(6)), Ok(Progress::Waiting));
        assert_eq!(alignment.barrier(1, last(6)), Ok(Progress::Aligned(last(6))));
        assert_eq!(said(alignment.barrier(1, barrier(7))), "input 1 delivered a barrier after the last barrier");
    }
}
