//! The store over one that fails in ways that were chosen: what is tried again, what isn't, and what is said.

use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use wasmill_faulty_store::{Fault, FaultyStore, Op, Rule};

use super::*;

/// A store that fails by this rule, and requests to it that aren't patient.
fn failing(rule: Rule) -> (FaultyStore, Requests) {
    let store = FaultyStore::new(Arc::new(InMemory::new()), 1);
    store.rule(rule);
    let patience = Patience { answer: Duration::from_millis(200), all: Duration::from_millis(900) };
    let requests = Requests::new(Arc::new(store.clone()), "s3://bucket".into(), patience, 0);
    (store, requests)
}

fn put(requests: &Requests) -> Result<Put, CheckpointError> {
    wait(requests.create(&Name::from("a"), &[Bytes::from_static(b"ours")]))
}

#[test]
fn f09_a_put_whose_answer_is_lost_is_known_again_by_its_bytes() {
    let (store, requests) = failing(Rule::always(Fault::DropReply).on(Op::Put).times(1));
    assert_eq!(put(&requests).expect("ours"), Put::Created);
    assert_eq!((store.count(Op::Put), store.count(Op::Get)), (2, 1));
}

#[test]
fn f09_a_409_where_nothing_landed_is_tried_again_and_not_taken_for_success() {
    for fault in [Fault::Conflict, Fault::Precondition] {
        let (store, requests) = failing(Rule::always(fault).on(Op::Put).times(2));
        assert_eq!(put(&requests).expect("created"), Put::Created);
        assert_eq!(store.count(Op::Put), 3);
        assert_eq!(wait(requests.get(&Name::from("a"))).expect("an answer").as_deref(), Some(&b"ours"[..]));
    }
}

#[test]
fn f09_another_s_object_under_the_name_is_not_ours() {
    let (store, requests) = failing(Rule::always(Fault::Status(503)).times(0));
    wait(requests.create(&Name::from("a"), &[Bytes::from_static(b"theirs")])).expect("created");
    store.rule(Rule::always(Fault::DropReply).on(Op::Get).times(1));
    assert_eq!(put(&requests).expect("an answer"), Put::Taken);
}

#[test]
fn f07_an_outage_is_waited_for_and_then_said_with_how_long() {
    let (store, requests) = failing(Rule::always(Fault::Status(503)));
    let error = put(&requests).expect_err("an outage");
    assert!(error.is_passing());
    assert_eq!(error.code(), "checkpoint-store");
    let text = "s3://bucket/a: can't write (tried for 0 s): Server returned non-2xx status code: 503: told to fail";
    assert_eq!(error.to_string(), text);
    assert!(store.count(Op::Put) > 2, "tried {} times", store.count(Op::Put));
    store.heal();
    assert_eq!(put(&requests).expect("healed"), Put::Created);
}

#[test]
fn a_request_that_is_never_answered_is_sent_again() {
    let (store, requests) = failing(Rule::always(Fault::Hang).on(Op::Put).times(1));
    assert_eq!(put(&requests).expect("created"), Put::Created);
    assert_eq!(store.count(Op::Put), 2);
}

#[test]
fn what_the_store_refuses_for_good_is_said_at_once() {
    let (store, requests) = failing(Rule::always(Fault::Status(400)));
    let error = put(&requests).expect_err("refused");
    assert!(!error.is_passing());
    assert_eq!(error.to_string(), "s3://bucket/a: can't write: Server returned non-2xx status code: 400: told to fail");
    assert_eq!(store.count(Op::Put), 1);
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    let (store, requests) = failing(Rule::always(Fault::Short).on(Op::Get).times(1));
    put(&requests).expect("created");
    assert_eq!(wait(requests.get(&Name::from("a"))).expect("an answer").as_deref(), Some(&b"ours"[..]));
    assert_eq!(store.count(Op::Get), 2);
}

#[test]
fn f10_an_upload_that_loses_a_part_leaves_nothing_and_is_sent_again() {
    let (store, requests) = failing(Rule::always(Fault::Status(500)).on(Op::Part).after(1).times(1));
    let name = Name::from("large");
    assert_eq!(wait(requests.create(&name, &[vec![7; PART + 1].into()])).expect("created"), Put::Created);
    assert_eq!((store.count(Op::Upload), store.count(Op::Abort), store.count(Op::Complete)), (2, 1, 1));
    assert_eq!(wait(requests.head(&name)).expect("an answer").expect("there").size, PART as u64 + 1);
}

