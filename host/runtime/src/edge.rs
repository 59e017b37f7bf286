//! Bounded lanes between tasks: one for each sender of an inbox, so that one that has to wait for a barrier holds up no other.
//!
//! A lane takes messages while it holds less than its [`LaneLimit`]; a full one stops its sender, and with it everything upstream, up
//! to the source. What lies ahead of a barrier in a lane is therefore at most the limit and one batch.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use wasmill_flow::{Barrier, Batch, Message, Progress};

use crate::memory::Charge;

/// How much a lane holds before it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimit {
    /// Rows.
    pub rows: usize,
    /// Bytes, as [`Batch::bytes`] counts them.
    pub bytes: usize,
}

/// The most that is drained into one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainLimit {
    /// Rows.
    pub rows: usize,
    /// Bytes.
    pub bytes: usize,
}

/// The receiving end of some lanes.
pub struct Lanes {
    shared: Arc<Mutex<Shared>>,
    /// The lane that is looked at first: the one after the last that was drained.
    next: usize,
}

/// What waits in the lanes of an inbox, for whoever looks on.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Mutex<Shared>>);

/// The sending end of one lane.
pub struct LaneSender {
    shared: Arc<Mutex<Shared>>,
    lane: usize,
    limit: LaneLimit,
}

/// What came in.
#[derive(Debug)]
pub enum Received {
    /// Rows of one or several lanes, and the input that they are of.
    Rows(usize, Batch),
    /// How far event time has come on a lane.
    Time(usize, Progress),
    /// A barrier on a lane.
    Barrier(usize, Barrier),
    /// The end of a lane's rows.
    End(usize),
}

/// Every sender of a lane is gone without a last barrier: its task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderGone;

/// The receiver is gone: its task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverGone;

#[derive(Debug)]
struct Shared {
    lanes: Vec<Lane>,
    /// What all lanes hold, in bytes, and have of the process's memory.
    bytes: usize,
    charge: Charge,
    receiver: Option<Waker>,
    receiver_gone: bool,
}

#[derive(Debug, Default)]
struct Lane {
    /// The receiver's input that its rows are of.
    input: usize,
    queue: VecDeque<(Message, usize)>,
    rows: usize,
    bytes: usize,
    held: bool,
    sender: Option<Waker>,
    sender_gone: bool,
}

