//! What a store must do, whatever it is: run over memory, a directory, a store that fails, and MinIO.

use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use wasmill_faulty_store::minio::Minio;
use wasmill_faulty_store::{Fault, FaultyStore, Op, Rule};

use super::*;

fn requests(objects: &Arc<dyn ObjectStore>) -> Requests {
    Requests::new(Arc::clone(objects), "store".into(), Patience::RUNNING, 0)
}

/// All that is asked of the objects, and of a store in them.
async fn conforms(objects: Arc<dyn ObjectStore>) {
    creates_once(&requests(&objects)).await;
    creates_large_ones(&requests(&objects)).await;
    lists_and_deletes(&requests(&objects)).await;
    keeps_checkpoints(objects).await;
}

async fn creates_once(requests: &Requests) {
    let name = Name::from("once/a");
    let (ours, theirs) = ([Bytes::from_static(b"ours")], [Bytes::from_static(b"theirs")]);
    assert_eq!(requests.get(&name).await.expect("an answer"), None);
    assert_eq!(requests.create(&name, &ours).await.expect("an answer"), Put::Created);
    assert_eq!(requests.create(&name, &theirs).await.expect("an answer"), Put::Taken);
    assert_eq!(requests.create(&name, &ours).await.expect("an answer"), Put::Created, "what is there already is ours");
    assert_eq!(requests.get(&name).await.expect("an answer").as_deref(), Some(&b"ours"[..]));
    let name = Name::from("once/race");
    let both = [b"one", b"two"].map(|bytes| {
        let (requests, name) = (requests.clone(), name.clone());
        async move { requests.create(&name, &[Bytes::from_static(bytes)]).await.expect("an answer") }
    });
    let mut put = futures_util::future::join_all(both).await;
    put.sort_by_key(|put| *put == Put::Taken);
    assert_eq!(put, [Put::Created, Put::Taken], "one of two is the first");
}

async fn creates_large_ones(requests: &Requests) {
    let name = Name::from("large/a");
    let pieces: Vec<Bytes> = (0_u8..10).map(|n| vec![n; 2_000_003].into()).collect();
    assert_eq!(requests.create(&name, &pieces).await.expect("an answer"), Put::Created);
    let found = requests.get(&name).await.expect("an answer").expect("an object");
    assert!(found == pieces.concat(), "{} bytes", found.len());
    assert_eq!(requests.head(&name).await.expect("an answer").expect("an object").size, 20_000_030);
}