#[test]
fn f10_a_file_that_is_sent_while_it_is_written_is_whole_whatever_fails_meanwhile() {
    let pieces: Vec<Bytes> = (0..5_u8).map(|piece| vec![piece; 1_000].into()).collect();
    let no_fault = Rule::always(Fault::Status(500)).times(0);
    let faults = [
        ("nothing", no_fault, (1, 0)),
        ("the start", Rule::always(Fault::Status(500)).on(Op::Upload).times(1), (2, 0)),
        ("a part", Rule::always(Fault::Status(500)).on(Op::Part).after(1).times(1), (2, 1)),
        ("the last part", Rule::always(Fault::Status(500)).on(Op::Part).after(4).times(1), (2, 1)),
        ("a part that hangs", Rule::always(Fault::Hang).on(Op::Part).after(2).times(1), (2, 1)),
        ("the end", Rule::always(Fault::Status(500)).on(Op::Complete).times(1), (2, 1)),
        ("the answer to the end", Rule::always(Fault::DropReply).on(Op::Complete).times(1), (2, 1)),
    ];
    for (what, rule, (uploads, aborts)) in faults {
        let (store, mut requests) = failing(rule);
        requests.part = 1_100;
        let name = Name::from("large");
        let written = wait(async {
            let mut writer = ObjectWriter::new(requests.clone(), name.clone());
            for piece in &pieces {
                writer.write(piece.clone()).await;
            }
            assert_eq!(requests.head(&name).await.expect("an answer"), None, "{what}: nothing has its name before it is whole");
            writer.finish(0..128).await.expect("written")
        });
        let found = wait(requests.get(&name)).expect("an answer").expect("there");
        assert_eq!(found, pieces.concat(), "{what}");
        assert_eq!(written.sha256, wait(digest(found)), "{what}");
        assert_eq!((store.count(Op::Upload), store.count(Op::Abort), store.count(Op::Put)), (uploads, aborts, 0), "{what}");
    }
}

#[test]
fn a_file_that_the_store_refuses_for_a_while_is_finished_later() {
    let (store, requests) = failing(Rule::always(Fault::Status(503)));
    let mut writer = ObjectWriter::new(requests.clone(), Name::from("a"));
    wait(writer.write(&b"ours"[..]));
    assert!(wait(writer.finish(0..128)).expect_err("an outage").is_passing());
    store.heal();
    assert_eq!(wait(writer.finish(0..128)).expect("written").bytes, 4);
    assert_eq!(wait(requests.get(&Name::from("a"))).expect("an answer").as_deref(), Some(&b"ours"[..]));
}

#[test]
fn f04_a_bit_that_is_wrong_is_damage_that_is_said() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(Arc::clone(&memory), 1);
    let store = wait(Store::over(Arc::new(faulty.clone()), "s3://bucket", 1)).expect("opens");
    wait(store.begin(None)).expect("begins");
    checkpoint(&store, 1).expect("a checkpoint");
    faulty.rule(Rule::always(Fault::Garbled).on(Op::Get).of("manifests/"));
    let error = wait(store.latest("earthquakes")).expect_err("damaged");
    assert_eq!(error.code(), "checkpoint-corrupt");
    faulty.heal();
    faulty.rule(Rule::always(Fault::Garbled).on(Op::Get).of("objects/"));
    let manifest = wait(store.latest("earthquakes")).expect("intact").expect("one");
    let error = wait(store.read_object(Epoch(1), "hourly", manifest.operators["hourly"][0].files().next().expect("a file")))
        .expect_err("damaged");
    assert_eq!(error.code(), "checkpoint-corrupt");
}

