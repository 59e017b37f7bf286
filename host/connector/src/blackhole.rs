//! The sink that counts rows and writes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use wasmill_flow::Epoch;

use crate::{ConnectorError, Prepared, Sink};

/// Counts rows and forgets them. Epochs make no difference to it.
#[derive(Debug, Default)]
pub struct BlackholeSink {
    rows: Arc<AtomicU64>,
}

impl BlackholeSink {
    /// A sink that has counted no rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The count of rows, to be looked at while the sink runs elsewhere.
    #[must_use]
    pub fn rows(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.rows)
    }
}

impl Sink for BlackholeSink {
    fn write<'a>(&'a mut self, rows: &'a RecordBatch) -> BoxFuture<'a, Result<(), ConnectorError>> {
        self.rows.fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
        ready(Ok(())).boxed()
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        ready(Ok(())).boxed()
    }

    fn prepare(&mut self, _: Epoch) -> BoxFuture<'_, Result<Prepared, ConnectorError>> {
        ready(Ok(Prepared(serde_json::Value::Null))).boxed()
    }

    fn commit<'a>(&'a mut self, _: &'a Prepared) -> BoxFuture<'a, Result<(), ConnectorError>> {
        ready(Ok(())).boxed()
    }

    fn recover<'a>(&'a mut self, _: Option<&'a [Prepared]>) -> BoxFuture<'a, Result<(), ConnectorError>> {
        ready(Ok(())).boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), ConnectorError>> {
        ready(Ok(())).boxed()
    }

    /// None: nothing is written.
    fn bytes(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Visibility;
    use crate::conformance::{Promise, SinkUnderTest, check_sink};

    #[tokio::test]
    async fn a_blackhole_keeps_the_contract_and_counts() {
        let counted = Arc::new(AtomicU64::new(0));
        for visibility in [Visibility::AtOnce, Visibility::ByEpoch] {
            let open = || -> Box<dyn Sink> { Box::new(BlackholeSink { rows: Arc::clone(&counted) }) };
            let under_test =
                SinkUnderTest { open: &open, visible: &Vec::new, reset: &|| (), visibility, promise: Promise::Nothing };
            check_sink(&under_test).await;
        }
        assert!(counted.load(Ordering::Relaxed) > 40_000);
    }
}
