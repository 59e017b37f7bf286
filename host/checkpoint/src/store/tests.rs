//! Tests of the store; those with faults of the disk are in [`faults`], of object stores in [`faulty`].

mod conformance;
mod faults;
mod faulty;
mod owners;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use super::requests::PART;
use super::*;
use crate::manifest::tests::{job, parts};
use crate::part::Part;
use wasmill_flow::Barrier;

const ONE: NonZero<usize> = NonZero::<usize>::MIN;

/// The bytes of a task's state at an epoch.
fn state(epoch: u64, task: u32) -> Vec<u8> {
    format!("state of task {task} at epoch {epoch}").repeat(10).into_bytes()
}

/// Writes the state files of an epoch; the checkpoint.
fn objects(store: &Store, epoch: u64) -> Result<Manifest, CheckpointError> {
    let mut parts: Vec<Part> = parts().into_iter().filter(|part| !matches!(part, Part::State { .. })).collect();
    for task in 0..2 {
        let mut writer = store.object(Epoch(epoch), "hourly", task);
        for piece in state(epoch, task).chunks(100) {
            wait(writer.write(piece.to_vec()));
        }
        let object = wait(writer.finish(task * 64..(task + 1) * 64))?;
        parts.push(Part::State { operator: "hourly".to_owned(), object, since: None, watermark: None });
    }
    Ok(Manifest::assemble(Barrier { epoch: Epoch(epoch), last: false, since: None }, 0, job(), parts, None)
        .expect("a whole checkpoint"))
}

/// Takes a checkpoint.
fn checkpoint(store: &Store, epoch: u64) -> Result<Manifest, CheckpointError> {
    let manifest = objects(store, epoch)?;
    wait(store.write(&manifest))?;
    Ok(manifest)
}

/// The newest checkpoint, with all its state read and compared with what was written; its epoch.
fn newest(store: &Store) -> Result<Option<u64>, CheckpointError> {
    let Some(manifest) = wait(store.latest("earthquakes"))? else {
        return Ok(None);
    };
    for (task, object) in (0..).zip(&manifest.operators["hourly"]) {
        let bytes = wait(store.read_object(manifest.epoch, "hourly", object.files().next().expect("a file")))?;
        assert_eq!(bytes, state(manifest.epoch.0, task));
    }
    Ok(Some(manifest.epoch.0))
}

fn open(root: &Path) -> Store {
    wait(Store::open(&Location::Directory(root.to_owned()))).expect("the store opens")
}

/// A directory in memory, where there is one: these tests sync a thousand times.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    directory.expect("a directory")
}

/// A new store with checkpoints of these epochs, the path of its only run, and its directory, which goes with the first.
fn store_with(epochs: &[u64]) -> (tempfile::TempDir, Store, PathBuf) {
    let directory = directory();
    let store = open(&directory.path().join("store"));
    for epoch in epochs {
        checkpoint(&store, *epoch).expect("a checkpoint");
    }
    let run = store.requests.path(&store.run_name());
    (directory, store, run)
}

/// An error's code and text, with the store's path left out.
fn said<T: std::fmt::Debug>(store: &Path, result: Result<T, CheckpointError>) -> (&'static str, String) {
    let error = result.expect_err("an error");
    (error.code(), error.to_string().replace(&store.display().to_string(), "STORE"))
}

/// The names in a directory, but for those that start with a dot.
fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    names
}

/// What a future comes to.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
}

#[test]
fn the_newest_checkpoint_is_read_with_all_its_state() {
    let (_directory, store, _) = store_with(&[1, 2, 10]);
    assert_eq!(newest(&store).expect("intact"), Some(10));
    assert_eq!(wait(store.epochs()).expect("a list"), [1, 2, 10].map(Epoch));
    let root = store.path();
    drop(store);
    assert_eq!(newest(&open(&root)).expect("intact"), Some(10), "another process finds the same");
}

#[test]
fn a_store_that_is_new_has_no_checkpoint() {
    let (_directory, store, run) = store_with(&[]);
    assert_eq!(newest(&store).expect("intact"), None);
    assert_eq!(files(&run), ["manifests", "objects", "savepoints"]);
}

