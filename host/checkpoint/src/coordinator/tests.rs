//! Tests of the coordinator: short stories, and any order of events.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::part::SourcePosition;

const SECOND: Duration = Duration::from_secs(1);
const CADENCE: Cadence = Cadence {
    every: SECOND,
    first_after: SECOND,
    base_every: NonZero::<u32>::MIN,
    first_deltas: 0,
    timeout: Duration::from_secs(60),
};

fn part(task: u32) -> Part {
    Part::Source(SourcePosition { source: "in".to_owned(), task, position: json!(task), largest_time: None, ahead: None })
}

fn acked(task: u32, epoch: u64) -> Event {
    Event::TaskAcked { task: task as usize, epoch: Epoch(epoch), parts: vec![part(task)] }
}

fn trigger(epoch: u64, last: bool) -> Action {
    Action::TriggerBarrier(Barrier { epoch: Epoch(epoch), last, since: None })
}

fn write(epoch: u64, last: bool) -> Action {
    let barrier = Barrier { epoch: Epoch(epoch), last, since: None };
    Action::WriteManifest { barrier, parts: vec![part(0), part(1)], savepoints: vec![] }
}

/// Sends events to a coordinator of two tasks that takes a checkpoint every second, and compares what it does about each.
fn story(steps: Vec<(Event, Vec<Action>)>) {
    let mut coordinator = Coordinator::new(2, CADENCE, Epoch(7));
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
        (Event::SavepointRequested("late".to_owned()), vec![]),
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
fn state_is_snapshotted_whole_at_the_start_and_every_so_often() {
    let cadence = Cadence { base_every: NonZero::new(3).expect("not 0"), first_deltas: 2, ..CADENCE };
    let mut coordinator = Coordinator::new(1, cadence, Epoch(1));
    let mut since = Vec::new();
    for epoch in 1..=7 {
        let actions = coordinator.on(Event::Tick(SECOND * epoch)).expect("a barrier");
        let [Action::TriggerBarrier(barrier)] = actions[..] else { panic!("{actions:?}") };
        since.push(barrier.since.map_or(0, |since| since.0));
        coordinator.on(acked(0, epoch.into())).expect("acknowledged");
        coordinator.on(Event::Stored(Epoch(epoch.into()))).expect("stored");
    }
    assert_eq!(since, [0, 1, 2, 0, 4, 5, 0]);
}

#[test]
fn a_savepoint_is_taken_at_once_or_after_the_one_under_way_and_is_whole() {
    let cadence = Cadence { base_every: NonZero::new(3).expect("not 0"), first_deltas: 2, ..CADENCE };
    let mut coordinator = Coordinator::new(1, cadence, Epoch(1));
    let barrier = |epoch, whole: bool| {
        let since = (!whole).then_some(Epoch(epoch - 1));
        Barrier { epoch: Epoch(epoch), last: false, since }
    };
    let wanted = |label: &str| Event::SavepointRequested(label.to_owned());
    let manifest = |barrier, savepoints: &[&str]| Action::WriteManifest {
        barrier,
        parts: vec![part(0)],
        savepoints: savepoints.iter().map(|&label| label.to_owned()).collect(),
    };
    let mut on = |event: Event| coordinator.on(event).expect("an event that can be");
    assert_eq!(on(Event::Tick(SECOND)), [Action::TriggerBarrier(barrier(1, true))]);
    assert_eq!((on(wanted("a")), on(wanted("b"))), (vec![], vec![]));
    assert_eq!(on(acked(0, 1)), [manifest(barrier(1, true), &[])]);
    assert_eq!(on(Event::Stored(Epoch(1))), [Action::Commit(Epoch(1)), Action::TriggerBarrier(barrier(2, true))]);
    assert_eq!(on(acked(0, 2)), [manifest(barrier(2, true), &["a", "b"])]);
    assert_eq!(on(Event::Stored(Epoch(2))), [Action::Commit(Epoch(2))]);
    assert_eq!(on(wanted("c")), [Action::TriggerBarrier(barrier(3, true))]);
    assert_eq!(on(acked(0, 3)), [manifest(barrier(3, true), &["c"])]);
    assert_eq!(on(Event::Stored(Epoch(3))), [Action::Commit(Epoch(3))]);
    assert_eq!(on(Event::Tick(SECOND * 2)), [Action::TriggerBarrier(barrier(4, false))]);
}

#[test]
fn f08_a_checkpoint_that_takes_too_long_ends_the_job_and_says_who_it_waits_for() {
    let late = |waiting: &[usize]| Action::TimedOut { epoch: Epoch(7), waiting: waiting.to_vec() };
    story(vec![
        (Event::Tick(SECOND), vec![trigger(7, false)]),
        (acked(0, 7), vec![]),
        (Event::Tick(SECOND * 60), vec![]),
        (Event::Tick(SECOND * 61), vec![late(&[1])]),
        (acked(1, 7), vec![]),
    ]);
    story(vec![
        (Event::Tick(SECOND), vec![trigger(7, false)]),
        (acked(0, 7), vec![]),
        (acked(1, 7), vec![write(7, false)]),
        (Event::Tick(SECOND * 61), vec![late(&[])]),
        (Event::StopRequested, vec![]),
    ]);
}

#[test]
fn a_tick_is_wanted_when_a_checkpoint_is_due_or_would_be_too_late() {
    let mut coordinator = Coordinator::new(1, CADENCE, Epoch(1));
    assert_eq!(coordinator.due(), Some(SECOND));
    coordinator.on(Event::Tick(SECOND * 3)).expect("an action");
    assert_eq!(coordinator.due(), Some(SECOND * 63));
    coordinator.on(acked(0, 1)).expect("an action");
    coordinator.on(Event::Stored(Epoch(1))).expect("an action");
    assert_eq!(coordinator.due(), Some(SECOND * 4));
}

#[test]
fn events_that_cannot_be_are_errors() {
    let mut coordinator = Coordinator::new(2, CADENCE, Epoch(7));
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
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..20u32).prop_map(|seconds| Event::Tick(SECOND * seconds)),
        8 => (0..3u32, 7..12u64).prop_map(|(task, epoch)| acked(task, epoch)),
        1 => Just(Event::SavepointRequested("kept".to_owned())),
        1 => Just(Event::Ended),
        1 => Just(Event::StopRequested),
        3 => (7..12u64).prop_map(|epoch| Event::Stored(Epoch(epoch))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens: barriers are numbered without a gap, none is sent before the one before it is committed, an epoch is
    /// committed only when its manifest was stored, with the parts of all tasks, and nothing follows the last.
    #[test]
    fn no_order_of_events_breaks_the_protocol(events in proptest::collection::vec(event(), 0..60)) {
        let mut coordinator = Coordinator::new(2, CADENCE, Epoch(7));
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
                    Action::WriteManifest { barrier, parts, .. } => {
                        prop_assert_eq!((barrier.epoch.0, parts.len()), (triggered, 2));
                        written = triggered;
                    }
                    Action::Commit(epoch) => {
                        prop_assert_eq!((epoch.0, committed + 1), (written, written));
                        prop_assert_eq!(&stored, &Event::Stored(epoch));
                        committed += 1;
                    }
                    Action::Stop | Action::TimedOut { .. } => over = true,
                }
            }
        }
    }
}

