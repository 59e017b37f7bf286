//! A job's parts, in a world: the engine's own operators and sources, which take their time, and sinks whose output outlives the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::json;
use wasmill_connector::json::row_object;
use wasmill_connector::{BatchLimit, ConnectorError, Extent, Position, Prepared, Read, Sink, Source, Visibility};
use wasmill_flow::{Batch, Epoch, TaskIndex, Watermark};
use wasmill_job::graph::Job;
use wasmill_operator::{Combiner, Context, Firing, Operator, OperatorError, PluginCounts, Step};
use wasmill_runtime::{Factory, OperatorParts, SinkId};

use super::world::{Page, World};

/// The longest that something takes.
const MOST: Duration = Duration::from_millis(4);

/// The parts of a job as another factory makes them, in a world.
pub struct Parts<'a> {
    pub job: &'a Job,
    pub real: &'a dyn Factory,
    pub world: World,
}

impl Factory for Parts<'_> {
    fn source(&self, source: usize, task: TaskIndex) -> Result<Box<dyn Source>, ConnectorError> {
        let name = self.job.sources[source].name.clone();
        let inner = self.real.source(source, task)?;
        Ok(Box::new(SlowSource { inner, world: self.world.clone(), name: format!("{name} {}", task.index), waiting: None }))
    }

    fn operator(&self, operator: usize, task: TaskIndex) -> Result<OperatorParts, OperatorError> {
        let OperatorParts { operator: inner, state } = self.real.operator(operator, task)?;
        Ok(OperatorParts { operator: Box::new(SlowOperator { inner, world: self.world.clone() }), state })
    }

    fn combiner(&self, operator: usize, task: TaskIndex) -> Result<Option<Combiner>, OperatorError> {
        self.real.combiner(operator, task)
    }

    fn sink(&self, sink: SinkId, task: TaskIndex, _: Visibility) -> Result<Box<dyn Sink>, ConnectorError> {
        let name = match sink {
            SinkId::Sink(index) => self.job.sinks[index].name.clone(),
            SinkId::DeadLetters => "dead-letters".to_owned(),
        };
        Ok(Box::new(Ledger { name, task, world: self.world.clone(), before: Pages::new(), rows: Vec::new(), bytes: 0 }))
    }
}

/// A source that keeps its reader waiting, and hands over few rows or many.
struct SlowSource {
    inner: Box<dyn Source>,
    world: World,
    name: String,
    /// What it keeps its reader waiting with, and how many rows come then; kept when the reader asks for something else meanwhile.
    waiting: Option<(BoxFuture<'static, ()>, usize)>,
}

impl Source for SlowSource {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        async move {
            let (wait, rows) = self.waiting.get_or_insert_with(|| {
                let world = self.world.clone();
                let rows = 1 + self.world.below(limit.rows as u64) as usize;
                let wait = async move {
                    world.dawdle(MOST).await;
                    world.sit_out_a_lull().await;
                };
                (wait.boxed(), rows)
            });
            wait.await;
            let limit = BatchLimit { rows: *rows, ..limit };
            let read = self.inner.read(limit).await?;
            self.waiting = None;
            self.world.happened(&format!("{} reads {}", self.name, read.as_ref().map_or(0, |read| read.rows.num_rows())));
            Ok(read)
        }
        .boxed()
    }

    fn position(&self) -> Position {
        self.inner.position()
    }

    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        self.world.happened(&format!("{} goes to {}", self.name, position.0));
        self.inner.seek(position)
    }

    fn take_over(&mut self, former: &[Position], task: TaskIndex) -> Result<Vec<usize>, ConnectorError> {
        let from = self.inner.take_over(former, task)?;
        self.world.happened(&format!("{} takes over from {from:?} of {}", self.name, former.len()));
        Ok(from)
    }

    fn holds_time(&self) -> bool {
        self.inner.holds_time()
    }

    fn replays(&self) -> bool {
        self.inner.replays()
    }

    fn extent(&self) -> Extent {
        self.inner.extent()
    }

    fn done(&self) -> u64 {
        self.inner.done()
    }
}

