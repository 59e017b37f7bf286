//! A task: one loop with one match over what comes in.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use futures_util::future::poll_immediate;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};
use wasmill_connector::{Prepared, Read};
use wasmill_failpoint::{Failpoint, hit};
use wasmill_flow::{Barrier, Batch, Epoch, Message, Progress as EventTime, TaskIndex, Watermark};

use crate::chain::Chain;
use crate::clock::Doing;
use crate::control::{Event, Part, TaskId};
use crate::counts::NodeCounts;
use crate::error::JobError;
use crate::factory::SinkId;
use crate::inbox::Inbox;
use crate::source_task::SourceHead;
use crate::source_time::Step;

/// After so long without rows an operator is told that it idles.
pub(crate) const IDLE: Duration = Duration::from_secs(10);

/// What comes into a stage.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// What a source has read.
    Read(Read),
    /// Rows of an input of the first node.
    Rows(usize, Batch),
    /// How far event time has come, on all edges.
    Time(EventTime),
    /// A barrier, on all edges.
    Barrier(Barrier),
    /// No more rows, on any edge.
    End,
}

/// Where rows come from.
pub(crate) enum Head {
    Source(SourceHead),
    Inbox(Inbox),
}

impl Head {
    async fn next(&mut self) -> Result<Inbound, JobError> {
        match self {
            Self::Source(source) => source.next().await,
            Self::Inbox(inbox) => inbox.next().await,
        }
    }

    /// What its task does while it waits for the next.
    fn waiting(&self) -> Doing {
        match self {
            Self::Source(source) if source.is_held() => Doing::HeldUp,
            Self::Source(_) | Self::Inbox(_) => Doing::Idle,
        }
    }
}

/// One task of a stage.
pub(crate) struct StageTask {
    pub id: TaskId,
    pub head: Head,
    pub chain: Chain,
    pub events: mpsc::UnboundedSender<Event>,
    pub commits: mpsc::UnboundedReceiver<Epoch>,
    /// The job takes checkpoints.
    pub durable: bool,
}

/// Where a task is between two inbounds.
struct Progress {
    /// Snapshots are being taken of a barrier that has passed.
    snapshotting: bool,
    /// What sinks have made durable and is not visible yet.
    prepared: BTreeMap<Epoch, Vec<(SinkId, TaskIndex, Prepared)>>,
    /// The epoch after whose commit the task is done.
    last: Option<Epoch>,
    /// No more rows come, and nothing becomes due any more.
    ended: bool,
    /// Operators have been told that there is no more input.
    ended_input: bool,
    /// The last thing that was done was what is due by the clock: now it is the turn of what comes in, if something has.
    woken: bool,
    /// Rows have come since the idle timer last rang.
    active: bool,
}

/// What the loop goes on with.
enum Next {
    Inbound(Inbound),
    Commit(Epoch),
    Idle,
    /// Processing time has come to where an operator waits for it.
    Clock,
    SnapshotStep,
}

impl StageTask {
    /// Runs the task to its end: until the last barrier has passed and, with checkpoints, what its sinks wrote is visible.
    pub async fn run(mut self) -> Result<(), JobError> {
        let done = self.work().await;
        self.chain.observe();
        self.chain.clock.turn(Doing::Ended);
        done
    }

    async fn work(&mut self) -> Result<(), JobError> {
        self.chain.restored()?;
        let mut idle = tokio::time::interval(IDLE);
        // Ticks that a busy task has missed are no signs of idleness.
        idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.chain.clock.turn(Doing::Working);
        let mut progress = Progress {
            snapshotting: false,
            prepared: BTreeMap::new(),
            last: None,
            ended: false,
            ended_input: false,
            woken: false,
            active: false,
        };
        loop {
            // A task that always has rows must still let others run.
            tokio::task::coop::consume_budget().await;
            let next = self.next(&progress, &mut idle).await?;
            progress.woken = matches!(next, Next::Clock);
            match next {
                Next::Inbound(inbound) => {
                    progress.active = true;
                    if self.inbound(inbound, &mut progress).await? {
                        break;
                    }
                }
                Next::Commit(epoch) => {
                    let prepared = progress.prepared.remove(&epoch).unwrap_or_default();
                    self.chain.commit(&prepared).await?;
                    self.tell(Event::Visible(self.id, epoch))?;
                    if progress.last == Some(epoch) {
                        break;
                    }
                }
                Next::Idle => {
                    if !progress.active {
                        self.chain.idle();
                    }
                    progress.active = false;
                    self.chain.observe();
                }
                Next::Clock => self.chain.clock(self.chain.processing_time.now()).await?,
                Next::SnapshotStep => {}
            }
            if progress.snapshotting {
                let began = Instant::now();
                self.chain.snapshot_step();
                self.chain.counts.paused(began.elapsed());
                progress.snapshotting = self.chain.is_snapshotting();
            }
            if !progress.snapshotting && progress.last.is_some() && !self.chain.has_sinks() {
                break;
            }
        }
        Ok(())
    }

