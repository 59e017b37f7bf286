//! What comes into a stage that isn't headed by a source: the lanes of its edges, with barriers aligned.

use wasmill_checkpoint::{Alignment, Disorder, Progress as Aligning};
use wasmill_flow::{Epoch, Progress};
use wasmill_time::Frontier;

use crate::dead_letters::receiver_gone;
use crate::edge::{DrainLimit, Lanes, Queue, Received};
use crate::error::JobError;
use crate::stage_task::Inbound;

/// The lanes of a task, and what has come on each.
pub(crate) struct Inbox {
    lanes: Lanes,
    limit: DrainLimit,
    alignment: Alignment,
    frontier: Frontier,
    /// Rows keep their event times: not where those of another lane have none.
    timed: bool,
    /// All lanes have ended, and that hasn't been said.
    ended: bool,
}

impl Inbox {
    /// An inbox whose first barrier is that of epoch `first`; where it isn't `timed`, event time ends here.
    pub fn new(lanes: Lanes, limit: DrainLimit, first: Epoch, timed: bool) -> Self {
        let alignment = Alignment::new(lanes.count(), first);
        let frontier = Frontier::new(lanes.count());
        Self { lanes, limit, alignment, frontier, timed, ended: false }
    }

    /// What waits in the lanes, for whoever looks on.
    pub fn queue(&self) -> Queue {
        self.lanes.queue()
    }

    /// What comes next. Event time comes as far as it has on all lanes. A barrier comes when it has come on all lanes, the end when all have ended. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Inbound, JobError> {
        if std::mem::take(&mut self.ended) {
            return Ok(Inbound::End);
        }
        loop {
            match self.lanes.receive(self.limit).await.map_err(|_| receiver_gone())? {
                Received::Rows(input, batch) => {
                    return Ok(Inbound::Rows(input, if self.timed { batch } else { batch.at(None) }));
                }
                Received::Barrier(lane, barrier) => match self.alignment.barrier(lane, barrier).map_err(disorder)? {
                    Aligning::Waiting => self.lanes.hold(lane),
                    Aligning::Aligned(barrier) => {
                        self.lanes.release();
                        return Ok(Inbound::Barrier(barrier));
                    }
                },
                Received::Time(lane, progress) => {
                    if let Some(progress) = self.frontier.update(lane, progress).filter(|_| self.timed) {
                        return Ok(Inbound::Time(progress));
                    }
                }
                Received::End(lane) => {
                    let ended = self.alignment.end(lane).map_err(disorder)?;
                    // A lane without event times holds up the others no longer.
                    let further =
                        if self.timed && self.frontier.is_timed() { self.frontier.update(lane, Progress::END) } else { None };
                    if let Some(progress) = further {
                        self.ended = ended;
                        return Ok(Inbound::Time(progress));
                    }
                    if ended {
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
