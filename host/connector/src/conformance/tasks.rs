//! The suite of the [`Sink`] contract where a job goes on with another number of tasks.

use wasmill_flow::{Epoch, TaskIndex};

use super::sinks::rows;
use crate::{Prepared, Sink};

/// What the suite needs to know of a sink by epoch, whose output can be taken back.
pub struct SinkTasksUnderTest<'a> {
    /// Makes a task's sink of rows of [`super::schema`] on the output, as a process does that starts after another was killed.
    pub open: &'a dyn Fn(TaskIndex) -> Box<dyn Sink>,
    /// The numbers that are visible in the output, in any order.
    pub visible: &'a dyn Fn() -> Vec<i64>,
    /// Empties the output and whatever lies beside it.
    pub reset: &'a dyn Fn(),
}

/// How far the tasks come behind the epoch that is gone back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Further {
    /// It is prepared, and nothing was committed.
    Prepared,
    /// The first task has committed it.
    PartlyCommitted,
    /// All have, have written more and prepared the next.
    NextPrepared,
    /// And have committed that, too.
    NextCommitted,
}

/// Checks clause 5 of [`Sink`]'s contract for other numbers of tasks, more and fewer, one after the other and back again.
///
/// # Panics
/// Where a sink breaks its contract.
pub async fn check_sink_tasks(under_test: &SinkTasksUnderTest<'_>) {
    use Further::{NextCommitted, NextPrepared, PartlyCommitted, Prepared};
    for further in [Prepared, PartlyCommitted, NextPrepared, NextCommitted] {
        for counts in [[1, 2, 1], [2, 1, 3], [2, 3, 2], [4, 3, 1], [1, 4, 2], [3, 3, 3]] {
            (under_test.reset)();
            let mut run = Run { under_test, epoch: 0, next: 0, checkpoints: Vec::new() };
            for tasks in counts {
                run.live(tasks, further, &format!("{counts:?} tasks, {further:?}")).await;
            }
            // Back to where the first of them ended, with as many tasks as at the end.
            run.checkpoints.truncate(1);
            run.live(counts[2], further, &format!("{counts:?} tasks, {further:?}, back to the first")).await;
        }
    }
}

/// What a checkpoint has of a sink: the epoch, what each task had prepared, and how many rows there were.
type Checkpoint = (u64, Vec<Prepared>, i64);

struct Run<'a> {
    under_test: &'a SinkTasksUnderTest<'a>,
    epoch: u64,
    next: i64,
    checkpoints: Vec<Checkpoint>,
}

impl Run<'_> {
    /// Starts so many tasks on the newest checkpoint; all but the last of them write; leaves a checkpoint, and more behind it.
    async fn live(&mut self, of: u32, further: Further, when: &str) {
        let last = self.checkpoints.last().cloned();
        (self.epoch, self.next) = last.as_ref().map_or((0, 0), |(epoch, _, rows)| (*epoch, *rows));
        let last = last.map(|(_, prepared, _)| prepared);
        let mut sinks = self.recovered(of, last.as_deref(), when).await;
        self.write(&mut sinks).await;
        let prepared = self.prepare(&mut sinks).await;
        self.checkpoints.push((self.epoch, prepared.clone(), self.next));
        let committing = match further {
            Further::Prepared => 0,
            Further::PartlyCommitted => 1,
            Further::NextPrepared | Further::NextCommitted => sinks.len(),
        };
        for (sink, prepared) in sinks.iter_mut().zip(&prepared).take(committing) {
            sink.commit(prepared).await.expect("a commit");
        }
        if matches!(further, Further::NextPrepared | Further::NextCommitted) {
            self.expect_visible(self.next, when);
            self.write(&mut sinks).await;
            let prepared = self.prepare(&mut sinks).await;
            if further == Further::NextCommitted {
                for (sink, prepared) in sinks.iter_mut().zip(&prepared) {
                    sink.commit(prepared).await.expect("a commit");
                }
                self.expect_visible(self.next, when);
            }
            self.write(&mut sinks).await;
        }
    }

    /// All tasks, gone back to a checkpoint: once cut short, then wholly, then again.
    async fn recovered(&self, of: u32, last: Option<&[Prepared]>, when: &str) -> Vec<Box<dyn Sink>> {
        let open = || (0..of).map(|index| (self.under_test.open)(TaskIndex { index, of })).collect::<Vec<_>>();
        open()[0].recover(last).await.expect("a recovery that is cut short");
        let mut sinks = open();
        for _ in 0..2 {
            for sink in &mut sinks {
                sink.recover(last).await.expect("a recovery");
            }
            self.expect_visible(self.next, when);
        }
        sinks
    }

    async fn write(&mut self, sinks: &mut [Box<dyn Sink>]) {
        let writing = (sinks.len() - 1).max(1);
        for sink in &mut sinks[..writing] {
            sink.write(&rows(self.next..self.next + 3)).await.expect("a write");
            self.next += 3;
        }
    }

    async fn prepare(&mut self, sinks: &mut [Box<dyn Sink>]) -> Vec<Prepared> {
        self.epoch += 1;
        let mut prepared = Vec::new();
        for sink in sinks {
            prepared.push(sink.prepare(Epoch(self.epoch)).await.expect("a preparation"));
        }
        prepared
    }

    fn expect_visible(&self, rows: i64, when: &str) {
        let mut visible = (self.under_test.visible)();
        visible.sort_unstable();
        assert_eq!(visible, (0..rows).collect::<Vec<_>>(), "5: {when}, epoch {}: each row once", self.epoch);
    }
}