#[test]
fn a_write_whose_outcome_is_not_known_is_settled_before_another() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()), 1);
    let store = wait(Store::over(Arc::new(faulty.clone()), "store", 1)).expect("opens");
    wait(store.begin(None)).expect("begins");
    let (one, two) = (objects(&store, 1).expect("state files"), objects(&store, 2).expect("state files"));
    faulty.rule(Rule::always(Fault::Status(400)).on(Op::Put).of("manifests/"));
    assert_eq!(wait(store.write(&one)).expect_err("refused").code(), "checkpoint-store");
    faulty.heal();
    let error = wait(store.write(&two)).expect_err("no more");
    let text = "checkpoint 2 isn't whole: whether checkpoint 1 was written to store isn't known; the store must be claimed anew";
    assert_eq!(error.to_string(), text);
    wait(store.write(&one)).expect("the same again settles it");
    wait(store.write(&two)).expect("and on");
}

#[test]
fn f38_orphans_of_other_processes_stay_for_a_grace_time() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let former = wait(Store::over(Arc::clone(&memory), "store", 1)).expect("opens");
    wait(former.begin(None)).expect("begins");
    checkpoint(&former, 1).expect("a checkpoint");
    objects(&former, 2).expect("state files without a manifest");
    let store = wait(Store::over(Arc::clone(&memory), "store", 2)).expect("opens");
    let first = wait(store.begin(Some(Epoch(1)))).expect("begins").0;
    checkpoint(&store, first).expect("a checkpoint");
    let removed = wait(store.retain(ONE)).expect("removed");
    assert_eq!((removed.epochs, removed.objects), (vec![Epoch(1)], vec![]), "they are young");
    let store = store.with_grace(Duration::ZERO);
    assert_eq!(wait(store.retain(ONE)).expect("removed").objects.len(), 4, "two of checkpoint 1, two of none");
    assert_eq!(newest(&store).expect("intact"), Some(first));
}

#[test]
fn a_checkpoint_costs_few_requests() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()), 1);
    let store = wait(Store::over(Arc::new(faulty.clone()), "store", 1)).expect("opens");
    wait(store.begin(None)).expect("begins");
    for epoch in 1..=3 {
        checkpoint(&store, epoch).expect("a checkpoint");
        wait(store.retain(ONE)).expect("removed");
    }
    let before = faulty.log().len();
    checkpoint(&store, 4).expect("a checkpoint");
    wait(store.retain(ONE)).expect("removed");
    let asked: Vec<_> = faulty.log()[before..].iter().map(|asked| asked.op).collect();
    let count = |op| asked.iter().filter(|asked| **asked == op).count();
    // Two state files and the manifest are put, the manifest is read back, and the owner looked at, twice; what is old goes.
    assert_eq!((count(Op::Put), count(Op::Get), count(Op::Head), count(Op::List), count(Op::Delete)), (3, 1, 2, 0, 3));
}

#[test]
fn what_crashes_and_others_left_is_looked_for_now_and_then() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()), 1);
    let store = wait(Store::over(Arc::new(faulty.clone()), "store", 1)).expect("opens").with_grace(Duration::ZERO);
    wait(store.begin(None)).expect("begins");
    checkpoint(&store, 1).expect("a checkpoint");
    let savepoint = checkpoint(&store, 2).expect("a checkpoint");
    wait(store.keep("kept", &savepoint)).expect("kept");
    wait(store.retain(ONE)).expect("removed");
    // State files that no manifest came to name.
    objects(&store, 3).expect("state files");
    let (mut listed, mut orphans) = (Vec::new(), 0);
    for epoch in 4..400 {
        checkpoint(&store, epoch).expect("a checkpoint");
        let before = faulty.count(Op::List);
        orphans += wait(store.retain(ONE)).expect("removed").objects.len();
        if faulty.count(Op::List) > before {
            listed.push(epoch);
        }
    }
    assert!((2..=8).contains(&listed.len()), "listed at {listed:?}");
    // The savepoint's files stay, those of the newest are there, and all others went, with the two of epoch 3.
    assert_eq!(orphans, 2 * 395 + 2);
    assert_eq!(wait(store.requests.list(&store.objects())).expect("a list").objects.len(), 4);
    wait(store.read_savepoint("kept", "earthquakes")).expect("whole");
    wait(store.delete_savepoint("kept")).expect("deleted");
    assert_eq!(wait(store.retain(ONE)).expect("removed").objects.len(), 2, "with the next removal");
}
