//! A bucket that fails: what is said, and that rows come once all the same.

use object_store::memory::InMemory;
use wasmill_faulty_store::{Fault, FaultyStore, Op, Rule};

use super::*;
use crate::Prepared;

/// A sink that fails is opened again and goes on from the last checkpoint, as a job does that is started again.
struct Driver {
    store: Arc<dyn ObjectStore>,
    sink: Box<dyn Sink>,
    /// What the last checkpoint has, its epoch, and how many rows there were.
    last: Option<(Prepared, u64, i64)>,
    restarts: usize,
}

impl Driver {
    async fn start(store: Arc<dyn ObjectStore>) -> Self {
        let sink = by_epoch(Arc::clone(&store));
        let mut driver = Self { store, sink, last: None, restarts: 0 };
        driver.restart().await;
        driver
    }

    async fn restart(&mut self) {
        for _ in 0..1000 {
            self.sink = by_epoch(Arc::clone(&self.store));
            self.restarts += 1;
            let last = self.last.as_ref().map(|(prepared, ..)| from_ref(prepared));
            if self.sink.recover(last).await.is_ok() {
                return;
            }
        }
        panic!("a thousand recoveries failed");
    }

    /// One epoch of three rows; whether it is committed.
    async fn epoch(&mut self) -> bool {
        let (epoch, next) = self.last.as_ref().map_or((1, 0), |(_, epoch, rows)| (epoch + 1, *rows));
        if self.sink.write(&rows(next..next + 3)).await.is_err() {
            return false;
        }
        let Ok(prepared) = self.sink.prepare(Epoch(epoch)).await else { return false };
        self.last = Some((prepared.clone(), epoch, next + 3));
        self.sink.commit(&prepared).await.is_ok()
    }
}

#[tokio::test]
async fn rows_come_once_from_a_bucket_that_fails_at_every_kind_of_request() {
    let mut restarts = 0;
    for seed in 0..300 {
        let inner = Arc::new(InMemory::new());
        let faulty = FaultyStore::new(inner.clone(), seed);
        faulty.rule(Rule::always(Fault::Status(503)).chance(0.08));
        faulty.rule(Rule::always(Fault::DropReply).chance(0.08));
        let mut driver = Driver::start(Arc::new(faulty.clone())).await;
        while driver.last.as_ref().is_none_or(|(_, epoch, _)| *epoch < 8) {
            if !driver.epoch().await {
                driver.restart().await;
            }
        }
        faulty.heal();
        driver.restart().await;
        assert_eq!(numbers(visible(&inner)), (0..24).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(names(&inner).len(), 8, "seed {seed}: nothing is left behind: {:?}", names(&inner));
        restarts += driver.restarts;
    }
    assert!(restarts > 600, "faults were met: {restarts}");
}

/// What is said where every request of a kind is answered so.
async fn said(op: Op, fault: Fault) -> (&'static str, String) {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()), 1);
    faulty.rule(Rule::always(fault).on(op));
    let mut sink = by_epoch(Arc::new(faulty));
    let run = async {
        sink.recover(None).await?;
        sink.write(&rows(0..3)).await?;
        let prepared = sink.prepare(Epoch(1)).await?;
        sink.commit(&prepared).await
    };
    let error = run.await.expect_err("a fault");
    (error.code, error.message)
}

#[tokio::test]
async fn what_failed_is_told_and_whether_it_passes() {
    let (down, forbidden) = (Fault::Status(503), Fault::Status(403));
    let answer = |status: u16| format!("Generic faulty error: Server returned non-2xx status code: {status}: told to fail");
    let not_listed = |status| format!("s3://b/out/: parts can't be listed: {}", answer(status));
    assert_eq!(said(Op::List, down).await, ("bucket-failed", not_listed(503)));
    assert_eq!(said(Op::List, forbidden).await, ("bucket-refused", not_listed(403)));
    let not_written = "s3://b/out/: rows can't be written: 3 rows of the running epoch are not in it, all committed epochs are";
    assert_eq!(said(Op::Put, forbidden).await, ("bucket-refused", format!("{not_written}: {}", answer(403))));
    let not_shown = "s3://b/out/: part-0000000001-00000.ndjson can't be made visible, and will be when the job goes on";
    assert_eq!(said(Op::Copy, down).await, ("bucket-failed", format!("{not_shown}: {}", answer(503))));
    assert_eq!(said(Op::Head, down).await, ("bucket-failed", format!("{not_shown}: {}", answer(503))));
    let not_deleted = "s3://b/out/: an object that isn't needed any more can't be deleted";
    assert_eq!(said(Op::Delete, forbidden).await, ("bucket-refused", format!("{not_deleted}: {}", answer(403))));
}

#[tokio::test]
async fn a_part_without_epochs_that_fails_is_not_seen() {
    let inner = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(inner.clone(), 1);
    faulty.rule(Rule::always(Fault::Status(503)).on(Op::Put));
    let mut sink = open(Arc::new(faulty), config(JSON, Existing::Replace, Visibility::AtOnce, TaskIndex::ONLY));
    sink.write(&rows(0..3)).await.expect("a write");
    let error = sink.close().await.expect_err("a fault");
    let text = "s3://b/out/: the part can't be written: it isn't whole, and the 3 rows that were written of it are dropped: ";
    assert!(error.code == "bucket-failed" && error.message.starts_with(text), "{}", error.message);
    assert_eq!(names(&inner), Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_aborted() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()), 1);
    let mut sink = by_epoch(Arc::new(faulty.clone()));
    sink.recover(None).await.expect("a fresh start");
    for batch in 0..100 {
        sink.write(&rows(batch * 10_000..(batch + 1) * 10_000)).await.expect("a write");
    }
    assert_eq!((faulty.count(Op::Upload), faulty.count(Op::Abort)), (1, 0));
    drop(sink);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(faulty.count(Op::Abort), 1);
}
