//! How far event time has come for whoever has several inputs: as far as on the one that is furthest behind.

use wasmill_flow::{Progress, Watermark};

/// What is known of each input, and of all together.
///
/// Idle inputs are left out: the watermark is the least of the others. Where all are idle it is the greatest of them, since none of them
/// holds anything up, and the whole is idle. Inputs that have ended are left out, too, until all have: what idles may still have rows. It never
/// goes back: an input that comes back behind it has late rows.
#[derive(Debug, Clone)]
pub struct Frontier {
    inputs: Vec<Progress>,
    whole: Progress,
}

impl Frontier {
    /// So many inputs, of which nothing is known; at least one.
    #[must_use]
    pub fn new(inputs: usize) -> Self {
        Self { inputs: vec![Progress::NONE; inputs], whole: Progress::NONE }
    }

    /// What is known of all together.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.whole
    }

    /// Whether anything is known of any input: rows of other jobs have no event times.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.inputs.iter().any(|input| *input != Progress::NONE)
    }

    /// Takes what is known of an input now; what is known of all together, where that is something new. One look at each input.
    pub fn update(&mut self, input: usize, progress: Progress) -> Option<Progress> {
        let known = &mut self.inputs[input];
        *known = Progress { watermark: progress.watermark.max(known.watermark), idle: progress.idle };
        let live = || self.inputs.iter().filter(|input| input.watermark < Watermark::END);
        let active = live().filter(|input| !input.idle).map(|input| input.watermark).min();
        let watermark = active.or_else(|| live().map(|input| input.watermark).max()).unwrap_or(Watermark::END);
        let idle = active.is_none() && watermark < Watermark::END;
        let whole = Progress { watermark: watermark.max(self.whole.watermark), idle };
        let new = whole != self.whole;
        self.whole = whole;
        new.then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64) -> Progress {
        Progress { watermark: Watermark(time), idle: false }
    }

    fn idle(time: i64) -> Progress {
        Progress { watermark: Watermark(time), idle: true }
    }

    #[test]
    fn the_input_that_is_furthest_behind_holds_up_the_others() {
        let mut frontier = Frontier::new(2);
        assert_eq!(frontier.update(0, at(10)), None);
        assert_eq!(frontier.update(1, at(4)), Some(at(4)));
        assert_eq!(frontier.update(0, at(20)), None);
        assert_eq!(frontier.update(1, at(30)), Some(at(20)));
        assert_eq!(frontier.update(1, Progress::END), None);
        assert_eq!(frontier.update(0, Progress::END), Some(Progress::END));
    }

    #[test]
    fn an_idle_input_is_left_out_and_taken_back() {
        let mut frontier = Frontier::new(2);
        assert_eq!(frontier.update(0, at(10)), None);
        assert_eq!(frontier.update(1, idle(i64::MIN)), Some(at(10)));
        assert_eq!(frontier.update(0, at(20)), Some(at(20)));
        // It comes back behind: what it brings is late, and it holds up again.
        assert_eq!(frontier.update(1, at(5)), None);
        assert_eq!(frontier.update(0, at(40)), None);
        assert_eq!(frontier.update(1, at(30)), Some(at(30)));
    }

    #[test]
    fn where_all_are_idle_the_one_that_is_furthest_ahead_counts() {
        let mut frontier = Frontier::new(2);
        frontier.update(0, at(10));
        frontier.update(1, at(4));
        assert_eq!(frontier.update(1, idle(4)), Some(at(10)));
        assert_eq!(frontier.update(0, idle(10)), Some(idle(10)));
        assert_eq!(frontier.update(1, at(7)), Some(at(10)), "active again, though no further");
    }

    #[test]
    fn what_idles_beside_what_has_ended_is_not_at_its_end() {
        let mut frontier = Frontier::new(2);
        frontier.update(0, at(10));
        frontier.update(1, at(4));
        assert_eq!(frontier.update(0, Progress::END), None, "as far as the other");
        assert_eq!(frontier.update(1, idle(4)), Some(idle(4)));
        assert_eq!(frontier.update(1, at(7)), Some(at(7)));
        assert_eq!(frontier.update(1, Progress::END), Some(Progress::END));
    }

    #[test]
    fn nothing_goes_back() {
        let mut frontier = Frontier::new(1);
        assert_eq!(frontier.update(0, at(10)), Some(at(10)));
        assert_eq!(frontier.update(0, at(3)), None);
        assert_eq!(frontier.progress(), at(10));
    }
}
