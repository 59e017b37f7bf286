//! Event time of a source that still has rows to read from where others were.

use arrow_array::TimestampMillisecondArray;
use arrow_schema::{Field, Schema};
use wasmill_flow::column_type::TIMESTAMP;
use wasmill_job::graph::{ColumnarIn, EventTime, FormatIn, SourceConnector};

use super::*;

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("at", TIMESTAMP, false)]))
}

fn rows(times: &[i64]) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(TimestampMillisecondArray::from(times.to_vec()))]).expect("the column")
}

fn time() -> SourceTime {
    let source = Source {
        name: "rows".to_owned(),
        connector: SourceConnector::Stdio { format: FormatIn::Columnar(ColumnarIn::Arrow) },
        limit: None,
        schema: schema(),
        event_time: Some(EventTime {
            column: 0,
            watermarks: WatermarkRule::Behind(Duration::ZERO),
            idle_after: None,
            max_jump: None,
            max_drift: None,
        }),
        unread: Vec::new(),
        predicate: None,
    };
    SourceTime::of(&source, Arc::default(), None).expect("a rule").expect("event time")
}

fn watermarks(steps: Vec<Step>) -> Vec<i64> {
    let of = |step| if let Step::Time(progress) = step { Some(progress.watermark.0) } else { None };
    steps.into_iter().filter_map(of).collect()
}

#[test]
fn event_time_stays_where_it_is_while_it_is_held_and_goes_on_behind_all_rows_then() {
    let mut time = time();
    let reached = Reached { largest: Some(50), ahead: None };
    assert_eq!(time.resume(reached).expect("it had begun").watermark, Watermark(49));
    time.hold(true);
    assert_eq!(watermarks(time.steps(rows(&[60, 70]), true)), Vec::<i64>::new());
    assert_eq!(time.reached(), reached, "where it is held is what a checkpoint keeps");
    assert_eq!(watermarks(time.steps(rows(&[52, 55]), true)), Vec::<i64>::new());
    assert_eq!(watermarks(time.steps(rows(&[71, 80]), false)), [69, 79]);
    assert_eq!(time.reached().largest, Some(80));
}