async fn lists_and_deletes(requests: &Requests) {
    let name = |name: &str| Name::from("listed").join(name);
    for of in ["b", "a"] {
        requests.create(&name(of), &[Bytes::from_static(b"x")]).await.expect("created");
    }
    requests.create(&name("deep").join("c"), &[]).await.expect("created");
    let below = Name::from("listed");
    let listed = requests.list(&below).await.expect("an answer");
    assert_eq!(listed.objects.iter().map(|object| names::last(&object.location)).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(listed.common_prefixes.iter().map(names::last).collect::<Vec<_>>(), ["deep"]);
    requests.delete(&[name("a"), name("nothing")]).await.expect("what isn't there is deleted");
    assert_eq!(requests.head(&name("a")).await.expect("an answer"), None);
    assert_eq!(requests.list(&below).await.expect("an answer").objects.len(), 1);
    assert_eq!(requests.list(&Name::from("nowhere")).await.expect("an answer").objects.len(), 0);
}

/// Takes a checkpoint with state.
async fn takes(store: &Store, epoch: Epoch) -> Result<(), CheckpointError> {
    let mut parts: Vec<Part> = parts().into_iter().filter(|part| !matches!(part, Part::State { .. })).collect();
    for task in 0..2 {
        let mut writer = store.object(epoch, "hourly", task);
        writer.write(state(epoch.0, task)).await;
        let object = writer.finish(task * 64..(task + 1) * 64).await?;
        parts.push(Part::State { operator: "hourly".to_owned(), object, since: None, watermark: None });
    }
    store
        .write(
            &Manifest::assemble(Barrier { epoch, last: false, since: None }, 0, job(), parts, None).expect("a whole checkpoint"),
        )
        .await
}

/// The newest checkpoint with its state, which is what was written.
async fn finds(store: &Store) -> Option<Epoch> {
    let manifest = store.latest("earthquakes").await.expect("intact")?;
    for (task, object) in (0..).zip(&manifest.operators["hourly"]) {
        let bytes = store.read_object(manifest.epoch, "hourly", object.files().next().expect("a file")).await.expect("intact");
        assert_eq!(bytes, state(manifest.epoch.0, task));
    }
    Some(manifest.epoch)
}

async fn keeps_checkpoints(objects: Arc<dyn ObjectStore>) {
    let open =
        || async { Store::over(Arc::clone(&objects), "store", names::unique()).await.expect("opens").with_grace(Duration::ZERO) };
    let store = open().await;
    let first = store.begin(None).await.expect("begins");
    assert_eq!((finds(&store).await, first), (None, Epoch(1)));
    for epoch in 1..=3 {
        takes(&store, Epoch(epoch)).await.expect("a checkpoint");
    }
    let removed = store.retain(NonZero::new(2).expect("two")).await.expect("removed");
    assert_eq!((removed.epochs, removed.objects.len()), (vec![Epoch(1)], 2));

    let mut next = open().await;
    assert_eq!(finds(&next).await, Some(Epoch(3)));
    assert!(matches!(takes(&store, Epoch(4)).await, Err(CheckpointError::Fenced { .. })), "the former may write no more");
    let first = next.begin(Some(Epoch(3))).await.expect("begins");
    assert_eq!((finds(&next).await, first), (Some(Epoch(3)), Epoch(6)), "what it wrote nevertheless counts for nobody");
    takes(&next, first).await.expect("a checkpoint");
    assert_eq!(next.epochs().await.expect("a list"), [2, 3, 6].map(Epoch));
    let removed = next.retain(ONE).await.expect("removed");
    assert_eq!((removed.epochs, removed.objects.len()), ([2, 3].map(Epoch).to_vec(), 6), "with what the fenced process wrote");
    assert_eq!(next.all_epochs().await.expect("a list"), [Epoch(6)]);
    let left = next.fresh().await.expect("a new run").expect("a checkpoint was there");
    assert_eq!(left.epochs, [Epoch(6)]);

    let anew = open().await;
    assert_eq!(finds(&anew).await, Some(Epoch(6)), "a fresh start that didn't begin changed nothing");
    let mut anew = open().await;
    anew.fresh().await.expect("a new run");
    assert_eq!(anew.begin(None).await.expect("begins"), Epoch(1));
    let after = open().await;
    assert_eq!(finds(&after).await, None, "the fresh start stands");
}

fn in_memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

#[test]
fn memory_conforms() {
    wait(conforms(in_memory()));
}

#[test]
fn a_directory_conforms() {
    let directory = directory();
    wait(conforms(Arc::new(Directory::new(directory.path().join("store"), Disk::default()))));
}

#[test]
fn a_store_that_fails_conforms_nevertheless() {
    for seed in 0..10 {
        wait(async {
            let store = FaultyStore::new(in_memory(), seed);
            let most = Duration::from_millis(2);
            store.rule(Rule::always(Fault::Delay { least: Duration::ZERO, most }));
            for fault in [Fault::Status(503), Fault::Status(429), Fault::Status(500), Fault::DropReply] {
                store.rule(Rule::always(fault).chance(0.02));
            }
            for fault in [Fault::Conflict, Fault::Precondition] {
                store.rule(Rule::always(fault).on(Op::Put).chance(0.05));
            }
            store.rule(Rule::always(Fault::Short).on(Op::Get).chance(0.05));
            conforms(Arc::new(store.clone())).await;
            assert!(store.log().iter().any(|asked| asked.fault.is_some()), "seed {seed}: nothing failed");
        });
    }
}

#[test]
fn minio_conforms() {
    let minio = Minio::start();
    let objects = object_store::aws::AmazonS3Builder::new()
        .with_endpoint(minio.endpoint())
        .with_bucket_name(Minio::BUCKET)
        .with_access_key_id(Minio::USER)
        .with_secret_access_key(Minio::PASSWORD)
        .with_allow_http(true)
        .build()
        .expect("a client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(conforms(Arc::new(objects)));
}
