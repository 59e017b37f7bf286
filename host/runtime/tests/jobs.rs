//! Whole jobs with parts that are made for the test: what the runtime promises, without connectors and plugins.

#[path = "jobs/parts.rs"]
mod parts;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parts::{Behaviour, Parts};
use tokio::sync::{mpsc, watch};
use wasmill_job::plan::plan;
use wasmill_runtime::{JobError, JobRun, MemoryBudget, NodeCounts, Outcome, assembly};
use wasmill_time::ProcessingClock;

async fn run(parts: &Parts, stop: watch::Receiver<bool>) -> Result<Outcome, JobError> {
    let job = &parts.job;
    let plan = plan(job);
    let counts = Arc::new(assembly::counts(job));
    let memory = Arc::new(MemoryBudget::new(1 << 30));
    let run = JobRun {
        job,
        plan: &plan,
        factory: parts,
        counts: Arc::clone(&counts),
        durability: None,
        memory,
        clock: ProcessingClock::start(),
        stop,
        savepoints: mpsc::unbounded_channel().1,
    };
    let outcome = run.run().await;
    if outcome.is_ok() {
        assert_eq!(
            NodeCounts::get(&counts.sinks[0].rows_in),
            parts.written().len() as u64,
            "what is counted is what was written"
        );
    }
    outcome
}

fn never() -> watch::Receiver<bool> {
    // The sender is dropped: no one can ask any more.
    watch::channel(false).1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_once_and_rows_of_a_key_in_order() {
    for parallelism in [1, 2, 3] {
        let parts = Parts::new(Behaviour::Pass, parallelism, Some(10_000));
        assert_eq!(run(&parts, never()).await, Ok(Outcome::Finished));
        let written = parts.written();
        let mut sorted = written.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10_000).collect::<Vec<i64>>(), "parallelism {parallelism}");
        for key in 0..parts::KEYS {
            let of_key: Vec<i64> = written.iter().copied().filter(|row| row % parts::KEYS == key).collect();
            // Each of the source's tasks has rows of every key; those of one task must come in order.
            for task in 0..i64::from(parallelism) {
                let of_task: Vec<i64> = of_key.iter().copied().filter(|row| parts::task_of(*row, parallelism) == task).collect();
                assert!(of_task.is_sorted(), "key {key} of task {task}: {of_task:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_host_ends_its_own_job_only() {
    let doomed = Parts::new(Behaviour::Panic, 2, Some(10_000));
    let other = Parts::new(Behaviour::Pass, 2, Some(10_000));
    let (failed, finished) = tokio::join!(run(&doomed, never()), run(&other, never()));
    let error = failed.expect_err("it panicked");
    assert_eq!(error.code, "internal-panic");
    assert!(error.message.starts_with("a task of the host panicked: row "), "{}", error.message);
    assert_eq!(finished, Ok(Outcome::Finished));
    assert_eq!(other.written().len(), 10_000, "the neighbour loses nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_that_is_shown_is_the_cause_and_not_its_consequences() {
    let parts = Parts::new(Behaviour::Fail, 3, Some(100_000));
    let error = run(&parts, never()).await.expect_err("it fails");
    assert_eq!((error.code, error.operator.as_deref()), ("test-failed", Some("work")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_writes_everything_that_was_read() {
    let parts = Parts::new(Behaviour::Pass, 2, None);
    let (stop, stopped) = watch::channel(false);
    let (outcome, ()) = tokio::join!(run(&parts, stopped), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.send(true).expect("the job runs");
    });
    assert_eq!(outcome, Ok(Outcome::Stopped));
    assert_eq!(parts.written().len() as u64, parts.read.load(Relaxed), "nothing that was read is lost");
    assert!(parts.closed.load(Relaxed), "sinks are closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_sink_stops_the_source() {
    let parts = Parts::new(Behaviour::Dawdle, 1, None);
    let (stop, stopped) = watch::channel(false);
    let (outcome, ()) = tokio::join!(run(&parts, stopped), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let ahead = parts.read.load(Relaxed) - parts.written().len() as u64;
        // A full lane, the batch that waits for room in it, and the one that is being worked on.
        let most = 4 * 64 + 2 * 64;
        assert!(ahead <= most, "{ahead} rows are under way, at most {most} may be");
        stop.send(true).expect("the job runs");
    });
    assert_eq!(outcome, Ok(Outcome::Stopped));
}

#[tokio::test]
async fn an_operator_without_rows_for_a_while_is_told_so_and_goes_on_when_they_come() {
    let parts = Parts::new(Behaviour::Rest, 1, Some(128));
    assert_eq!(run(&parts, never()).await, Ok(Outcome::Finished));
    assert_eq!(parts.written().len(), 128);
    // In real time: operators are told after 10 s.
    assert_eq!(parts.idled.load(Relaxed), 1);
}