#[test]
fn f03_a_store_is_one_process_s_at_a_time() {
    let (_directory, store, _) = store_with(&[1]);
    let root = store.path();
    let text = format!("STORE: in use by another process (pid {})", std::process::id());
    assert_eq!(said(&root, wait(Store::open(&Location::Directory(root.clone())))), ("checkpoint-locked", text));
    drop(store);
    assert_eq!(newest(&open(&root)).expect("intact"), Some(1));
}

#[test]
fn a_manifest_is_never_overwritten() {
    let (_directory, store, run) = store_with(&[1]);
    let before = fs::read(run.join("manifests/00000000000000000001.json")).expect("a manifest");
    let text = "STORE/runs/1/manifests/00000000000000000001.json: there already; a manifest is never overwritten";
    let same = wait(store.latest("earthquakes")).expect("intact").expect("one");
    wait(store.write(&same)).expect("the same is complete already");
    let other = Manifest { created_ms: 1, ..same };
    assert_eq!(said(&store.path(), wait(store.write(&other))), ("checkpoint-exists", text.to_owned()));
    assert_eq!(fs::read(run.join("manifests/00000000000000000001.json")).expect("a manifest"), before);
    assert_eq!(files(&run.join("manifests")).len(), 1, "nothing half written stays");
}

#[test]
fn f06_a_missing_state_file_is_an_error_that_names_it() {
    let (_directory, store, run) = store_with(&[1, 2]);
    let name = wait(store.latest("earthquakes")).expect("intact").expect("one").operators["hourly"][1].name.clone();
    fs::remove_file(run.join("objects").join(&name)).expect("a file");
    let text = format!("STORE/runs/1/objects/{name}: missing; checkpoint 2 needs it for the state of operator `hourly`");
    assert_eq!(said(&store.path(), wait(store.latest("earthquakes"))), ("checkpoint-missing-object", text));
}

#[test]
fn f04_a_damaged_state_file_is_an_error_that_names_it() {
    let (_directory, store, run) = store_with(&[1]);
    let object = wait(store.latest("earthquakes")).expect("intact").expect("one").operators["hourly"][0].clone();
    let path = run.join("objects").join(&object.name);
    let mut bytes = fs::read(&path).expect("a file");
    bytes[200] ^= 4;
    fs::write(&path, &bytes).expect("written");
    let (code, text) = said(&store.path(), wait(store.read_object(Epoch(1), "hourly", object.files().next().expect("a file"))));
    assert_eq!(code, "checkpoint-corrupt");
    assert!(text.starts_with(&format!("STORE/runs/1/objects/{}: damaged: its sha256 is ", object.name)), "{text}");
    assert!(text.ends_with(&format!(", expected {}", object.sha256)), "{text}");
    fs::write(&path, &bytes[..200]).expect("written");
    let text = format!("STORE/runs/1/objects/{}: damaged: it has 200 bytes, expected {}", object.name, object.bytes);
    assert_eq!(said(&store.path(), wait(store.latest("earthquakes"))), ("checkpoint-corrupt", text.clone()));
    assert_eq!(
        said(&store.path(), wait(store.read_object(Epoch(1), "hourly", object.files().next().expect("a file")))),
        ("checkpoint-corrupt", text)
    );
}

#[test]
fn f04_a_state_file_that_is_cut_or_has_a_wrong_bit_anywhere_is_damaged() {
    const PAGE: usize = 4096;
    let (_directory, store, run) = store_with(&[]);
    let bytes: Vec<u8> = (0..100 * PAGE).map(|at| (at * at / 7) as u8).collect();
    let mut writer = store.object(Epoch(1), "hourly", 0);
    wait(writer.write(bytes.clone()));
    let object = wait(writer.finish(0..64)).expect("written");
    let path = run.join("objects").join(&object.name);
    let file = object.files().next().expect("a file");
    let is_damaged = |found: &[u8]| {
        fs::write(&path, found).expect("written");
        said(&store.path(), wait(store.read_object(Epoch(1), "hourly", file))).0 == "checkpoint-corrupt"
    };
    for at in (0..bytes.len()).step_by(PAGE) {
        assert!(is_damaged(&bytes[..at]), "cut at {at}");
        let mut torn = bytes.clone();
        torn[at..].fill(0);
        assert!(is_damaged(&torn), "nothing behind {at}");
        let mut wrong = bytes.clone();
        wrong[at + at / PAGE * 37 % PAGE] ^= 1 << (at / PAGE % 8);
        assert!(is_damaged(&wrong), "a wrong bit behind {at}");
    }
}

