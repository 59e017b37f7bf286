//! Sources that count, operators that pass, panic, fail or dawdle, and a sink that remembers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use futures_util::future::{BoxFuture, ready};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use wasmill_connector::{BatchLimit, ConnectorError, Extent, Position, Prepared, Read, Sink, Source, Visibility};
use wasmill_flow::{Batch, Epoch, TaskIndex};
use wasmill_job::Catalog;
use wasmill_job::catalog::{
    Checked, ColumnarFile, ExpressionProblem, FileProblem, InputSchema, PluginDeclared, PluginProblem, WindowDeclared,
};
use wasmill_job::graph::{Job, Limits, Port};
use wasmill_operator::{Combiner, Context, Operator, OperatorError, Step};
use wasmill_runtime::{Factory, OperatorParts, SinkId};

/// Keys of the rows: a row's key is its number modulo this.
pub const KEYS: i64 = 10;
/// Rows of a batch.
const BATCH: i64 = 64;
/// How long a source rests.
const REST: Duration = Duration::from_secs(12);

/// A job with a source of two columns, an operator keyed by one of them, and a sink.
fn job(parallelism: u32) -> Job {
    let text = format!(
        "name: test\nbatch: {{ max-rows: {BATCH} }}\n\
         sources:\n  made: {{ connector: generator, fields: {{ key: {{ uniform: [0, 9] }}, row: sequence }} }}\n\
         operators:\n  work: {{ input: made, key-by: [key], plugin: none }}\n\
         sinks:\n  out: {{ input: work, connector: stdio, format: json }}\n"
    );
    let loaded = wasmill_job::load(&text, "test", Path::new("/"), &[], Some(parallelism), 1, &|_| None, &Anything);
    loaded.expect("a job").0
}

/// Takes every plugin.
struct Anything;

impl Catalog for Anything {
    fn expression(&self, _: &str, _: &Schema) -> Result<Checked, ExpressionProblem> {
        unreachable!("the job has no expression")
    }
    fn aggregate(&self, _: &str, _: &Schema) -> Result<Checked, ExpressionProblem> {
        unreachable!("the job has no aggregate")
    }
    fn plugin(&self, _: &Path, _: &Value, inputs: &[InputSchema<'_>], _: &Limits) -> Result<PluginDeclared, PluginProblem> {
        let main = Port { name: "main".to_owned(), schema: Arc::clone(inputs[0].schema) };
        Ok(PluginDeclared { ports: vec![main], reads: vec![None], needs_event_time: false, keeps: Vec::new() })
    }
    fn aggregate_plugin(&self, _: &Path, _: &Value, _: &Schema, _: &Limits) -> Result<Field, PluginProblem> {
        unreachable!("the job has no aggregate")
    }
    fn window_plugin(&self, _: &Path, _: &Value, _: &SchemaRef, _: &Limits) -> Result<WindowDeclared, PluginProblem> {
        unreachable!("the job has no window")
    }
    fn columns(&self, _: &ColumnarFile<'_>, _: Option<&SchemaRef>) -> Result<SchemaRef, FileProblem> {
        unreachable!("the job has no file")
    }
}

/// A job with its parts, and what they have seen.
pub struct Parts {
    pub job: Job,
    behaviour: Behaviour,
    rows: Option<i64>,
    /// Rows that sources have handed over.
    pub read: Arc<AtomicU64>,
    /// How often operators were told that they idle.
    pub idled: Arc<AtomicU64>,
    /// The sink was closed.
    pub closed: Arc<AtomicBool>,
    written: Arc<Mutex<Vec<i64>>>,
}

/// What the operator does.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    Pass,
    /// Panics on row 5,000.
    Panic,
    /// Fails on row 5,000.
    Fail,
    /// Takes 5 ms a batch.
    Dawdle,
    /// Passes rows on, of which the source has none for 12 s after the first batch.
    Rest,
}

impl Parts {
    /// With so many rows, or without end.
    pub fn new(behaviour: Behaviour, parallelism: u32, rows: Option<i64>) -> Self {
        let (read, idled, closed, written) = Default::default();
        Self { job: job(parallelism), behaviour, rows, read, idled, closed, written }
    }

    pub fn written(&self) -> Vec<i64> {
        self.written.lock().expect("not poisoned").clone()
    }
}

/// Which of the source's tasks makes a row.
pub fn task_of(row: i64, parallelism: u32) -> i64 {
    row / KEYS % i64::from(parallelism)
}