/// Makes an inbox with a lane for each of these inputs; what they hold is charged.
#[must_use]
pub(crate) fn lanes(inputs: &[usize], limit: LaneLimit, charge: Charge) -> (Vec<LaneSender>, Lanes) {
    let lanes = inputs.iter().map(|&input| Lane { input, ..Lane::default() }).collect();
    let shared = Shared { lanes, bytes: 0, charge, receiver: None, receiver_gone: false };
    let shared = Arc::new(Mutex::new(shared));
    let senders = (0..inputs.len()).map(|lane| LaneSender { shared: Arc::clone(&shared), lane, limit }).collect();
    (senders, Lanes { shared, next: 0 })
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A panic while it was held ends the job by itself; what is in here stays consistent.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LaneSender {
    /// Puts a message into the lane, waiting while it is full.
    ///
    /// # Errors
    /// Where the receiver is gone.
    pub async fn send(&mut self, message: Message) -> Result<(), ReceiverGone> {
        let bytes = if let Message::Rows(batch) = &message { batch.bytes() } else { 0 };
        let mut message = Some(message);
        poll_fn(|cx| {
            let mut shared = lock(&self.shared);
            if shared.receiver_gone {
                return Poll::Ready(Err(ReceiverGone));
            }
            let lane = &mut shared.lanes[self.lane];
            if let (Some(Message::Time(progress)), Some((Message::Time(last), _))) = (&message, lane.queue.back_mut()) {
                // The newest says it all, and takes no room.
                *last = *progress;
                return Poll::Ready(Ok(()));
            }
            if lane.rows >= self.limit.rows || lane.bytes >= self.limit.bytes {
                lane.sender = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if let Some(message) = message.take() {
                if let Message::Rows(batch) = &message {
                    lane.rows += batch.len();
                    lane.bytes += bytes;
                }
                lane.queue.push_back((message, bytes));
                shared.charge(bytes, 0);
            }
            let receiver = shared.receiver.take();
            drop(shared);
            if let Some(receiver) = receiver {
                receiver.wake();
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

impl Drop for LaneSender {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.lanes[self.lane].sender_gone = true;
        let receiver = shared.receiver.take();
        drop(shared);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}

impl Queue {
    /// Rows and bytes that wait now.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        lock(&self.0).lanes.iter().fold((0, 0), |(rows, bytes), lane| (rows + lane.rows, bytes + lane.bytes))
    }
}

impl Lanes {
    /// What waits in the lanes, for whoever looks on.
    #[must_use]
    pub fn queue(&self) -> Queue {
        Queue(Arc::clone(&self.shared))
    }

    /// How many lanes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.shared).lanes.len()
    }

    /// Takes nothing more from a lane until [`Self::release`]: it has delivered a barrier that others have not.
    pub fn hold(&mut self, lane: usize) {
        lock(&self.shared).lanes[lane].held = true;
    }

    /// Takes from all lanes again.
    pub fn release(&mut self) {
        lock(&self.shared).lanes.iter_mut().for_each(|lane| lane.held = false);
    }

    /// What has come, if anything has.
    ///
    /// # Errors
    /// Where a lane is empty and its sender gone.
    pub fn try_receive(&mut self, limit: DrainLimit) -> Result<Option<Received>, SenderGone> {
        let taken = lock(&self.shared).take(&mut self.next, limit)?;
        Ok(taken.map(Taken::joined))
    }

    /// What comes next: rows of one input on any lanes that aren't held, as many as are there up to the limit, or a mark. It never
    /// waits for more than it has.
    ///
    /// # Errors
    /// Where a lane is empty and its sender gone.
    pub async fn receive(&mut self, limit: DrainLimit) -> Result<Received, SenderGone> {
        let taken = poll_fn(|cx| {
            let mut shared = lock(&self.shared);
            match shared.take(&mut self.next, limit) {
                Ok(Some(taken)) => Poll::Ready(Ok(taken)),
                Err(gone) => Poll::Ready(Err(gone)),
                Ok(None) => {
                    shared.receiver = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        });
        // Joined when the lock is free again: senders go on while rows are copied.
        taken.await.map(Taken::joined)
    }
}

/// What was taken out of lanes.
enum Taken {
    Rows(usize, Vec<Batch>),
    Mark(Received),
}

impl Taken {
    fn joined(self) -> Received {
        match self {
            Self::Rows(input, batches) => Received::Rows(input, Batch::concat(&batches)),
            Self::Mark(mark) => mark,
        }
    }
}

impl Shared {
    /// Takes from the lanes in turn, beginning with lane `next`, until one has rows of another input: that is where it goes on.
    fn take(&mut self, next: &mut usize, limit: DrainLimit) -> Result<Option<Taken>, SenderGone> {
        let (first, count) = (*next, self.lanes.len());
        let mut batches: Vec<Batch> = Vec::new();
        let mut input = 0;
        let (mut room, mut taken) = (limit, 0);
        for index in (0..count).map(|offset| (first + offset) % count) {
            let lane = &mut self.lanes[index];
            if lane.held {
                continue;
            }
            if batches.is_empty() {
                if let Some(mark) = lane.pop_mark(index) {
                    return Ok(Some(Taken::Mark(mark)));
                }
                if lane.queue.is_empty() && lane.sender_gone {
                    return Err(SenderGone);
                }
                input = lane.input;
            } else if lane.input != input && !lane.queue.is_empty() {
                break;
            }
            let (before, held) = (batches.len(), lane.bytes);
            lane.drain(&mut batches, &mut room);
            if batches.len() > before {
                taken += held - lane.bytes;
                *next = (index + 1) % count;
                if let Some(sender) = lane.sender.take() {
                    sender.wake();
                }
            }
        }
        self.charge(0, taken);
        Ok((!batches.is_empty()).then_some(Taken::Rows(input, batches)))
    }

    /// Notes what came into the lanes, and what was taken out.
    fn charge(&mut self, come: usize, taken: usize) {
        self.bytes = self.bytes + come - taken;
        self.charge.set(self.bytes as u64);
    }
}

impl Lane {
    /// The mark at the head of the lane, if there is one.
    fn pop_mark(&mut self, index: usize) -> Option<Received> {
        let mark = match self.queue.front()?.0 {
            Message::Rows(_) => return None,
            Message::Time(progress) => Received::Time(index, progress),
            Message::Barrier(barrier) => Received::Barrier(index, barrier),
            Message::End => Received::End(index),
        };
        self.queue.pop_front();
        Some(mark)
    }

    /// Moves batches from the head of the lane that there is room for; the first of all always has. Combined rows and others don't join.
    fn drain(&mut self, batches: &mut Vec<Batch>, room: &mut DrainLimit) {
        while let Some((Message::Rows(batch), bytes)) = self.queue.front()
            && batches.last().is_none_or(|last| {
                let joins = last.combined.is_some() == batch.combined.is_some();
                joins && batch.len() <= room.rows && *bytes <= room.bytes
            })
        {
            let (rows, bytes) = (batch.len(), *bytes);
            room.rows = room.rows.saturating_sub(rows);
            room.bytes = room.bytes.saturating_sub(bytes);
            self.rows -= rows;
            self.bytes -= bytes;
            if let Some((Message::Rows(batch), _)) = self.queue.pop_front() {
                batches.push(batch);
            }
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.receiver_gone = true;
        let senders: Vec<Waker> = shared.lanes.iter_mut().filter_map(|lane| lane.sender.take()).collect();
        drop(shared);
        senders.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
