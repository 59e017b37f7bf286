//! Tests of the coordinator: short stories, and any order of events.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::part::SourcePosition;

const SECOND: Duration = Duration::from_secs(1);

fn part(task: u32) -> Part {
    Part::Source(SourcePosition { source: "in".to_owned(), task, position: json!(task), largest_time: None, ahead: None })
}

fn acked(task: u32, epoch: u64) -> Event {
    Event::TaskAcked { task: task as usize, epoch: Epoch(epoch), parts: vec![part(task)] }
}

fn trigger(epoch: u64, last: bool) -> Action {
    Action::TriggerBarrier(Barrier { epoch: Epoch(epoch), last })
}

fn write(epoch: u64, last: bool) -> Action {
    Action::WriteManifest { barrier: Barrier { epoch: Epoch(epoch), last }, parts: vec![part(0), part(1)] }
}

/// Sends events to a coordinator of two tasks that takes a checkpoint every second, and compares what it does about each.
fn story(steps: Vec<(Event, Vec<Action>)>) {
    let mut coordinator = Coordinator::new(2, SECOND, Epoch(7));
    for (event, actions) in steps {
        assert_eq!(coordinator.on(event.clone()), Ok(actions), "on {event:?}");
    }
}

#[test]
fn a_checkpoint_is_complete_when_all_tasks_have_acknowledged_and_the_manifest_is_stored() {
    story(vec![
        (Event::Tick(SECOND / 2), vec![]),
        (Event::Tick(SECOND), vec![trigger(7, false)]),
        (acked(1, 7), vec![]),
        (acked(0, 7), vec![write(7, false)]),
        (Event::Stored(Epoch(7)), vec![Action::Commit(Epoch(7))]),
        (Event::Tick(SECOND * 19 / 10), vec![]),
        (Event::Tick(SECOND * 2), vec![trigger(8, false)]),
    ]);
}

#[test]
fn one_checkpoint_is_under_way_at_a_time_and_a_late_one_follows_at_once() {
    story(vec![
        (Event::Tick(SECOND), vec![trigger(7, false)]),
        (Event::Tick(SECOND * 5), vec![]),
        (acked(0, 7), vec![]),
        (acked(1, 7), vec![write(7, false)]),
        (Event::Tick(SECOND * 6), vec![]),
        (Event::Stored(Epoch(7)), vec![Action::Commit(Epoch(7)), trigger(8, false)]),
        (acked(0, 8), vec![]),
        (acked(1, 8), vec![write(8, false)]),
        (Event::Stored(Epoch(8)), vec![Action::Commit(Epoch(8))]),
    ]);
}

#[test]
fn the_end_of_input_takes_a_last_checkpoint_and_stops() {
    story(vec![
        (Event::Ended, vec![trigger(7, true)]),
        (Event::StopRequested, vec![]),
        (acked(0, 7), vec![]),
        (acked(1, 7), vec![write(7, true)]),
        (Event::Stored(Epoch(7)), vec![Action::Commit(Epoch(7)), Action::Stop]),
        (Event::Tick(SECOND * 9), vec![]),
        (Event::TaskFailed, vec![]),
    ]);
}

#[test]
fn a_stop_waits_for_the_checkpoint_under_way() {
    story(vec![
        (Event::Tick(SECOND), vec![trigger(7, false)]),
        (Event::StopRequested, vec![]),
        (acked(0, 7), vec![]),
        (acked(1, 7), vec![write(7, false)]),
        (Event::Ended, vec![]),
        (Event::Stored(Epoch(7)), vec![Action::Commit(Epoch(7)), trigger(8, true)]),
    ]);
}

#[test]
fn a_task_or_a_store_that_fails_ends_the_job_without_a_commit() {
    story(vec![
        (Event::Tick(SECOND), vec![trigger(7, false)]),
        (acked(0, 7), vec![]),
        (acked(1, 7), vec![write(7, false)]),
        (Event::StoreFailed(Epoch(7)), vec![Action::Fail]),
        (Event::StopRequested, vec![]),
    ]);
    story(vec![(Event::Tick(SECOND), vec![trigger(7, false)]), (Event::TaskFailed, vec![Action::Fail]), (acked(0, 7), vec![])]);
}