    async fn next(&mut self, progress: &Progress, idle: &mut Interval) -> Result<Next, JobError> {
        if let Ok(epoch) = self.commits.try_recv() {
            return Ok(Next::Commit(epoch));
        }
        let wakes_in = self
            .chain
            .wakes_at()
            .filter(|_| !progress.ended && progress.last.is_none())
            .map(|at| self.chain.processing_time.until(at));
        if wakes_in == Some(Duration::ZERO) && !progress.woken {
            return Ok(Next::Clock);
        }
        let Self { head, chain, commits, .. } = self;
        let waiting = head.waiting();
        // One future for the look and the wait: a source that is paced registers its moment once.
        let mut inbound = pin!(head.next());
        if progress.last.is_none()
            && let Some(inbound) = poll_immediate(&mut inbound).await
        {
            return inbound.map(Next::Inbound);
        }
        if progress.snapshotting {
            return Ok(Next::SnapshotStep);
        }
        if progress.last.is_none() {
            chain.flush().await?;
        }
        chain.clock.turn(waiting);
        let next = tokio::select! {
            biased;
            epoch = commits.recv() => epoch.map(Next::Commit).ok_or_else(|| JobError::new("driver-gone", "the job's driver is gone")),
            inbound = inbound, if progress.last.is_none() => inbound.map(Next::Inbound),
            () = tokio::time::sleep(wakes_in.unwrap_or_default()), if wakes_in.is_some() => Ok(Next::Clock),
            _ = idle.tick() => Ok(Next::Idle),
        };
        chain.clock.turn(Doing::Working);
        next
    }

    /// Handles what came in; whether the task is done.
    async fn inbound(&mut self, inbound: Inbound, progress: &mut Progress) -> Result<bool, JobError> {
        match inbound {
            Inbound::Read(read) => self.read(read).await?,
            Inbound::Rows(input, batch) => self.chain.push(0, input, batch).await?,
            Inbound::Time(time) => {
                self.chain.time(time).await?;
                // The end comes next, and nothing by the clock before it.
                progress.ended |= time.watermark == Watermark::END;
            }
            Inbound::End => {
                if let Head::Source(SourceHead { time: Some(time), .. }) = &self.head {
                    let end = time.end();
                    self.chain.time(end).await?;
                }
                self.chain.end().await?;
                (progress.ended, progress.ended_input) = (true, true);
                if matches!(self.head, Head::Source(_)) {
                    self.tell(Event::Ended(self.id))?;
                }
            }
            Inbound::Barrier(barrier) => {
                hit(Failpoint::BarrierAligned);
                self.chain.observe();
                let mut part = Part::default();
                if let Head::Source(source) = &self.head {
                    part.position = Some(source.place());
                }
                if progress.ended_input {
                    part.ended = self.chain.operators().collect();
                }
                if self.durable {
                    let began = Instant::now();
                    self.chain.snapshot(barrier, &mut part).await?;
                    self.chain.counts.paused(began.elapsed());
                    progress.prepared.insert(barrier.epoch, part.prepared.clone());
                }
                self.chain.mark(&Message::Barrier(barrier)).await?;
                if barrier.last {
                    progress.last = Some(barrier.epoch);
                    if !self.durable {
                        self.chain.close().await?;
                        self.tell(Event::Passed(self.id, barrier, part))?;
                        return Ok(true);
                    }
                }
                self.tell(Event::Passed(self.id, barrier, part))?;
                progress.snapshotting = self.chain.is_snapshotting();
            }
        }
        Ok(false)
    }

    async fn read(&mut self, read: Read) -> Result<(), JobError> {
        let Head::Source(SourceHead { index, name, source, time, .. }) = &mut self.head else { return Ok(()) };
        let Read { rows, malformed, bytes } = read;
        hit(Failpoint::RowsRead);
        let counts = &self.chain.counts.sources[*index];
        NodeCounts::add(&counts.rows_in, (rows.num_rows() + malformed.len()) as u64);
        NodeCounts::add(&counts.dead, malformed.len() as u64);
        NodeCounts::add(&counts.bytes, bytes);
        NodeCounts::add(&counts.batches, 1);
        let index = *index;
        if !malformed.is_empty() {
            self.chain.dead_letters.malformed(name, &malformed).await?;
        }
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let Some(time) = time else { return self.chain.push_read(index, Batch::unkeyed(rows)).await };
        let too_far = time.too_far();
        let steps = time.steps(rows, source.holds_time());
        let too_far = time.too_far() - too_far;
        if too_far > 0 && self.chain.counts.sources[index].ahead_rows.fetch_add(too_far, Relaxed) == 0 {
            tracing::warn!(
                code = "event-time-ahead",
                source = &**name,
                "the event time of a row is further ahead of all before it than `max-jump` says: it doesn't raise the watermark"
            );
        }
        for step in steps {
            match step {
                Step::Rows(batch) => self.chain.push_read(index, batch).await?,
                Step::Time(progress) => self.chain.time(progress).await?,
                Step::Dead(dead) => {
                    NodeCounts::add(&self.chain.counts.sources[index].dead, dead.reasons.len() as u64);
                    self.chain.dead_letters.dead_at_source(name, &dead).await?;
                }
            }
        }
        Ok(())
    }

    fn tell(&self, event: Event) -> Result<(), JobError> {
        self.events.send(event).map_err(|_| JobError::new("driver-gone", "the job's driver is gone"))
    }
}