/// An operator that others overtake.
struct SlowOperator {
    inner: Box<dyn Operator>,
    world: World,
}

impl Operator for SlowOperator {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        async move {
            self.world.dawdle(MOST).await;
            self.inner.process(input, batch, cx).await
        }
        .boxed()
    }

    fn restored(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.inner.restored(cx)
    }

    fn watermark<'a>(&'a mut self, watermark: Watermark, cx: &'a mut Context) -> Firing<'a> {
        async move {
            self.world.dawdle(MOST).await;
            self.inner.watermark(watermark, cx).await
        }
        .boxed()
    }

    fn wakes_at(&self) -> Option<i64> {
        self.inner.wakes_at()
    }

    fn clock<'a>(&'a mut self, now: i64, cx: &'a mut Context) -> Firing<'a> {
        self.inner.clock(now, cx)
    }

    fn end<'a>(&'a mut self, cx: &'a mut Context) -> Step<'a> {
        self.inner.end(cx)
    }

    fn idle(&mut self) {
        self.inner.idle();
    }

    fn plugin_counts(&self) -> PluginCounts {
        self.inner.plugin_counts()
    }

    fn author_metrics(&self) -> BTreeMap<String, f64> {
        self.inner.author_metrics()
    }
}

/// A sink whose output is the world's: a page for each of its tasks in each life of the engine, so that it may have any number of them in
/// each.
struct Ledger {
    name: String,
    task: TaskIndex,
    world: World,
    /// How many rows the pages of former lives have that this task looks after.
    before: Pages,
    /// Rows that aren't durable yet.
    rows: Vec<String>,
    bytes: u64,
}

/// How many rows pages have.
type Pages = BTreeMap<Page, usize>;

impl Ledger {
    fn page(&self) -> Page {
        self.world.page(self.task.index)
    }

    fn looks_after(&self, (_, task): Page) -> bool {
        task % self.task.of == self.task.index
    }

    fn pages_of(prepared: &Prepared) -> Vec<(Page, usize)> {
        serde_json::from_value(prepared.0.clone()).expect("a ledger's own")
    }
}

impl Sink for Ledger {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move {
            self.world.dawdle(MOST).await;
            self.rows.extend(shown(rows));
            Ok(())
        }
        .boxed()
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async { Ok(()) }.boxed()
    }

    fn prepare(&mut self, epoch: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        async move {
            self.world.dawdle(MOST).await;
            let rows = self.world.stage(&self.name, self.page(), &mut self.rows);
            self.world.happened(&format!("{} {} has {rows} rows at {epoch}", self.name, self.task.index));
            let pages: Vec<(Page, usize)> = self.before.clone().into_iter().chain([(self.page(), rows)]).collect();
            Ok(Prepared(json!(pages)))
        }
        .boxed()
    }

    fn commit<'a>(&'a mut self, prepared: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move {
            self.world.dawdle(MOST).await;
            for (page, rows) in Self::pages_of(prepared) {
                self.world.show(&self.name, page, rows);
                self.world.happened(&format!("{} {} shows {rows} rows of {page:?}", self.name, self.task.index));
            }
            Ok(())
        }
        .boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<&'a [Prepared]>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        async move {
            self.world.dawdle(MOST).await;
            self.before =
                last.unwrap_or_default().iter().flat_map(Self::pages_of).filter(|(page, _)| self.looks_after(*page)).collect();
            for page in self.world.pages(&self.name).into_iter().filter(|page| self.looks_after(*page)) {
                let rows = self.before.get(&page).copied().unwrap_or(0);
                self.world.cut(&self.name, page, rows);
                self.world.happened(&format!("{} {} cuts {page:?} to {rows} rows", self.name, self.task.index));
            }
            Ok(())
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        async move {
            let rows = self.world.stage(&self.name, self.page(), &mut self.rows);
            self.world.show(&self.name, self.page(), rows);
            Ok(())
        }
        .boxed()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Rows as JSON, one object each.
fn shown(rows: &RecordBatch) -> impl Iterator<Item = String> {
    (0..rows.num_rows()).map(|row| row_object(rows, row))
}
