//! Readers of sources that wait for one another, so that none gets far ahead of the others in event time.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;
use wasmill_flow::Progress;
use wasmill_job::graph::{Job, NodeId};
use wasmill_job::plan::{Plan, PlanNode};
use wasmill_time::Drift;

/// How far one reader may get ahead of the slowest.
#[derive(Debug, Clone)]
pub(crate) struct DriftLimit {
    among: Arc<Readers>,
    reader: usize,
    /// In milliseconds.
    most: u64,
}

#[derive(Debug)]
struct Readers {
    drift: Drift,
    /// One has come further, idles, or has ended.
    moved: Notify,
}

impl DriftLimit {
    /// The limit of each reader of the sources that say one, by source and task.
    pub fn of(job: &Job, plan: &Plan) -> BTreeMap<(usize, u32), Self> {
        let mut limits = Vec::new();
        for stage in &plan.stages {
            let Some(PlanNode::Node(NodeId::Source(source))) = stage.nodes.first().map(|node| node.node) else { continue };
            if let Some(most) = job.sources[source].event_time.as_ref().and_then(|time| time.max_drift) {
                let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
                limits.extend((0..stage.parallelism).map(|task| ((source, task), most)));
            }
        }
        let among = Arc::new(Readers { drift: Drift::new(limits.len()), moved: Notify::new() });
        let limit = |(reader, (place, most))| (place, Self { among: Arc::clone(&among), reader, most });
        limits.into_iter().enumerate().map(limit).collect()
    }

    /// Tells the others how far this reader is.
    pub fn update(&self, progress: Progress) {
        if self.among.drift.update(self.reader, progress) {
            self.among.moved.notify_waiters();
        }
    }

    /// Whether it has to wait for the others.
    pub fn is_exceeded(&self) -> bool {
        self.among.drift.is_ahead(self.reader, self.most)
    }

    /// Waits until the others have come near enough. Dropping the future loses nothing.
    pub async fn kept(&self) {
        loop {
            // Made before the look: what moves after it wakes this.
            let moved = self.among.moved.notified();
            if !self.is_exceeded() {
                return;
            }
            moved.await;
        }
    }
}