#[test]
fn a_thousand_jobs_begin_their_checkpoints_all_over_the_time_between_two_and_their_bases_all_over_the_epochs() {
    let (every, base_every) = (Duration::from_secs(10), NonZero::new(10).expect("not 0"));
    let (mut seconds, mut bases) = ([0; 10], [0; 10]);
    for number in 0..1_000 {
        let cadence = Cadence::of_job(&format!("job-{number}"), every, base_every, Duration::MAX);
        assert!(cadence.first_after > Duration::ZERO && cadence.first_after <= every, "{cadence:?}");
        seconds[((cadence.first_after.as_millis() - 1) / 1_000) as usize] += 1;
        bases[cadence.first_deltas as usize] += 1;
    }
    assert!(seconds.iter().all(|jobs| (70..130).contains(jobs)), "about a hundred in each second: {seconds:?}");
    assert!(bases.iter().all(|jobs| (70..130).contains(jobs)), "about a hundred with each epoch: {bases:?}");
}

#[test]
fn the_second_base_may_come_sooner_than_those_after_it() {
    let cadence = Cadence { base_every: NonZero::new(3).expect("not 0"), first_deltas: 0, ..CADENCE };
    let mut coordinator = Coordinator::new(1, cadence, Epoch(1));
    let mut whole = Vec::new();
    for second in 1..=8 {
        let actions = coordinator.on(Event::Tick(SECOND * second)).expect("in order");
        let [Action::TriggerBarrier(barrier)] = &actions[..] else { panic!("{actions:?}") };
        whole.push(barrier.since.is_none());
        coordinator.on(Event::TaskAcked { task: 0, epoch: barrier.epoch, parts: Vec::new() }).expect("in order");
        coordinator.on(Event::Stored(barrier.epoch)).expect("in order");
    }
    assert_eq!(whole, [true, true, false, false, true, false, false, true]);
}
