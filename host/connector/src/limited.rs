//! The first rows of a source: `limit: N`.

use arrow_schema::SchemaRef;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use wasmill_flow::TaskIndex;

use crate::{BatchLimit, ConnectorError, Extent, Position, Read, Source};

/// A source that ends after so many rows, malformed ones counted. It never reads further than that.
#[derive(Debug)]
pub struct Limited<S> {
    source: S,
    limit: u64,
    read: u64,
}

/// The position: the source's own, and how many rows lie before it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    rows: u64,
    source: Position,
}

impl<S: Source> Limited<S> {
    /// The first `limit` rows of a source, which is at its start.
    pub fn new(source: S, limit: u64) -> Self {
        Self { source, limit, read: 0 }
    }

    async fn next(&mut self, limit: BatchLimit) -> Result<Option<Read>, ConnectorError> {
        let left = usize::try_from(self.limit.saturating_sub(self.read)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(None);
        }
        let read = self.source.read(BatchLimit { rows: limit.rows.min(left), ..limit }).await?;
        if let Some(read) = &read {
            self.read += (read.rows.num_rows() + read.malformed.len()) as u64;
        }
        Ok(read)
    }
}

impl<S: Source> Source for Limited<S> {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        self.next(limit).boxed()
    }

    fn position(&self) -> Position {
        Position::of(&Counted { rows: self.read, source: self.source.position() })
    }

    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        let Counted { rows, source } = position.read("a source with a limit")?;
        self.source.seek(&source)?;
        self.read = rows;
        Ok(())
    }

    fn replays(&self) -> bool {
        self.source.replays()
    }

    /// The limit, or fewer rows where the source knows that it has fewer.
    fn extent(&self) -> Extent {
        match self.source.extent() {
            Extent::Rows(rows) => Extent::Rows(rows.min(self.limit)),
            Extent::Bytes(_) | Extent::Unknown => Extent::Rows(self.limit),
        }
    }

    fn done(&self) -> u64 {
        self.read
    }
}

impl Source for Box<dyn Source> {
    fn schema(&self) -> SchemaRef {
        (**self).schema()
    }

    fn read(&mut self, limit: BatchLimit) -> BoxFuture<'_, Result<Option<Read>, ConnectorError>> {
        (**self).read(limit)
    }

    fn position(&self) -> Position {
        (**self).position()
    }

    fn seek(&mut self, position: &Position) -> Result<(), ConnectorError> {
        (**self).seek(position)
    }

    fn take_over(&mut self, former: &[Position], task: TaskIndex) -> Result<Vec<usize>, ConnectorError> {
        (**self).take_over(former, task)
    }

    fn holds_time(&self) -> bool {
        (**self).holds_time()
    }

    fn replays(&self) -> bool {
        (**self).replays()
    }

    fn extent(&self) -> Extent {
        (**self).extent()
    }

    fn done(&self) -> u64 {
        (**self).done()
    }

    fn pruned(&self) -> u64 {
        (**self).pruned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{SourceUnderTest, check_source};
    use crate::generator::{GeneratorConfig, GeneratorSource, Workload};
    use std::time::Instant;

    fn generator(rows: Option<u64>) -> GeneratorSource {
        let config = GeneratorConfig {
            workload: Workload::Micro,
            rows,
            rate: None,
            seed: 0,
            task: TaskIndex::ONLY,
            start: Instant::now(),
        };
        GeneratorSource::new(&config).expect("a generator")
    }

    #[tokio::test]
    async fn a_limited_source_keeps_the_contract() {
        for (rows, limit, expected) in [(None, 30, 30), (Some(20), 30, 20), (Some(20), 0, 0)] {
            let open = || -> Box<dyn Source> { Box::new(Limited::new(generator(rows), limit)) };
            check_source(&SourceUnderTest { open: &open, rows: expected, ends: true }).await;
        }
    }

    #[test]
    fn the_extent_is_the_limit_or_less() {
        assert_eq!(Limited::new(generator(None), 30).extent(), Extent::Rows(30));
        assert_eq!(Limited::new(generator(Some(20)), 30).extent(), Extent::Rows(20));
    }
}
