//! The sinks of benchmarks: they swallow rows, condense the answer, and take the time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use futures_util::future::{BoxFuture, ready};
use hdrhistogram::Histogram;
use serde::Serialize;
use wasmill_connector::{ConnectorError, Prepared, Sink, Source, Visibility};
use wasmill_flow::{Epoch, TaskIndex};
use wasmill_operator::{Combiner, OperatorError};
use wasmill_runtime::{Factory, OperatorParts, SinkId};

use super::answer::Answer;
use crate::composition::factory::JobFactory;

/// Latencies, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// When rows are due: from when, how many a second, and how many pass before the first that counts.
type Pace = (Instant, u64, u64);

/// The parts of a job, but for its sink.
pub struct BenchFactory<'a> {
    job: JobFactory<'a>,
    pace: Option<Pace>,
    found: Arc<Mutex<Found>>,
}

#[derive(Debug, Default)]
struct Found {
    answer: Answer,
    latencies: Option<Histogram<u64>>,
}

fn lock(found: &Mutex<Found>) -> MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> BenchFactory<'a> {
    /// The parts of a job; with a pace its latency is measured.
    pub fn new(job: JobFactory<'a>, pace: Option<Pace>) -> Self {
        Self { job, pace, found: Arc::default() }
    }

    /// What came out.
    pub fn answer(&self) -> Answer {
        lock(&self.found).answer
    }

    /// How long rows took.
    pub fn latency(&self) -> Option<Latency> {
        let found = lock(&self.found);
        let latencies = found.latencies.as_ref()?;
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let at = |quantile| micros(latencies.value_at_quantile(quantile));
        Some(Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: micros(latencies.max()) })
    }
}

impl Factory for BenchFactory<'_> {
    fn source(&self, source: usize, task: TaskIndex) -> Result<Box<dyn Source>, ConnectorError> {
        self.job.source(source, task)
    }

    fn operator(&self, operator: usize, task: TaskIndex) -> Result<OperatorParts, OperatorError> {
        self.job.operator(operator, task)
    }

    fn combiner(&self, operator: usize, task: TaskIndex) -> Result<Option<Combiner>, OperatorError> {
        self.job.combiner(operator, task)
    }

    fn sink(&self, _sink: SinkId, _task: TaskIndex, _visibility: Visibility) -> Result<Box<dyn Sink>, ConnectorError> {
        let latencies = match self.pace {
            // From 100 ns to 100 s, to three digits.
            Some(_) => Some(
                Histogram::new_with_bounds(100, 100_000_000_000, 3)
                    .map_err(|error| ConnectorError::new("internal-histogram", error.to_string()))?,
            ),
            None => None,
        };
        Ok(Box::new(BenchSink { answer: Answer::default(), pace: self.pace, latencies, found: Arc::clone(&self.found) }))
    }
}

/// What it has seen counts when it is dropped, however the job takes its checkpoints.
struct BenchSink {
    answer: Answer,
    pace: Option<Pace>,
    latencies: Option<Histogram<u64>>,
    found: Arc<Mutex<Found>>,
}

impl BenchSink {
    /// Notes how late each of `rows` rows is; they come in the order in which they were due.
    fn time(&mut self, rows: u64) {
        let (Some((start, rate, warm_up)), Some(latencies)) = (self.pace, &mut self.latencies) else { return };
        let now = Instant::now();
        for row in self.answer.rows..self.answer.rows + rows {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 rows")]
            let due = start + Duration::from_secs_f64(row as f64 / rate as f64);
            if row >= warm_up {
                let late = now.saturating_duration_since(due).as_nanos();
                latencies.saturating_record(u64::try_from(late).unwrap_or(u64::MAX));
            }
        }
    }
}

impl Sink for BenchSink {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.time(rows.num_rows() as u64);
        let mut answer = Answer { rows: rows.num_rows() as u64, ..Answer::default() };
        for column in rows.columns() {
            match column.data_type() {
                DataType::Int64 => {
                    let values = column.as_primitive::<Int64Type>().values();
                    answer.integers = values.iter().fold(answer.integers, |sum, value| sum.wrapping_add(*value));
                }
                DataType::Timestamp(TimeUnit::Millisecond, _) => {
                    let values = column.as_primitive::<TimestampMillisecondType>().values();
                    answer.times = values.iter().fold(answer.times, |sum, value| sum.wrapping_add(*value));
                }
                DataType::Decimal128(..) => {
                    let values = column.as_primitive::<Decimal128Type>().values();
                    answer.decimals = values.iter().fold(answer.decimals, |sum, value| sum.wrapping_add(*value));
                }
                DataType::Utf8View => {
                    // The low 32 bits of a view are its length.
                    answer.texts += column.as_string_view().views().iter().map(|view| view & 0xffff_ffff).sum::<u128>() as u64;
                }
                DataType::Float64 => answer.floats += column.as_primitive::<Float64Type>().values().iter().sum::<f64>(),
                _ => {}
            }
        }
        self.answer = self.answer.plus(answer);
        Box::pin(ready(Ok(())))
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        Box::pin(ready(Ok(())))
    }

    fn prepare(&mut self, _epoch: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        Box::pin(ready(Ok(Prepared(serde_json::Value::Null))))
    }

    fn commit<'a>(&'a mut self, _prepared: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        Box::pin(ready(Ok(())))
    }

    fn recover<'a>(&'a mut self, _last: Option<&'a [Prepared]>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        Box::pin(ready(Ok(())))
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        Box::pin(ready(Ok(())))
    }

    fn bytes(&self) -> u64 {
        0
    }
}

impl Drop for BenchSink {
    fn drop(&mut self) {
        let mut found = lock(&self.found);
        found.answer = found.answer.plus(self.answer);
        found.latencies = self.latencies.take();
    }
}
