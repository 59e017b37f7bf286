//! A snapshot's pieces on their way from the task that takes it to the store, while it is being taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::mpsc;

/// What travels: a piece, or that the one before was the last.
type Piece = Option<Vec<u8>>;

/// The end of a task, which takes the snapshot.
#[derive(Debug)]
pub(crate) struct PiecesIn {
    pieces: mpsc::UnboundedSender<Piece>,
    waiting: Waiting,
}

/// The end at the store.
#[derive(Debug)]
pub(crate) struct PiecesOut {
    pieces: mpsc::UnboundedReceiver<Piece>,
    waiting: Waiting,
}

/// The bytes of a snapshot that are in memory: those that were handed over, until all of them are stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting(Arc<AtomicU64>);

impl Waiting {
    /// How many.
    pub fn bytes(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The two ends of a snapshot's way.
pub(crate) fn way() -> (PiecesIn, PiecesOut) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Waiting::default();
    (PiecesIn { pieces: sender, waiting: waiting.clone() }, PiecesOut { pieces: receiver, waiting })
}

impl PiecesIn {
    /// Hands over the next piece, or says that there is no more. Where nobody takes it the job has ended.
    pub fn hand_over(&self, piece: Piece) {
        let bytes = piece.as_ref().map_or(0, Vec::len);
        self.waiting.0.fetch_add(bytes as u64, Relaxed);
        let _ = self.pieces.send(piece);
    }

    /// What of it is in memory.
    pub fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }
}

impl PiecesOut {
    /// The next piece; nothing after the last. Waits for ever where the task is gone before: its own error ends the job.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        match self.pieces.recv().await {
            Some(piece) => piece,
            None => std::future::pending().await,
        }
    }
}

impl Drop for PiecesOut {
    fn drop(&mut self) {
        self.waiting.0.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_come_in_order_and_count_until_they_are_stored() {
        let (task, mut store) = way();
        let waiting = task.waiting();
        task.hand_over(Some(vec![1; 10]));
        task.hand_over(Some(vec![2; 5]));
        task.hand_over(None);
        drop(task);
        assert_eq!(store.next().await, Some(vec![1; 10]));
        assert_eq!(store.next().await, Some(vec![2; 5]));
        assert_eq!(store.next().await, None);
        assert_eq!(waiting.bytes(), 15, "they are kept, should they have to be sent again");
        drop(store);
        assert_eq!(waiting.bytes(), 0);
    }

    #[tokio::test]
    async fn a_snapshot_whose_task_is_gone_never_looks_whole() {
        let (task, mut store) = way();
        task.hand_over(Some(vec![1]));
        drop(task);
        assert_eq!(store.next().await, Some(vec![1]));
        let next = tokio::time::timeout(std::time::Duration::from_millis(10), store.next());
        assert!(next.await.is_err(), "neither a piece nor the end");
    }
}