impl Factory for Parts {
    fn source(&self, _: usize, task: TaskIndex) -> Result<Box<dyn Source>, ConnectorError> {
        Ok(Box::new(Counting {
            schema: Arc::clone(&self.job.sources[0].schema),
            next: 0,
            end: self.rows,
            task,
            rests: matches!(self.behaviour, Behaviour::Rest),
            rests_until: None,
            read: Arc::clone(&self.read),
        }))
    }

    fn operator(&self, _: usize, _: TaskIndex) -> Result<OperatorParts, OperatorError> {
        Ok(OperatorParts { operator: Box::new(Behaving(self.behaviour, Arc::clone(&self.idled))), state: None })
    }

    fn combiner(&self, _: usize, _: TaskIndex) -> Result<Option<Combiner>, OperatorError> {
        unreachable!("the job has no aggregate")
    }

    fn sink(&self, _: SinkId, _: TaskIndex, _: Visibility) -> Result<Box<dyn Sink>, ConnectorError> {
        Ok(Box::new(Remembering { written: Arc::clone(&self.written), closed: Arc::clone(&self.closed) }))
    }
}

struct Counting {
    schema: SchemaRef,
    next: i64,
    end: Option<i64>,
    task: TaskIndex,
    rests: bool,
    rests_until: Option<Instant>,
    read: Arc<AtomicU64>,
}

impl Counting {
    fn next_rows(&mut self, limit: BatchLimit) -> Option<Read> {
        let end = self.end.unwrap_or(i64::MAX);
        let mine = (self.next..end).filter(|row| task_of(*row, self.task.of) == i64::from(self.task.index));
        let rows: Vec<i64> = mine.take(limit.rows).collect();
        self.next = rows.last()? + 1;
        self.read.fetch_add(rows.len() as u64, Relaxed);
        let keys: ArrayRef = Arc::new(rows.iter().map(|row| row % KEYS).collect::<Int64Array>());
        let columns = vec![keys, Arc::new(Int64Array::from(rows)) as ArrayRef];
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("columns of the schema");
        Some(Read { rows, malformed: Vec::new(), bytes: 0 })
    }
}

impl Source for Counting {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        Box::pin(async move {
            if let Some(until) = self.rests_until {
                sleep_until(until).await;
            }
            let read = self.next_rows(limit);
            self.rests_until = std::mem::take(&mut self.rests).then(|| Instant::now() + REST);
            Ok(read)
        })
    }

    fn position(&self) -> Position {
        Position(Value::from(self.next))
    }

    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        self.next = position.0.as_i64().expect("a position of this source");
        Ok(())
    }

    fn replays(&self) -> bool {
        true
    }

    fn extent(&self) -> Extent {
        Extent::Unknown
    }

    fn done(&self) -> u64 {
        0
    }
}

struct Behaving(Behaviour, Arc<AtomicU64>);

impl Operator for Behaving {
    fn process<'a>(&'a mut self, _: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move {
            assert!(batch.hashes.is_some(), "rows of a keyed input carry their hashes");
            let rows = batch.rows.column(1).as_primitive::<Int64Type>().values();
            let bad = rows.iter().find(|row| **row == 5_000);
            match (self.0, bad) {
                (Behaviour::Panic, Some(row)) => panic!("row {row}"),
                (Behaviour::Fail, Some(row)) => {
                    return Err(OperatorError { code: "test-failed", message: format!("row {row}"), row: None, hint: None });
                }
                (Behaviour::Dawdle, _) => tokio::time::sleep(Duration::from_millis(5)).await,
                _ => {}
            }
            cx.emit(0, Batch::unkeyed(batch.rows));
            Ok(())
        })
    }

    fn idle(&mut self) {
        self.1.fetch_add(1, Relaxed);
    }
}

struct Remembering {
    written: Arc<Mutex<Vec<i64>>>,
    closed: Arc<AtomicBool>,
}

impl Sink for Remembering {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.written.lock().expect("not poisoned").extend(rows.column(1).as_primitive::<Int64Type>().values());
        Box::pin(ready(Ok(())))
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        Box::pin(ready(Ok(())))
    }

    fn prepare(&mut self, _: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        unreachable!("the job takes no checkpoints")
    }

    fn commit<'a>(&'a mut self, _: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        unreachable!("the job takes no checkpoints")
    }

    fn recover<'a>(&'a mut self, _: Option<&'a [Prepared]>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        unreachable!("the job takes no checkpoints")
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        self.closed.store(true, Relaxed);
        Box::pin(ready(Ok(())))
    }

    fn bytes(&self) -> u64 {
        0
    }
}