#[test]
fn f05_a_damaged_newest_manifest_is_an_error_though_there_is_an_older_one() {
    let (_directory, store, run) = store_with(&[1, 2]);
    let path = run.join("manifests/00000000000000000002.json");
    let intact = fs::read(&path).expect("a manifest");
    fs::write(&path, &intact[..100]).expect("written");
    let text = "STORE/runs/1/manifests/00000000000000000002.json: damaged: it ends at byte 100 without the closing brace";
    assert_eq!(said(&store.path(), wait(store.latest("earthquakes"))), ("checkpoint-corrupt", text.to_owned()));
    fs::write(&path, "").expect("written");
    assert_eq!(said(&store.path(), wait(store.latest("earthquakes"))).0, "checkpoint-corrupt");
    fs::write(&path, String::from_utf8(intact).expect("UTF-8").replace("\"format\":2", "\"format\":7")).expect("written");
    let text = "STORE/runs/1/manifests/00000000000000000002.json: written in version 7 of the manifest's format, this program reads up to version 2";
    assert_eq!(said(&store.path(), wait(store.latest("earthquakes"))), ("checkpoint-newer-format", text.to_owned()));
}

#[test]
fn f05_a_manifest_under_another_epoch_s_name_is_damage() {
    let (_directory, store, run) = store_with(&[1, 2]);
    fs::copy(run.join("manifests/00000000000000000001.json"), run.join("manifests/00000000000000000003.json")).expect("copied");
    let text = "STORE/runs/1/manifests/00000000000000000003.json: damaged: it is the manifest of epoch 1";
    assert_eq!(said(&store.path(), wait(store.latest("earthquakes"))), ("checkpoint-corrupt", text.to_owned()));
}

#[test]
fn what_does_not_belong_among_the_manifests_is_an_error() {
    let (_directory, store, run) = store_with(&[1]);
    fs::write(run.join("manifests/.DS_Store"), "").expect("written");
    assert_eq!(newest(&store).expect("intact"), Some(1));
    fs::rename(run.join("manifests/00000000000000000001.json"), run.join("manifests/1.json")).expect("renamed");
    let text = "STORE/runs/1/manifests/1.json: damaged: nothing of that name belongs here";
    assert_eq!(said(&store.path(), wait(store.latest("earthquakes"))), ("checkpoint-corrupt", text.to_owned()));
}

#[test]
fn f05_another_job_s_checkpoint_is_refused() {
    let (_directory, store, _) = store_with(&[1]);
    let text = "STORE: checkpoint 1 is of job `earthquakes`, not of `storms`";
    assert_eq!(said(&store.path(), wait(store.latest("storms"))), ("checkpoint-other-job", text.to_owned()));
}

#[test]
fn a_checkpoint_that_is_not_there_is_said_not_to_be() {
    let (_directory, store, _) = store_with(&[1, 2]);
    let text = "STORE: no checkpoint 7; there are 1, 2";
    assert_eq!(said(&store.path(), wait(store.read(Epoch(7), "earthquakes"))), ("checkpoint-not-found", text.to_owned()));
}

#[test]
fn a_path_that_can_be_no_store_is_an_error() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, "").expect("written");
    let (code, text) = said(&file, wait(Store::open(&Location::Directory(file.clone()))));
    assert_eq!(code, "checkpoint-store");
    assert_eq!(text, "STORE/runs: can't make the directory: Not a directory (os error 20)");
}

#[test]
fn f38_retention_keeps_the_newest_and_all_that_they_need() {
    let (_directory, store, run) = store_with(&[1, 2, 3]);
    let removed = wait(store.retain(NonZero::new(2).expect("two"))).expect("removed");
    assert_eq!((removed.epochs, removed.objects.len()), (vec![Epoch(1)], 2));
    assert_eq!(newest(&store).expect("intact"), Some(3));
    assert_eq!(files(&run.join("objects")).len(), 4);
    wait(store.read(Epoch(2), "earthquakes")).expect("the older one is whole");
    assert_eq!(wait(store.retain(NonZero::new(2).expect("two"))).expect("nothing to do"), Removed::default());
}

