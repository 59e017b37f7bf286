//! A snapshot's pieces on their way from the task that takes it to the store, while it is being taken.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::piece_memory::Piece;

/// The end of a task, which takes the snapshot. What travels is a piece, or that the one before was the last.
#[derive(Debug)]
pub(crate) struct PiecesIn(mpsc::UnboundedSender<Option<Piece>>);

/// The end at the store.
#[derive(Debug)]
pub(crate) struct PiecesOut(mpsc::UnboundedReceiver<Option<Piece>>);

/// The two ends of a snapshot's way.
pub(crate) fn way() -> (PiecesIn, PiecesOut) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (PiecesIn(sender), PiecesOut(receiver))
}

impl PiecesIn {
    /// Hands over the next piece, or says that there is no more. Where nobody takes it the job has ended.
    pub fn hand_over(&self, piece: Option<Piece>) {
        let _ = self.0.send(piece);
    }
}

impl PiecesOut {
    /// The next piece; nothing after the last. Waits for ever where the task is gone before: its own error ends the job.
    pub async fn next(&mut self) -> Option<Bytes> {
        match self.0.recv().await {
            Some(piece) => piece.map(Bytes::from_owner),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::piece_memory::PieceMemory;

    #[tokio::test]
    async fn pieces_come_in_order_and_their_memory_comes_back_when_they_are_stored() {
        let memory = PieceMemory::default();
        let (task, mut store) = way();
        task.hand_over(Some(memory.hold(vec![1; 10])));
        task.hand_over(Some(memory.hold(vec![2; 5])));
        task.hand_over(None);
        drop(task);
        let (first, second) = (store.next().await.expect("a piece"), store.next().await.expect("a piece"));
        assert_eq!((&first[..], &second[..], store.next().await), (&[1; 10][..], &[2; 5][..], None));
        drop(store);
        assert_eq!((memory.bytes(), memory.spare()), (15, None), "they are kept, should they have to be sent again");
        drop((first.slice(..5), first));
        assert_eq!(memory.spare(), Some(vec![1; 10]));
    }

    #[tokio::test]
    async fn a_snapshot_whose_task_is_gone_never_looks_whole() {
        let (task, mut store) = way();
        task.hand_over(Some(PieceMemory::default().hold(vec![1])));
        drop(task);
        assert_eq!(store.next().await.as_deref(), Some(&[1][..]));
        let next = tokio::time::timeout(std::time::Duration::from_millis(10), store.next());
        assert!(next.await.is_err(), "neither a piece nor the end");
    }
}