#[test]
fn a_tick_is_wanted_only_while_no_checkpoint_is_under_way() {
    let mut coordinator = Coordinator::new(1, SECOND, Epoch(1));
    assert_eq!(coordinator.due(), Some(SECOND));
    coordinator.on(Event::Tick(SECOND * 3)).expect("an action");
    assert_eq!(coordinator.due(), None);
    coordinator.on(acked(0, 1)).expect("an action");
    coordinator.on(Event::Stored(Epoch(1))).expect("an action");
    assert_eq!(coordinator.due(), Some(SECOND * 4));
}

#[test]
fn events_that_cannot_be_are_errors() {
    let mut coordinator = Coordinator::new(2, SECOND, Epoch(7));
    let mut said = |event| coordinator.on(event).map_err(|error| error.to_string());
    assert_eq!(said(acked(0, 7)), Err("task 0 acknowledged barrier 7, expected none".to_owned()));
    assert_eq!(said(Event::Tick(SECOND)), Ok(vec![trigger(7, false)]));
    assert_eq!(said(acked(0, 6)), Err("task 0 acknowledged barrier 6, expected barrier 7".to_owned()));
    assert_eq!(said(acked(2, 7)), Err("task 2 acknowledged a barrier, but there are only 2 tasks".to_owned()));
    assert_eq!(said(acked(0, 7)), Ok(vec![]));
    assert_eq!(said(acked(0, 7)), Err("task 0 acknowledged barrier 7 twice".to_owned()));
    assert_eq!(
        said(Event::Stored(Epoch(7))),
        Err("the manifest of epoch 7 was reported, though it wasn't being written".to_owned())
    );
    assert_eq!(
        said(Event::StoreFailed(Epoch(6))),
        Err("the manifest of epoch 6 was reported, though it wasn't being written".to_owned())
    );
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..20u32).prop_map(|seconds| Event::Tick(SECOND * seconds)),
        8 => (0..3u32, 7..12u64).prop_map(|(task, epoch)| acked(task, epoch)),
        1 => Just(Event::TaskFailed),
        1 => Just(Event::Ended),
        1 => Just(Event::StopRequested),
        3 => (7..12u64).prop_map(|epoch| Event::Stored(Epoch(epoch))),
        1 => (7..12u64).prop_map(|epoch| Event::StoreFailed(Epoch(epoch))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens: barriers are numbered without a gap, none is sent before the one before it is committed, an epoch is
    /// committed only when its manifest was stored, with the parts of all tasks, and nothing follows the last.
    #[test]
    fn no_order_of_events_breaks_the_protocol(events in proptest::collection::vec(event(), 0..60)) {
        let mut coordinator = Coordinator::new(2, SECOND, Epoch(7));
        let (mut triggered, mut written, mut committed, mut over) = (6, 6, 6, false);
        for event in events {
            let stored = event.clone();
            for action in coordinator.on(event).unwrap_or_default() {
                prop_assert!(!over, "{action:?} after the end");
                match action {
                    Action::TriggerBarrier(barrier) => {
                        prop_assert_eq!((triggered, barrier.epoch.0), (committed, triggered + 1));
                        triggered += 1;
                    }
                    Action::WriteManifest { barrier, parts } => {
                        prop_assert_eq!((barrier.epoch.0, parts.len()), (triggered, 2));
                        written = triggered;
                    }
                    Action::Commit(epoch) => {
                        prop_assert_eq!((epoch.0, committed + 1), (written, written));
                        prop_assert_eq!(&stored, &Event::Stored(epoch));
                        committed += 1;
                    }
                    Action::Stop | Action::Fail => over = true,
                }
            }
        }
    }
}
