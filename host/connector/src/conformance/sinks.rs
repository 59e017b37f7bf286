//! The suite of the [`Sink`] contract.

use std::ops::Range;
use std::slice::from_ref;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use wasmill_flow::Epoch;

use crate::{Prepared, Sink, Visibility};

/// What the suite needs to know of a sink.
pub struct SinkUnderTest<'a> {
    /// Makes a sink of rows of [`schema`] on the output, as a process does that starts after another was killed.
    pub open: &'a dyn Fn() -> Box<dyn Sink>,
    /// The lines that are visible in the output.
    pub visible: &'a dyn Fn() -> Vec<String>,
    /// Empties the output and whatever lies beside it.
    pub reset: &'a dyn Fn(),
    /// How the sink was made.
    pub visibility: Visibility,
    /// What of the contract the output is able to hold.
    pub promise: Promise,
}

/// What an output is able to hold of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// All of it.
    ExactlyOnce,
    /// All of it, but that what is visible can't be taken back: to recover to an epoch before it is refused, code `output-ahead`.
    ForwardOnly,
    /// What was visible can't be taken back, and can't be looked at: after a crash rows may come again.
    AtLeastOnce,
    /// All of it, but that without epochs rows are visible only once the sink is closed: a file that is whole at its end.
    WhenClosed,
    /// Nothing is ever visible.
    Nothing,
}

/// The column of the rows that the suite writes: `n`, an `int64`.
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

pub(super) fn rows(range: Range<i64>) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(range))]).expect("columns of the schema")
}

fn lines(range: Range<i64>) -> Vec<String> {
    range.map(|n| format!("{{\"n\":{n}}}")).collect()
}

/// Checks all that the contract of [`Sink`] promises.
///
/// # Panics
/// Where a sink breaks its contract; the message names the clause.
pub async fn check_sink(under_test: &SinkUnderTest<'_>) {
    match under_test.visibility {
        Visibility::AtOnce => check_at_once(under_test).await,
        Visibility::ByEpoch => {
            epochs_become_visible_by_their_commit(under_test).await;
            if under_test.promise != Promise::Nothing {
                every_crash_is_recovered_from(under_test).await;
            }
        }
    }
}

async fn check_at_once(under_test: &SinkUnderTest<'_>) {
    (under_test.reset)();
    let mut sink = (under_test.open)();
    let mut written = 0;
    for count in [1, 2, 1000, 1, 20_000] {
        sink.write(&rows(written..written + count)).await.expect("a write");
        written += count;
        sink.flush().await.expect("a flush");
        let visible = if under_test.promise == Promise::WhenClosed { 0 } else { written };
        expect_visible(under_test, &lines(0..visible), "2: what was written is visible after flush, in order (1)");
    }
    drop(sink);
    let visible = if under_test.promise == Promise::WhenClosed { 0 } else { written };
    expect_visible(under_test, &lines(0..visible), "6: dropping a sink leaves what was visible");
    (under_test.reset)();
    let mut sink = (under_test.open)();
    sink.write(&rows(0..10)).await.expect("a write");
    sink.close().await.expect("a close");
    expect_visible(under_test, &lines(0..10), "2: what was written is visible after close");
    for error in [sink.recover(None).await.err(), sink.prepare(Epoch(1)).await.err()] {
        assert!(error.is_none_or(|error| error.code == "sink-not-by-epoch"), "a sink without epochs says so");
    }
}

/// A call of a sink. Numbers are those of rows and of epochs.
#[derive(Debug, Clone)]
enum Call {
    Write(Range<i64>),
    Flush,
    Prepare(u64),
    Commit(u64),
}

/// Calls as a job makes them: plain epochs, epochs without rows, epochs prepared before the one before them is committed, and epochs
/// whose checkpoint failed, so that they are committed with a later one.
fn script() -> Vec<Call> {
    use Call::{Commit, Flush, Prepare, Write};
    vec![
        Write(0..3),
        Prepare(1),
        Commit(1),
        Write(3..5),
        Flush,
        Write(5..6),
        Prepare(2),
        Write(6..20_006),
        Commit(2),
        Flush,
        Prepare(3),
        Prepare(4),
        Commit(3),
        Commit(4),
        Write(20_006..20_010),
        Prepare(5),
        Write(20_010..20_011),
        Prepare(6),
        Write(20_011..20_012),
        Commit(5),
        Commit(6),
        Prepare(7),
        Write(20_012..20_014),
        Prepare(8),
        Prepare(9),
        Write(20_014..20_015),
        Commit(9),
        Write(20_015..20_016),
        Prepare(10),
        Commit(10),
    ]
}

/// A sink in the middle of the script, and what it must have made visible.
struct Run {
    sink: Box<dyn Sink>,
    prepared: Vec<(u64, Prepared, i64)>,
    written: i64,
    visible: i64,
    committed: u64,
}

impl Run {
    async fn start(under_test: &SinkUnderTest<'_>) -> Self {
        (under_test.reset)();
        let mut sink = (under_test.open)();
        sink.recover(None).await.expect("a fresh start");
        Self { sink, prepared: Vec::new(), written: 0, visible: 0, committed: 0 }
    }

    async fn call(&mut self, call: &Call) {
        match call {
            Call::Write(range) => {
                self.sink.write(&rows(range.clone())).await.expect("a write");
                self.written = range.end;
            }
            Call::Flush => self.sink.flush().await.expect("a flush"),
            Call::Prepare(epoch) => {
                let prepared = self.sink.prepare(Epoch(*epoch)).await.expect("a preparation");
                let stored = serde_json::to_string(&prepared).expect("what is prepared is JSON");
                self.prepared.push((*epoch, serde_json::from_str(&stored).expect("it reads back"), self.written));
            }
            Call::Commit(epoch) => {
                let (_, prepared, rows) = self.of(*epoch);
                self.sink.commit(&prepared).await.expect("a commit");
                (self.visible, self.committed) = (rows, *epoch);
            }
        }
    }

