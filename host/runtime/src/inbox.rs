//! What comes into a stage that isn't headed by a source: the lanes of its edges, with barriers aligned.

use wasmill_checkpoint::{Alignment, Disorder, Progress};
use wasmill_flow::Epoch;

use crate::dead_letters::receiver_gone;
use crate::edge::{DrainLimit, Lanes, Queue, Received};
use crate::error::JobError;
use crate::stage_task::Inbound;

/// The lanes of a task, and what has come on each.
pub(crate) struct Inbox {
    lanes: Lanes,
    limit: DrainLimit,
    alignment: Alignment,
}

impl Inbox {
    /// An inbox whose first barrier is that of epoch `first`.
    pub fn new(lanes: Lanes, limit: DrainLimit, first: Epoch) -> Self {
        let alignment = Alignment::new(lanes.count(), first);
        Self { lanes, limit, alignment }
    }

    /// What waits in the lanes, for whoever looks on.
    pub fn queue(&self) -> Queue {
        self.lanes.queue()
    }

    /// What comes next. A barrier comes when it has come on all lanes, the end when all have ended. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Inbound, JobError> {
        loop {
            match self.lanes.receive(self.limit).await.map_err(|_| receiver_gone())? {
                Received::Rows(input, batch) => return Ok(Inbound::Rows(input, batch)),
                Received::Barrier(lane, barrier) => match self.alignment.barrier(lane, barrier).map_err(disorder)? {
                    Progress::Waiting => self.lanes.hold(lane),
                    Progress::Aligned(barrier) => {
                        self.lanes.release();
                        return Ok(Inbound::Barrier(barrier));
                    }
                },
                Received::End(lane) => {
                    if self.alignment.end(lane).map_err(disorder)? {
                        return Ok(Inbound::End);
                    }
                }
            }
        }
    }
}

fn disorder(disorder: Disorder) -> JobError {
    JobError::new("internal-disorder", format!("marks on an edge came in disorder: {disorder}"))
        .with_hint("this is a fault of Wasmill, not of the job: please report it with the message above")
}