#[test]
fn a_savepoint_keeps_what_it_needs_until_it_is_deleted() {
    let (_directory, store, run) = store_with(&[1]);
    let manifest = wait(store.read(Epoch(1), "earthquakes")).expect("a checkpoint");
    wait(store.keep("before-upgrade", &manifest)).expect("kept");
    wait(store.keep("before-upgrade", &manifest)).expect("the same again changes nothing");
    let later = checkpoint(&store, 2).expect("a checkpoint");
    let text = "STORE/runs/1/savepoints/before-upgrade.json: there already; a manifest is never overwritten";
    assert_eq!(said(&store.path(), wait(store.keep("before-upgrade", &later))), ("checkpoint-exists", text.to_owned()));
    assert_eq!(wait(store.retain(ONE)).expect("removed"), Removed { epochs: vec![Epoch(1)], objects: vec![] });
    let kept = wait(store.read_savepoint("before-upgrade", "earthquakes")).expect("whole");
    assert_eq!((kept, wait(store.savepoints()).expect("a list")), (manifest, vec!["before-upgrade".to_owned()]));
    let error = said(&store.path(), wait(store.read_savepoint("other", "earthquakes")));
    assert_eq!(error, ("savepoint-not-found", "STORE: no savepoint `other`; there is only `before-upgrade`".to_owned()));
    wait(store.delete_savepoint("before-upgrade")).expect("deleted");
    assert_eq!(wait(store.retain(ONE)).expect("removed").objects.len(), 2);
    assert_eq!(files(&run.join("objects")).len(), 2);
}

#[test]
fn f38_retention_removes_what_crashed_processes_left_and_not_what_is_being_written() {
    let (_directory, store, run) = store_with(&[1]);
    let root = store.path();
    objects(&store, 2).expect("state files without a manifest");
    drop(store);
    let store = open(&root);
    let being_written = objects(&store, 2).expect("state files");
    let mut unfinished = store.object(Epoch(2), "hourly", 7);
    let removed = wait(store.retain(ONE)).expect("removed");
    assert_eq!((removed.epochs.len(), removed.objects.len()), (0, 2), "the crashed process's");
    wait(unfinished.write(&b"more"[..]));
    drop(unfinished);
    wait(store.write(&being_written)).expect("a checkpoint");
    assert_eq!(newest(&store).expect("intact"), Some(2));
    wait(store.retain(ONE)).expect("removed");
    assert_eq!((files(&run.join("objects")).len(), files(&run.join("manifests")).len()), (2, 1));
}

#[test]
fn f38_retention_removes_no_state_where_a_checkpoint_that_stays_cannot_be_read() {
    let (_directory, store, run) = store_with(&[1, 2, 3]);
    let root = store.path();
    drop(store);
    fs::write(run.join("manifests/00000000000000000002.json"), "").expect("written");
    let store = open(&root);
    let (code, _) = said(&store.path(), wait(store.retain(NonZero::new(2).expect("two"))));
    assert_eq!(code, "checkpoint-corrupt");
    assert_eq!((files(&run.join("objects")).len(), files(&run.join("manifests")).len()), (6, 3));
}

#[test]
fn a_fresh_start_leaves_old_checkpoints_behind_and_says_so() {
    let (_directory, mut store, run) = store_with(&[1, 2]);
    let root = store.path();
    let left = wait(store.fresh()).expect("a new run").expect("checkpoints were there");
    assert_eq!((&left.path, &left.epochs), (&run, &vec![Epoch(1), Epoch(2)]));
    let text = format!(
        "2 checkpoints left behind in {} ({} bytes); delete that directory if you don't need them",
        run.display(),
        left.bytes
    );
    assert_eq!(left.to_string(), text);
    assert_eq!(newest(&store).expect("intact"), None);
    drop(store);
    let mut store = open(&root);
    assert_eq!(newest(&store).expect("intact"), None, "nor does the next process find them");
    assert_eq!(wait(store.fresh()).expect("nothing was there"), None);
    checkpoint(&store, 1).expect("epochs start again");
    wait(store.retain(ONE)).expect("removed");
    assert_eq!(newest(&store).expect("intact"), Some(1));
    assert_eq!((files(&run.join("objects")).len(), files(&run.join("manifests")).len()), (4, 2), "the old run is untouched");
}

#[test]
fn a_state_file_that_is_not_finished_leaves_nothing() {
    let (_directory, store, run) = store_with(&[]);
    let mut writer = store.object(Epoch(1), "hourly", 0);
    wait(writer.write(&b"some"[..]));
    drop(writer);
    assert_eq!(files(&run.join("objects")), Vec::<String>::new());
}