    fn of(&self, epoch: u64) -> (u64, Prepared, i64) {
        self.prepared.iter().find(|(prepared, ..)| *prepared == epoch).expect("the script prepares before it commits").clone()
    }
}

async fn epochs_become_visible_by_their_commit(under_test: &SinkUnderTest<'_>) {
    let mut run = Run::start(under_test).await;
    for call in script() {
        run.call(&call).await;
        expect_visible(under_test, &lines(0..run.visible), "3: rows are visible once their epoch is committed, and not before");
        if let Call::Commit(epoch) = call {
            let (_, prepared, rows) = run.of(epoch);
            run.sink.commit(&prepared).await.expect("a second commit");
            expect_visible(under_test, &lines(0..rows), "4: a second commit changes nothing");
            (under_test.open)().commit(&prepared).await.expect("a commit by another");
            expect_visible(under_test, &lines(0..rows), "4: a commit by another process changes nothing");
        }
    }
    drop(run.sink);
    expect_visible(under_test, &lines(0..run.visible), "6: dropping a sink leaves what was visible");
}

/// Drops the sink after each call of the script, and recovers to every epoch that the last checkpoint may have been of: the last
/// committed one, or one that was prepared after it. Where output can be taken back, to the one before too.
async fn every_crash_is_recovered_from(under_test: &SinkUnderTest<'_>) {
    let back = u64::from(under_test.promise == Promise::ExactlyOnce);
    for calls in 0..=script().len() {
        let Run { prepared, committed, .. } = crash_after(under_test, calls).await;
        let candidates = std::iter::once(None).chain(prepared.into_iter().map(Some));
        for last in candidates {
            let epoch = last.as_ref().map_or(0, |(epoch, ..)| *epoch);
            if epoch + back < committed {
                if let (Promise::ForwardOnly, Some((_, prepared, _))) = (under_test.promise, last)
                    && epoch + 1 == committed
                {
                    let Run { visible, prepared: of_run, .. } = crash_after(under_test, calls).await;
                    let prepared =
                        of_run.iter().find(|(other, ..)| *other == epoch).map_or(prepared, |(_, prepared, _)| prepared.clone());
                    let refused = (under_test.open)()
                        .recover(Some(from_ref(&prepared)))
                        .await
                        .expect_err("5: what is visible can't be taken back");
                    assert_eq!(refused.code, "output-ahead");
                    expect_visible(under_test, &lines(0..visible), "5: a recovery that is refused changes nothing");
                }
                continue;
            }
            let run = crash_after(under_test, calls).await;
            // What was prepared then may differ from run to run: a number that tells runs apart.
            let last = last.map(|(epoch, ..)| run.of(epoch));
            drop(run);
            recover_and_go_on(under_test, last, &format!("after {calls} calls")).await;
        }
    }
}

async fn crash_after(under_test: &SinkUnderTest<'_>, calls: usize) -> Run {
    let mut run = Run::start(under_test).await;
    for call in &script()[..calls] {
        run.call(call).await;
    }
    run
}

async fn recover_and_go_on(under_test: &SinkUnderTest<'_>, last: Option<(u64, Prepared, i64)>, when: &str) {
    let (epoch, prepared, rows_then) = match last {
        Some((epoch, prepared, rows)) => (epoch, Some(prepared), rows),
        None => (0, None, 0),
    };
    let mut sink = (under_test.open)();
    for _ in 0..2 {
        sink.recover(prepared.as_ref().map(from_ref)).await.expect("a recovery");
        expect_recovered(
            under_test,
            &lines(0..rows_then),
            &format!("5: {when}, recovery to epoch {epoch} brings back exactly that"),
        );
    }
    drop(sink);
    let mut sink = (under_test.open)();
    sink.recover(prepared.as_ref().map(from_ref)).await.expect("a recovery of a recovered output");
    sink.write(&rows(rows_then..rows_then + 2)).await.expect("a write");
    let next = sink.prepare(Epoch(epoch + 1)).await.expect("a preparation");
    expect_recovered(under_test, &lines(0..rows_then), "3: rows after a recovery are invisible before their commit");
    sink.commit(&next).await.expect("a commit");
    expect_recovered(under_test, &lines(0..rows_then + 2), "5: rows after a recovery follow those before it");
}

fn expect_visible(under_test: &SinkUnderTest<'_>, expected: &[String], clause: &str) {
    let visible = (under_test.visible)();
    let expected = if under_test.promise == Promise::Nothing { &[] } else { expected };
    assert!(visible == expected, "{clause}: {} lines, expected {}", visible.len(), expected.len());
}

/// As [`expect_visible`]; with [`Promise::AtLeastOnce`] rows may have come again, and later ones may be there already.
fn expect_recovered(under_test: &SinkUnderTest<'_>, expected: &[String], clause: &str) {
    if under_test.promise == Promise::AtLeastOnce {
        let visible = first_time_each(&(under_test.visible)());
        assert!(visible.starts_with(expected), "{clause}: {} lines, expected {}", visible.len(), expected.len());
    } else {
        expect_visible(under_test, expected, clause);
    }
}

/// Lines without those that came before.
fn first_time_each(lines: &[String]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    lines.iter().filter(|line| seen.insert(*line)).cloned().collect()
}
