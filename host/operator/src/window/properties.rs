//! The operator beside its model, in any run: rows in disorder, cut into batches of any size, watermarks at any time, keys dealt to several
//! tasks, and tasks that are restored from snapshots as others go on.
//!
//! A run that differs is made smaller and printed as a line, which `WASMILL_WINDOWS='LINE' cargo test windows_do_as` runs again.

mod streams;

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use chrono_tz::Tz;
use futures_util::FutureExt as _;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Epoch, KeyGroups, TaskIndex};
use wasmill_state::SnapshotKind;
use wasmill_state::memory::MemoryState;

use self::streams::{events, shapes, triggers};
use super::model::{Model, Out, REFUSED, Row, Shape};
use super::*;
use crate::combine::Combiner;
use crate::contract::Emitted;
use crate::testing::{batch_of, ints, rows, run, schema_of};

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
enum Event {
    Row(Row),
    /// What is waiting travels together.
    Cut,
    Watermark(i64),
    /// Every task is restored from a snapshot, by so many tasks.
    Restored(u32),
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
struct Run {
    shape: Shape,
    trigger: Trigger,
    /// Among the aggregates is one that parts of a window's rows can't be put together by.
    listed: bool,
    events: Vec<Event>,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.shape {
            Shape::Even(Windows { size, slide, offset, allowed_lateness, zone }) => {
                write!(f, "{size},{slide},{offset},{allowed_lateness}{}", if zone.is_some() { " zone" } else { "" })?;
            }
            Shape::Session { gap, allowed_lateness } => write!(f, "{gap},{allowed_lateness}")?,
            Shape::Rows { rows, ends } => write!(f, "{rows}{}", if ends { "" } else { " on" })?,
        }
        if let Some(early) = self.trigger.early {
            write!(f, " e{early}")?;
        }
        if let Some(rows) = self.trigger.every_rows {
            write!(f, " n{rows}")?;
        }
        f.write_str(match self.trigger.accumulation {
            Accumulation::Accumulating => "",
            Accumulation::Discarding => " anew",
            Accumulation::Retracting => " changes",
        })?;
        f.write_str(if self.listed { " listed:" } else { ":" })?;
        for event in &self.events {
            match event {
                Event::Row(Row { time, key, value: Some(value) }) => write!(f, " {time},{key},{value}")?,
                Event::Row(Row { time, key, value: None }) => write!(f, " {time},{key}")?,
                Event::Cut => f.write_str(" /")?,
                Event::Watermark(watermark) => write!(f, " w{watermark}")?,
                Event::Restored(tasks) => write!(f, " r{tasks}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Run {
    type Err = std::num::ParseIntError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let numbers = |text: &str| text.split(',').map(str::parse).collect::<Result<Vec<i64>, _>>();
        let (head, events) = line.split_once(':').unwrap_or((line, ""));
        let (head, listed) = head.strip_suffix(" listed").map_or((head, false), |head| (head, true));
        let (head, accumulation) = match (head.strip_suffix(" changes"), head.strip_suffix(" anew")) {
            (Some(head), _) => (head, Accumulation::Retracting),
            (None, Some(head)) => (head, Accumulation::Discarding),
            (None, None) => (head, Accumulation::Accumulating),
        };
        let (head, every_rows) = match head.split_once(" n") {
            Some((head, rows)) => (head, Some(rows.parse()?)),
            None => (head, None),
        };
        let (head, early) = match head.split_once(" e") {
            Some((head, early)) => (head, Some(early.parse()?)),
            None => (head, None),
        };
        let trigger = Trigger { early, every_rows, accumulation };
        let (head, ends) = head.strip_suffix(" on").map_or((head, true), |head| (head, false));
        let (head, zone) = head.strip_suffix(" zone").map_or((head, None), |head| (head, Some(Tz::Europe__Berlin)));
        let head = numbers(head)?;
        let shape = match head[..] {
            [size, slide, offset, allowed_lateness] => Shape::Even(Windows { size, slide, offset, zone, allowed_lateness }),
            [gap, allowed_lateness] => Shape::Session { gap, allowed_lateness },
            [rows] => Shape::Rows { rows: rows.cast_unsigned(), ends },
            _ => panic!("a line begins with 1, 2 or 4 numbers"),
        };
        let event = |word: &str| {
            Ok(match (word.as_bytes()[0], &word[1..]) {
                (b'/', _) => Event::Cut,
                (b'w', watermark) => Event::Watermark(watermark.parse()?),
                (b'r', tasks) => Event::Restored(tasks.parse()?),
                _ => {
                    let row = numbers(word)?;
                    Event::Row(Row { time: row[0], key: row[1].to_le_bytes()[0], value: row.get(2).copied() })
                }
            })
        };
        Ok(Self { shape, trigger, listed, events: events.split_whitespace().map(event).collect::<Result<_, _>>()? })
    }
}

/// The run with hours for milliseconds, from a day before clocks are set back in Berlin, where windows go by them.
fn in_hours(run: &Run) -> Run {
    const HOUR: i64 = 3_600_000;
    let Shape::Even(Windows { size, slide, offset, allowed_lateness, zone: zone @ Some(_) }) = run.shape else {
        return run.clone();
    };
    let hours = |time: i64| 1_729_900_800_000 + time * HOUR;
    let event = |event: &Event| match event {
        Event::Row(row) => Event::Row(Row { time: hours(row.time), ..row.clone() }),
        Event::Watermark(watermark) => Event::Watermark(hours(*watermark)),
        other => other.clone(),
    };
    let [size, slide, offset, allowed_lateness] = [size, slide, offset, allowed_lateness].map(|time| time * HOUR);
    let shape = Shape::Even(Windows { size, slide, offset, allowed_lateness, zone });
    let trigger = Trigger { early: run.trigger.early.map(|early| early * HOUR), ..run.trigger };
    Run { shape, trigger, events: run.events.iter().map(event).collect(), ..*run }
}

/// Whether rows of a run may be combined before they come to it.
fn may_be_combined(run: &Run) -> bool {
    let covers = matches!(run.shape, Shape::Even(Windows { size, slide, allowed_lateness: 0, .. }) if slide <= size);
    let Trigger { every_rows, accumulation, .. } = run.trigger;
    covers && every_rows.is_none() && accumulation == Accumulation::Accumulating && !run.listed
}

/// Some tasks that together have all keys.
struct Tasks {
    run: Run,
    /// Rows are combined before they come to them.
    combined: bool,
    tasks: Vec<(Box<dyn Operator>, Context)>,
    waiting: Vec<Row>,
    watermark: i64,
    /// Rows between windows that tasks have counted which are no more.
    between: u64,
}

impl Tasks {
    fn new(run: &Run, combined: bool) -> Self {
        let mut tasks =
            Self { run: run.clone(), combined, tasks: Vec::new(), waiting: Vec::new(), watermark: i64::MIN, between: 0 };
        tasks.tasks.push(tasks.task());
        tasks
    }

    fn aggregates(&self) -> Vec<(String, Computation)> {
        let refuses =
            format!("sum(case when value = {REFUSED} then {huge} end)", huge = "arrow_cast('18446744073709551615', 'UInt64')");
        let texts =
            [("u", refuses.as_str()), ("n", "count(*)"), ("s", "sum(value)"), ("m", "max(value)"), ("l", "array_agg(value)")];
        let texts = &texts[..if self.run.listed { 5 } else { 4 }];
        texts.iter().map(|(name, text)| ((*name).to_owned(), Computation::Sql((*text).to_owned()))).collect()
    }

    /// What travels of some rows.
    fn sent(&self, batch: Batch) -> Batch {
        let Shape::Even(windows) = self.run.shape else { return batch };
        let mut keys = EncodedKeys::default();
        keys.encode(&batch.rows.columns()[..1]);
        let batch = Batch { hashes: Some(keys.hashes().into()), ..batch };
        let combiner = Combiner::new(&[0], Some(windows), self.aggregates(), &input(), 8).expect("aggregates");
        let mut combiner = combiner.filter(|_| self.combined);
        let combined = combiner.as_mut().and_then(|combiner| combiner.combine(&batch, &keys).now_or_never().expect("no waiting"));
        combined.unwrap_or(batch)
    }

    fn task(&self) -> (Box<dyn Operator>, Context) {
        let aggregates = self.aggregates();
        let (operator, declaration): (Box<dyn Operator>, _) = match self.run.shape {
            Shape::Even(windows) => {
                let operator =
                    WindowedAggregate::new(&[0], windows, self.run.trigger, aggregates, 7, &input()).expect("a window");
                let declaration = operator.declaration();
                (Box::new(operator), declaration)
            }
            Shape::Rows { rows, ends } => {
                let retracts = self.run.trigger.accumulation == Accumulation::Retracting;
                let operator = RowWindows::new(&[0], rows, ends, retracts, aggregates, &input()).expect("a window");
                let declaration = operator.declaration();
                (Box::new(operator), declaration)
            }
            Shape::Session { gap, allowed_lateness } => {
                let operator = SessionAggregate::new(&[0], gap, allowed_lateness, self.run.trigger, aggregates, 7, &input())
                    .expect("a window");
                let declaration = operator.declaration();
                (Box::new(operator), declaration)
            }
        };
        let state = match self.run.shape {
            Shape::Rows { .. } => MemoryState::new(declaration.states),
            Shape::Even(_) | Shape::Session { .. } => MemoryState::in_spaces(declaration.states),
        };
        (operator, Context { state: Some(Box::new(state)), watermark: Watermark(self.watermark), ..Context::stateless() })
    }

    /// Has the rows that wait travel together.
    fn flush(&mut self) -> Out {
        let mut out = Out::default();
        let waiting = std::mem::take(&mut self.waiting);
        let of = self.tasks.len();
        for index in 0..of {
            let own: Vec<&Row> = waiting.iter().filter(|row| task_of(row.key, of) == index).collect();
            if !own.is_empty() {
                let columns = vec![ints(own.iter().map(|row| Some(i64::from(row.key)))), ints(own.iter().map(|row| row.value))];
                let batch = batch_of(&input(), columns).at(Some(own.iter().map(|row| row.time).collect()));
                let sent = self.sent(batch);
                let (operator, cx) = &mut self.tasks[index];
                run(operator.as_mut(), 0, sent, cx).expect("taken");
                collect(cx, &self.run, &mut out);
            }
        }
        out
    }

    fn watermark(&mut self, watermark: i64) -> Out {
        let mut out = Out::default();
        for (operator, cx) in &mut self.tasks {
            while operator.watermark(Watermark(watermark), cx).now_or_never().expect("no waiting").expect("fires") == Due::More {}
            cx.watermark = Watermark(watermark);
            collect(cx, &self.run, &mut out);
        }
        self.watermark = watermark;
        out
    }

    /// Snapshots every task, goes on for a bit as if nothing had been, and restores so many of what was there.
    fn restore(&mut self, of: u32) {
        let mut snapshots = Vec::new();
        for (_, cx) in &mut self.tasks {
            let state = cx.state.as_mut().expect("state");
            state.snapshot(Epoch(1), SnapshotKind::Base);
            snapshots.push(std::iter::from_fn(|| state.snapshot_step(3)).flatten().collect::<Vec<u8>>());
        }
        let groups = KeyGroups::DEFAULT;
        self.between += self.tasks.iter().map(|(operator, _)| operator.plugin_counts().skipped).sum::<u64>();
        self.tasks.clear();
        for index in 0..of {
            let (mut operator, mut cx) = self.task();
            let owned = groups.owned_by(TaskIndex { index, of });
            for snapshot in &snapshots {
                cx.state
                    .as_mut()
                    .expect("state")
                    .restore(&[snapshot], groups, owned.clone(), 0..groups.count())
                    .expect("restored");
            }
            operator.restored(&mut cx).expect("state of windows");
            self.tasks.push((operator, cx));
        }
    }

    fn between(&self) -> u64 {
        self.between + self.tasks.iter().map(|(operator, _)| operator.plugin_counts().skipped).sum::<u64>()
    }

    fn keys(&self) -> usize {
        self.tasks.iter().map(|(_, cx)| cx.state.as_ref().expect("state").keys()).sum()
    }
}

fn input() -> SchemaRef {
    schema_of(&[("key", "int64"), ("value", "int64")])
}

fn task_of(key: u8, of: usize) -> usize {
    let mut keys = EncodedKeys::default();
    keys.encode(&[ints([Some(i64::from(key))])]);
    let group = KeyGroups::DEFAULT.group(keys.hashes()[0]);
    let of = u32::try_from(of).expect("few tasks");
    (0..of).position(|index| KeyGroups::DEFAULT.owned_by(TaskIndex { index, of }).contains(&group)).expect("a task")
}

/// What came out, with times as numbers.
fn collect(cx: &mut Context, run: &Run, out: &mut Out) {
    let (listed, bounded) = (run.listed, !matches!(run.shape, Shape::Rows { .. }));
    for Emitted { port, batch } in std::mem::take(&mut cx.emitted) {
        if let (1, Some(counts)) = (port, &batch.combined) {
            let keys = batch.rows.column(0).as_primitive::<Int64Type>().values();
            let late = keys.iter().zip(counts).flat_map(|(&key, &count)| vec![nameless(key.to_le_bytes()[0]); count as usize]);
            out.late.extend(late);
            continue;
        }
        if port == 1 {
            let [keys, values] = [0, 1].map(|column| batch.rows.column(column).as_primitive::<Int64Type>());
            let times = batch.times.as_ref().expect("event times");
            let late = times.iter().zip(keys.values()).zip(values).map(|((&time, &key), value)| Row {
                time,
                key: key.to_le_bytes()[0],
                value,
            });
            out.late.extend(late);
            continue;
        }
        let of = |column: &ArrayRef| match column.data_type() {
            DataType::Timestamp(..) => {
                ints(column.as_primitive::<TimestampMillisecondType>().values().iter().map(|time| Some(*time)))
            }
            _ => Arc::clone(column),
        };
        let columns: Vec<ArrayRef> = batch.rows.columns().iter().map(of).collect();
        let names = (0..columns.len()).map(|column| format!("c{column}"));
        for (row, time) in
            rows(&RecordBatch::try_from_iter(names.zip(columns)).expect("columns")).iter().zip(batch.times.expect("times").iter())
        {
            if bounded {
                let end: i64 = row
                    .split(' ')
                    .nth(2 + usize::from(run.trigger.accumulation == Accumulation::Retracting))
                    .and_then(|end| end.parse().ok())
                    .expect("a window's end");
                assert_eq!(*time, end - 1, "the event time of {row}");
            }
            // Nothing that is refused is counted.
            let mut row = row.replacen(" - ", " ", 1);
            if !listed {
                row.push_str(" [..]");
            }
            out.results.push(row);
        }
    }
}

/// The key of a result, as text.
fn key_of(result: &str, run: &Run) -> String {
    let changes = usize::from(run.trigger.accumulation == Accumulation::Retracting);
    result.split(' ').nth(changes).unwrap_or_default().to_owned()
}

/// A row of which only the key is known.
fn nameless(key: u8) -> Row {
    Row { time: 0, key, value: None }
}

/// What comes out of the model, as what comes out of tasks is shown.
fn shown(mut out: Out, listed: bool) -> Out {
    if !listed {
        for result in &mut out.results {
            result.truncate(result.find('[').unwrap_or(result.len()));
            result.push_str("[..]");
        }
    }
    out
}

/// Runs it with both; what is different, if anything is.
fn compare(run: &Run) -> Result<(), String> {
    compare_as(run, false)?;
    if may_be_combined(run) { compare_as(run, true).map_err(|difference| format!("combined, {difference}")) } else { Ok(()) }
}

fn compare_as(run: &Run, combined: bool) -> Result<(), String> {
    let run = &in_hours(run);
    let (mut model, mut tasks) = (Model::new(run.shape, run.trigger), Tasks::new(run, combined));
    let mut expected = Out::default();
    let (mut now, mut at) = (i64::MIN, 0);
    let same = |mut expected: Out, mut found: Out, tasks: usize, at: usize| {
        for out in [&mut expected, &mut found] {
            if combined {
                out.late.iter_mut().for_each(|row| *row = nameless(row.key));
            }
            // Between tasks, and for rows that were combined, the order is that of each key.
            if tasks > 1 {
                out.results.sort_by_key(|result| key_of(result, run));
            }
            if tasks > 1 || combined {
                out.late.sort_by_key(|row| row.key);
            }
        }
        let expected = shown(expected, run.listed);
        if expected == found { Ok(()) } else { Err(format!("at event {at}: expected {expected:?}, found {found:?}")) }
    };
    for event in run.events.iter().chain(&[Event::Watermark(i64::MAX / 2)]) {
        at += 1;
        if let Event::Row(row) = event {
            let Out { results, late } = model.row(row);
            expected.results.extend(results);
            expected.late.extend(late);
            tasks.waiting.push(row.clone());
            continue;
        }
        let of = tasks.tasks.len();
        same(std::mem::take(&mut expected), tasks.flush(), of, at)?;
        match event {
            Event::Watermark(watermark) if *watermark > now => {
                now = *watermark;
                same(model.watermark(now), tasks.watermark(now), of, at)?;
            }
            Event::Restored(of) => tasks.restore(*of),
            _ => {}
        }
    }
    match (tasks.keys(), tasks.between()) {
        (keys, between) if keys == model.held() && between == model.between => Ok(()),
        (keys, between) => Err(format!("{keys} keys are left in state, {between} rows were between windows")),
    }
}

#[test]
fn f31_windows_do_as_their_model_does() {
    if let Ok(line) = std::env::var("WASMILL_WINDOWS") {
        let run: Run = line.parse().expect("a line that a failed run printed");
        return compare(&run).expect("the same as the model");
    }
    let cases = std::env::var("WASMILL_WINDOWS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() });
    let runs = (shapes(), triggers(), any::<bool>(), events()).prop_map(|(shape, trigger, listed, events)| {
        let Trigger { early, every_rows, accumulation } = trigger;
        let trigger = match shape {
            // One that is forgotten as it comes out ends with it.
            Shape::Rows { ends, .. } if ends || accumulation == Accumulation::Discarding => Trigger::default(),
            Shape::Rows { .. } => Trigger { early: None, every_rows: None, accumulation },
            Shape::Even(_) | Shape::Session { .. } => Trigger { early, every_rows, accumulation },
        };
        Run { shape, trigger, listed, events }
    });
    let ran = runner.run(&runs, |run| {
        compare(&run).map_err(|difference| TestCaseError::fail(format!("WASMILL_WINDOWS='{run}': {difference}")))
    });
    if let Err(proptest::test_runner::TestError::Fail(reason, _)) = &ran {
        panic!("{reason}");
    }
    ran.expect("runs");
}

#[test]
fn a_run_is_read_from_the_line_that_it_is_written_as() {
    let line = "10,5,-2,3 zone e4 n2 changes listed: 1,0,5 / w9 r3 -4,2";
    let run: Run = line.parse().expect("a run");
    assert_eq!(run.to_string(), line);
    assert_eq!(run.events[2..], [Event::Watermark(9), Event::Restored(3), Event::Row(Row { time: -4, key: 2, value: None })]);
}
