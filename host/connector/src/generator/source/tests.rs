//! Generated rows as a source, with and without a rate.

use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use wasmill_flow::TaskIndex;

use super::*;
use crate::conformance::{SourceUnderTest, check_source, check_source_tasks};
use crate::generator::{FieldRule, NexmarkKind, Workload};

const LIMIT: BatchLimit = BatchLimit { rows: 1024, bytes: 1 << 20 };

fn config() -> GeneratorConfig {
    GeneratorConfig {
        workload: Workload::Micro,
        rows: Some(50),
        rate: None,
        seed: 0,
        task: TaskIndex::ONLY,
        start: Instant::now(),
    }
}

fn fields() -> Workload {
    let at = FieldRule::At { every_nanos: 60_000, disorder: Duration::from_millis(499), start_millis: 0 };
    let one_of = FieldRule::OneOf(vec!["a".to_owned(), "b".to_owned()]);
    Workload::Fields(
        [("id", FieldRule::Sequence), ("key", FieldRule::Uniform(0, 9)), ("name", one_of), ("at", at)]
            .map(|(n, r)| (n.into(), r))
            .into(),
    )
}

fn nexmark(kind: Option<NexmarkKind>) -> Workload {
    Workload::Nexmark { kind, event_rate: 100_000.0 }
}

#[tokio::test]
async fn generators_keep_the_contract() {
    let second_of_3 = TaskIndex { index: 1, of: 3 };
    for (config, rows) in [
        (config(), 50),
        (GeneratorConfig { task: second_of_3, ..config() }, 17),
        (GeneratorConfig { workload: fields(), ..config() }, 50),
        (GeneratorConfig { workload: fields(), task: second_of_3, rate: Some(1e6), seed: 7, ..config() }, 17),
        (GeneratorConfig { rows: Some(0), ..config() }, 0),
        (GeneratorConfig { workload: nexmark(None), ..config() }, 50),
        (GeneratorConfig { workload: nexmark(Some(NexmarkKind::Bid)), ..config() }, 46),
        (GeneratorConfig { workload: nexmark(Some(NexmarkKind::Auction)), rows: Some(300), rate: Some(1e6), ..config() }, 18),
        (GeneratorConfig { workload: nexmark(Some(NexmarkKind::Person)), rows: Some(40), ..config() }, 0),
    ] {
        let open = || -> Box<dyn Source> { Box::new(GeneratorSource::new(&config).expect("a generator")) };
        check_source(&SourceUnderTest { open: &open, rows, ends: true }).await;
    }
    for (task, workload) in
        [(TaskIndex::ONLY, Workload::Micro), (second_of_3, Workload::Micro), (second_of_3, nexmark(Some(NexmarkKind::Person)))]
    {
        let config = GeneratorConfig { rows: None, task, workload, ..config() };
        let open = || -> Box<dyn Source> { Box::new(GeneratorSource::new(&config).expect("a generator")) };
        check_source(&SourceUnderTest { open: &open, rows: 40, ends: false }).await;
    }
}

#[tokio::test]
async fn rows_with_a_rate_come_when_they_are_due_and_not_before() {
    let start = Instant::now();
    let config = GeneratorConfig { rate: Some(1000.0), start, ..config() };
    let mut source = GeneratorSource::new(&config).expect("a generator");
    let mut rows = 0;
    while let Some(read) = source.read(LIMIT).await.expect("a read") {
        let now = Instant::now();
        for id in read.rows.column(0).as_primitive::<Int64Type>().values() {
            let due = config.due(*id as u64).expect("a rate");
            assert_eq!(due, start + Duration::from_millis(*id as u64));
            assert!(due <= now, "row {id} came {:?} before it was due", due - now);
            rows += 1;
        }
    }
    assert_eq!(rows, 50);
}

#[tokio::test]
async fn rows_that_are_overdue_come_at_once_up_to_the_limit() {
    let config = GeneratorConfig { rate: Some(10.0), start: Instant::now() - Duration::from_secs(2), ..config() };
    let mut source = GeneratorSource::new(&config).expect("a generator");
    let mut read =
        async |rows| source.read(BatchLimit { rows, bytes: 1 << 20 }).await.expect("a read").expect("rows").rows.num_rows();
    assert_eq!(read(15).await, 15);
    assert_eq!(read(15).await, 6);
}

