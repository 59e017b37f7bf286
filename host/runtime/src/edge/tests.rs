//! Lanes: order, limits, holding, ends.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use futures_util::FutureExt as _;
use wasmill_flow::Epoch;

use super::*;
use crate::memory::MemoryBudget;

const LIMIT: LaneLimit = LaneLimit { rows: 4, bytes: 1 << 20 };
const DRAIN: DrainLimit = DrainLimit { rows: 3, bytes: 1 << 20 };

fn charge() -> Charge {
    Charge::new(&Arc::new(MemoryBudget::new(1 << 30)), &Arc::default())
}

fn rows(values: &[i64]) -> Message {
    let column: arrow_array::ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    Message::Rows(Batch::unkeyed(RecordBatch::try_from_iter([("n", column)]).expect("a batch")))
}

fn barrier(epoch: u64) -> Message {
    Message::Barrier(Barrier { epoch: Epoch(epoch), last: false, since: None })
}

fn values(received: Received) -> Vec<i64> {
    let Received::Rows(_, batch) = received else { panic!("expected rows, found {received:?}") };
    use arrow_array::cast::AsArray as _;
    batch.rows.column(0).as_primitive::<arrow_array::types::Int64Type>().values().to_vec()
}

#[tokio::test]
async fn what_is_there_is_drained_into_one_batch_up_to_the_limit() {
    let (mut senders, mut lanes) = lanes(&[0, 0], LIMIT, charge());
    senders[0].send(rows(&[1])).await.expect("sent");
    senders[1].send(rows(&[10, 11])).await.expect("sent");
    senders[0].send(rows(&[2])).await.expect("sent");
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")), [1, 2], "the next batch has no room");
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")), [10, 11]);
    assert!(lanes.try_receive(DRAIN).expect("no sender is gone").is_none());
}

#[tokio::test]
async fn a_batch_over_the_limit_still_passes() {
    let (mut senders, mut lanes) = lanes(&[0], LIMIT, charge());
    senders[0].send(rows(&[1, 2, 3, 4, 5])).await.expect("sent");
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")).len(), 5);
}

#[tokio::test]
async fn a_full_lane_stops_its_sender_until_it_is_drained() {
    let (mut senders, mut lanes) = lanes(&[0], LIMIT, charge());
    senders[0].send(rows(&[1, 2, 3, 4])).await.expect("sent");
    let mut sender = senders.remove(0);
    let mut blocked = Box::pin(sender.send(rows(&[5])));
    assert!(blocked.as_mut().now_or_never().is_none(), "the lane is full");
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")).len(), 4);
    blocked.await.expect("there is room again");
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")), [5]);
}

#[tokio::test]
async fn a_held_lane_waits_and_the_others_go_on() {
    let (mut senders, mut lanes) = lanes(&[0, 0], LIMIT, charge());
    senders[0].send(barrier(1)).await.expect("sent");
    senders[0].send(rows(&[2])).await.expect("sent");
    senders[1].send(rows(&[1])).await.expect("sent");
    assert!(matches!(lanes.receive(DRAIN).await, Ok(Received::Barrier(0, _))));
    lanes.hold(0);
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")), [1]);
    assert!(lanes.try_receive(DRAIN).expect("no sender is gone").is_none(), "what is behind the barrier waits");
    lanes.release();
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")), [2]);
}

#[tokio::test]
async fn marks_keep_their_place_between_rows() {
    let (mut senders, mut lanes) = lanes(&[0], LIMIT, charge());
    for message in [rows(&[1]), barrier(1), rows(&[2]), Message::End] {
        senders[0].send(message).await.expect("sent");
    }
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")), [1]);
    assert!(matches!(lanes.receive(DRAIN).await, Ok(Received::Barrier(0, _))));
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")), [2]);
    assert!(matches!(lanes.receive(DRAIN).await, Ok(Received::End(0))));
}

#[tokio::test]
async fn a_sender_that_is_gone_is_noticed_when_its_lane_is_empty() {
    let (mut senders, mut lanes) = lanes(&[0, 0], LIMIT, charge());
    senders[0].send(rows(&[1])).await.expect("sent");
    drop(senders.remove(0));
    assert_eq!(values(lanes.receive(DRAIN).await.expect("rows")), [1]);
    assert_eq!(lanes.receive(DRAIN).await.expect_err("gone"), SenderGone);
}

#[tokio::test]
async fn a_receiver_that_is_gone_wakes_its_senders() {
    let (mut senders, lanes) = lanes(&[0], LIMIT, charge());
    senders[0].send(rows(&[1, 2, 3, 4])).await.expect("sent");
    let mut sender = senders.remove(0);
    let mut blocked = Box::pin(sender.send(rows(&[5])));
    assert!(blocked.as_mut().now_or_never().is_none());
    drop(lanes);
    assert_eq!(blocked.await, Err(ReceiverGone));
}

#[tokio::test]
async fn rows_of_two_inputs_are_never_in_one_batch_and_take_turns() {
    let (mut senders, mut lanes) = lanes(&[0, 0, 1], LIMIT, charge());
    for sender in &mut senders {
        sender.send(rows(&[1])).await.expect("sent");
    }
    let mut taken = Vec::new();
    for _ in 0..4 {
        let Received::Rows(input, batch) = lanes.receive(DRAIN).await.expect("rows") else { panic!("rows") };
        taken.push((input, batch.len()));
        // The first input always has more.
        senders[0].send(rows(&[2])).await.expect("sent");
        if taken.len() == 1 {
            senders[2].send(rows(&[3])).await.expect("sent");
        }
    }
    assert_eq!(taken, [(0, 2), (1, 2), (0, 2), (0, 1)]);
}
