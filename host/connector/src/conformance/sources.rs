//! The suite of the [`Source`] contract.

use std::task::{Context, Poll, Waker};

use crate::{BatchLimit, Position, Read, Source, row_object};

/// What the suite needs to know of a source.
pub struct SourceUnderTest<'a> {
    /// Makes a source at its start: another one each time, with the same rows to come.
    pub open: &'a dyn Fn() -> Box<dyn Source>,
    /// How many rows it has, good and malformed; a source without an end is checked up to here.
    pub rows: usize,
    /// Whether there is no row after these.
    pub ends: bool,
}

/// A row as the suite compares it: its JSON, or what is said of a malformed one.
pub(super) type Row = String;

/// Checks all that the contract of [`Source`] promises.
///
/// # Panics
/// Where a source breaks its contract; the message names the clause.
pub async fn check_source(under_test: &SourceUnderTest<'_>) {
    let one_by_one = rows_at_every_position(under_test).await;
    let rows: Vec<Row> = one_by_one.iter().map(|(row, _)| row.clone()).collect();
    assert_eq!(rows.len(), under_test.rows, "5: a row is left out, or one too many");
    for limit in [2, 3, 7, 1024] {
        let found = read_all(under_test, (under_test.open)(), under_test.rows, limit).await;
        assert_same(&found, &rows, "4: rows and their order don't depend on the batches");
    }
    a_byte_is_limit_enough(under_test, &rows).await;
    dropping_a_read_loses_nothing(under_test, &rows).await;
    if (under_test.open)().replays() {
        seeks_go_everywhere(under_test, &rows, &one_by_one).await;
        seeks_refuse_what_is_no_position(under_test);
    }
}

/// All rows with the position behind each, read one at a time.
async fn rows_at_every_position(under_test: &SourceUnderTest<'_>) -> Vec<(Row, Position)> {
    let mut source = (under_test.open)();
    let (mut found, mut bytes) = (Vec::new(), 0);
    while found.len() < under_test.rows {
        let Some(read) = source.read(BatchLimit { rows: 1, bytes: 1 << 20 }).await.expect("a read") else { break };
        let rows = rows_of(&read, source.as_ref(), 1);
        bytes += read.bytes;
        found.extend(rows.into_iter().map(|row| (row, source.position())));
    }
    assert!(bytes > 0 || found.is_empty(), "rows stand for bytes of input");
    if under_test.ends {
        stays_at_its_end(source.as_mut()).await;
    }
    found
}

async fn stays_at_its_end(source: &mut dyn Source) {
    for _ in 0..3 {
        let read = source.read(BatchLimit { rows: 1024, bytes: 1 << 20 }).await.expect("a read at the end");
        assert!(read.is_none(), "1: the end stays the end");
    }
}

async fn read_all(under_test: &SourceUnderTest<'_>, mut source: Box<dyn Source>, rows: usize, limit: usize) -> Vec<Row> {
    let mut found = Vec::new();
    while found.len() < rows {
        let most = limit.min(rows - found.len());
        let Some(read) = source.read(BatchLimit { rows: most, bytes: 1 << 20 }).await.expect("a read") else { break };
        found.extend(rows_of(&read, source.as_ref(), most));
    }
    if under_test.ends {
        stays_at_its_end(source.as_mut()).await;
    }
    found
}

async fn a_byte_is_limit_enough(under_test: &SourceUnderTest<'_>, rows: &[Row]) {
    let mut source = (under_test.open)();
    let mut found = Vec::new();
    while found.len() < under_test.rows {
        let Some(read) = source.read(BatchLimit { rows: 1024, bytes: 1 }).await.expect("a read") else { break };
        found.extend(rows_of(&read, source.as_ref(), 1));
    }
    assert_same(&found, rows, "1: a limit below a row's size gives one row");
}

/// Reads with futures that are dropped after one look, but for every third.
async fn dropping_a_read_loses_nothing(under_test: &SourceUnderTest<'_>, rows: &[Row]) {
    let mut source = (under_test.open)();
    let mut found = Vec::new();
    for turn in 0.. {
        if found.len() >= under_test.rows {
            break;
        }
        let limit = BatchLimit { rows: 2.min(under_test.rows - found.len()), bytes: 1 << 20 };
        let read = if turn % 3 == 2 { Some(source.read(limit).await) } else { poll_once_and_drop(source.as_mut(), limit) };
        match read.transpose().expect("a read") {
            None => {}
            Some(None) => break,
            Some(Some(read)) => found.extend(rows_of(&read, source.as_ref(), limit.rows)),
        }
    }
    assert_same(&found, rows, "2: a future that is dropped loses nothing");
}

fn poll_once_and_drop(source: &mut dyn Source, limit: BatchLimit) -> Option<Result<Option<Read>, crate::ConnectorError>> {
    let mut never_polled = source.read(limit);
    match never_polled.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(read) => Some(read),
        Poll::Pending => None,
    }
}

async fn seeks_go_everywhere(under_test: &SourceUnderTest<'_>, rows: &[Row], one_by_one: &[(Row, Position)]) {
    let start = (under_test.open)().position();
    let positions = std::iter::once(&start).chain(one_by_one.iter().map(|(_, position)| position));
    for (before, position) in positions.enumerate() {
        let stored = serde_json::to_string(position).expect("a position is JSON");
        let position = serde_json::from_str(&stored).expect("a position reads back");
        let mut fresh = (under_test.open)();
        fresh.seek(&position).expect("a seek to a position of this source");
        assert_eq!(fresh.position(), position, "3: the position after a seek is that position");
        let rest = read_all(under_test, fresh, rows.len() - before, 5).await;
        assert_same(&rest, &rows[before..], "3: what follows a seek is what would have come");
        let mut used = (under_test.open)();
        if rows.len() > before {
            used.read(BatchLimit { rows: 3, bytes: 1 << 20 }).await.expect("a read");
        }
        used.seek(&position).expect("a seek of a source that was read");
        let rest = read_all(under_test, used, rows.len() - before, 1024).await;
        assert_same(&rest, &rows[before..], "3: what follows a seek back is what would have come");
    }
}

fn seeks_refuse_what_is_no_position(under_test: &SourceUnderTest<'_>) {
    for wrong in [serde_json::json!(null), serde_json::json!({"another": "source"}), serde_json::json!(7)] {
        let error = (under_test.open)().seek(&Position(wrong)).expect_err("3: what is no position is refused");
        assert_eq!(error.code, "position-invalid");
    }
}

pub(super) fn rows_of(read: &Read, source: &dyn Source, most: usize) -> Vec<Row> {
    assert_eq!(read.rows.schema(), source.schema(), "rows have the source's columns");
    let count = read.rows.num_rows() + read.malformed.len();
    assert!(count >= 1, "1: a read has a row");
    assert!(count <= most, "1: a read has {count} rows, more than {most}");
    let good = (0..read.rows.num_rows()).map(|row| row_object(&read.rows, row));
    good.chain(read.malformed.iter().map(|malformed| format!("{malformed:?}"))).collect()
}

/// Good and malformed rows of one batch come apart, so order is compared among the good and among the malformed.
fn assert_same(found: &[Row], expected: &[Row], clause: &str) {
    for malformed in [false, true] {
        let of = |rows: &[Row]| rows.iter().filter(|row| row.starts_with("Malformed") == malformed).cloned().collect::<Vec<_>>();
        assert_eq!(of(found), of(expected), "{clause}");
    }
}