#[tokio::test]
async fn after_a_seek_the_next_row_is_due_at_the_start() {
    let mut source = GeneratorSource::new(&GeneratorConfig { rate: Some(1.0), ..config() }).expect("a generator");
    let mut position = source.position();
    position.0["rows"] = 40.into();
    source.seek(&position).expect("a position");
    let read =
        tokio::time::timeout(Duration::from_millis(500), source.read(LIMIT)).await.expect("due at the start").expect("a read");
    assert_eq!(read.expect("a row").rows.column(0).as_primitive::<Int64Type>().values(), &[40]);
}

#[tokio::test]
async fn generators_go_on_with_any_number_of_tasks() {
    for (workload, rows) in
        [(Workload::Micro, 50), (fields(), 50), (nexmark(None), 120), (nexmark(Some(NexmarkKind::Auction)), 400)]
    {
        check_source_tasks(&|task| {
            let config = GeneratorConfig { workload: workload.clone(), rows: Some(rows), task, ..config() };
            Box::new(GeneratorSource::new(&config).expect("a generator"))
        })
        .await;
    }
}

#[tokio::test]
async fn one_that_makes_what_several_made_does_so_in_the_order_of_time_and_at_their_rate() {
    let config = |index, of| GeneratorConfig {
        workload: fields(),
        rows: None,
        rate: Some(1e6),
        task: TaskIndex { index, of },
        ..config()
    };
    let position = |index, rows: u64| {
        let mut position = GeneratorSource::new(&config(index, 3)).expect("a generator").position();
        position.0["rows"] = rows.into();
        position
    };
    // Rows 0, 3 … 27; 1, 4 … 58; 2, 5 … 41 were made.
    let former = [position(0, 10), position(1, 20), position(2, 14)];
    let mut source = GeneratorSource::new(&config(0, 1)).expect("a generator");
    assert_eq!(source.take_over(&former, TaskIndex::ONLY).expect("positions"), [0, 1, 2]);
    let mut ids = Vec::new();
    while ids.len() < 40 {
        let limit = BatchLimit { rows: 7, bytes: 1 << 20 };
        let read = source.read(limit).await.expect("a read").expect("no end");
        ids.extend(read.rows.column(0).as_primitive::<Int64Type>().values().iter().copied());
    }
    let left = |id: &i64| *id >= [30, 61, 44][(id % 3) as usize];
    assert_eq!(ids, (0..).filter(left).take(ids.len()).collect::<Vec<_>>());
    let began = Instant::now();
    let mut source =
        GeneratorSource::new(&GeneratorConfig { rate: Some(3000.0), start: began, ..config(0, 1) }).expect("a generator");
    source.take_over(&former, TaskIndex::ONLY).expect("positions");
    let mut rows = 0;
    while rows < 300 {
        rows += source.read(LIMIT).await.expect("a read").expect("no end").rows.num_rows();
    }
    assert!(began.elapsed() >= Duration::from_millis(95), "{rows} rows in {:?}", began.elapsed());
}

#[test]
fn positions_of_another_share_are_refused() {
    let open = |rows, index, of| {
        GeneratorSource::new(&GeneratorConfig { rows, task: TaskIndex { index, of }, ..config() }).expect("a generator")
    };
    let position = open(Some(100), 1, 2).position();
    open(Some(100), 1, 2).seek(&position).expect("the same share");
    let error = open(Some(200), 1, 2).seek(&position).expect_err("another share");
    assert_eq!(error.message, "the generator's rows started at 50 in steps of 1, and now start at 100 in steps of 1");
    let error = open(None, 1, 2).seek(&position).expect_err("another share");
    assert_eq!(error.code, "position-invalid");
    let mut end = open(Some(100), 0, 1).position();
    end.0["rows"] = 100.into();
    let error = open(Some(99), 0, 1).seek(&end).expect_err("fewer rows");
    assert_eq!(error.message, "the generator is to go on behind 100 rows, but makes 99");
}

#[test]
fn a_rate_must_be_more_than_zero() {
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = GeneratorSource::new(&GeneratorConfig { rate: Some(rate), ..config() }).expect_err("no rate");
        assert_eq!(error.code, "generator-rate");
        assert_eq!(error.message, format!("rate: expected a number of rows a second above 0, found {rate}"));
    }
}

#[test]
fn a_row_of_another_task_is_not_due_here() {
    let config = GeneratorConfig { rate: Some(1.0), rows: None, task: TaskIndex { index: 1, of: 2 }, ..config() };
    assert_eq!(config.due(2), None);
    assert_eq!(config.due(3), Some(config.start + Duration::from_secs(3)));
    assert_eq!(GeneratorConfig { rate: None, ..config }.due(3), None);
}
