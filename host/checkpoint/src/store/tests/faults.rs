//! The store on a disk that fails, and after crashes at every step.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;
use crate::store::disk::{Disk, Step};

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// The step fails, as on a full disk; those after it don't.
    Once,
    /// The process is killed: what it did stays, and nothing follows.
    Kill,
    /// The machine loses power: names in directories that weren't synced are as they were.
    NamesLost,
    /// The machine loses power: bytes of files that weren't synced are gone.
    BytesLost,
}

/// What a disk has been told to do, and when it fails.
struct Watch {
    fault: Fault,
    at: usize,
    done: Vec<Step>,
    /// The bytes of files before they were removed.
    removed: BTreeMap<PathBuf, Vec<u8>>,
    failed: bool,
}

impl Watch {
    fn step(&mut self, step: &Step) -> io::Result<()> {
        if self.failed && self.fault != Fault::Once {
            return Err(io::Error::other("crashed"));
        }
        if !self.failed && self.done.len() == self.at {
            self.failed = true;
            self.fail(step)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Step::Remove(path) = step {
            self.removed.insert(path.clone(), fs::read(path)?);
        }
        self.done.push(step.clone());
        Ok(())
    }

    fn fail(&self, step: &Step) -> io::Result<()> {
        if let Step::Write(path) = step {
            fs::OpenOptions::new().append(true).open(path)?.write_all(b"half")?;
        }
        match self.fault {
            Fault::Once | Fault::Kill => Ok(()),
            Fault::NamesLost => self.lose_names(),
            Fault::BytesLost => self.lose_bytes(),
        }
    }

    fn lose_names(&self) -> io::Result<()> {
        for (at, step) in self.done.iter().enumerate().rev() {
            let (Step::CreateDir(path) | Step::Create(path) | Step::Link(_, path) | Step::Remove(path)) = step else {
                continue;
            };
            let directory = path.parent().expect("a directory");
            if self.done[at..].iter().any(|later| matches!(later, Step::SyncDir(synced) if synced == directory)) {
                continue;
            }
            match step {
                Step::CreateDir(_) => fs::remove_dir_all(path)?,
                Step::Remove(_) => fs::write(path, &self.removed[path])?,
                _ if path.exists() => fs::remove_file(path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn lose_bytes(&self) -> io::Result<()> {
        for (at, step) in self.done.iter().enumerate() {
            let Step::Write(path) = step else { continue };
            if self.done[at..].contains(&Step::Sync(path.clone())) {
                continue;
            }
            let named = self.done.iter().find_map(|step| {
                matches!(step, Step::Link(from, _) if from == path).then(|| match step {
                    Step::Link(_, to) => to,
                    _ => path,
                })
            });
            for path in [Some(path), named].into_iter().flatten().filter(|path| path.exists()) {
                fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
            }
        }
        Ok(())
    }
}

/// What a process had been told when it ended: the newest checkpoint that it knows to be complete, what it was writing, and whether it
/// was starting anew.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Known {
    complete: Option<u64>,
    writing: Option<u64>,
    starting_anew: bool,
}

/// A process's life: checkpoints 2 and 3, each time only the newest is kept, a fresh start, and a first checkpoint after it.
fn live(root: &Path, disk: Disk, known: &mut Known) -> Result<(), CheckpointError> {
    let mut store = wait(Store::open_on(root, disk))?;
    for epoch in [2, 3] {
        take(&store, epoch, known)?;
        wait(store.retain(ONE))?;
    }
    known.starting_anew = true;
    wait(store.fresh())?;
    *known = Known::default();
    take(&store, 1, known)
}

fn take(store: &Store, epoch: u64, known: &mut Known) -> Result<(), CheckpointError> {
    known.writing = Some(epoch);
    checkpoint(store, epoch)?;
    known.complete = Some(epoch);
    Ok(())
}

/// Lets a process fail at step `at`, and looks at what the next one finds. Whether the process came that far.
fn fails_at(fault: Fault, at: usize) -> bool {
    let (_directory, store, _) = store_with(&[1]);
    let root = store.path();
    drop(store);
    let watch = Arc::new(Mutex::new(Watch { fault, at, done: Vec::new(), removed: BTreeMap::new(), failed: false }));
    let watched = Arc::clone(&watch);
    let disk = Disk::watched(Arc::new(move |step| watched.lock().expect("one thread").step(step)));
    let mut known = Known { complete: Some(1), ..Known::default() };
    let lived = live(&root, disk, &mut known);
    let watch = watch.lock().expect("one thread");
    let story = format!("{fault:?} at step {at}, {:?}: {known:?}", watch.done.last());
    if !watch.failed {
        lived.expect("without a fault all goes well");
        return false;
    }
    if let Err(error) = lived {
        assert_eq!(error.code(), "checkpoint-store", "{story}");
    }

    let store = open(&root);
    let found = newest(&store).unwrap_or_else(|error| panic!("{story}: {error}"));
    let may_be = [known.complete, known.writing.or(known.complete), known.complete.filter(|_| !known.starting_anew)];
    assert!(may_be.contains(&found), "{story}: found {found:?}");
    for epoch in wait(store.epochs()).expect("a list") {
        wait(store.read(epoch, "earthquakes")).unwrap_or_else(|error| panic!("{story}: {error}"));
    }
    let next = found.map_or(1, |found| found + 1);
    checkpoint(&store, next).unwrap_or_else(|error| panic!("{story}: {error}"));
    wait(store.retain(ONE)).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!(newest(&store).expect("intact"), Some(next), "{story}");
    let run = store.requests.path(&store.run_name());
    let left = (files(&run.join("objects")).len(), files(&run.join("manifests")).len());
    assert_eq!(left, (2, 1), "{story}: only what checkpoint {next} needs is there");
    true
}

fn fails_at_every_step(fault: Fault) {
    let steps = (0..).take_while(|&at| fails_at(fault, at)).count();
    assert!(steps > 60, "only {steps} steps");
}

#[test]
fn a_step_that_fails_leaves_the_former_checkpoint() {
    fails_at_every_step(Fault::Once);
}

#[test]
fn a_kill_at_any_step_leaves_the_former_checkpoint() {
    fails_at_every_step(Fault::Kill);
}

#[test]
fn names_that_are_lost_with_the_power_were_of_no_checkpoint() {
    fails_at_every_step(Fault::NamesLost);
}

#[test]
fn bytes_that_are_lost_with_the_power_were_of_no_checkpoint() {
    fails_at_every_step(Fault::BytesLost);
}

#[test]
fn f30_a_full_disk_is_said_to_be_full() {
    let (_directory, store, _) = store_with(&[1]);
    let root = store.path();
    drop(store);
    let full = Disk::watched(Arc::new(|step| match step {
        Step::Write(_) => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    }));
    let store = wait(Store::open_on(&root, full)).expect("the store opens");
    let (code, text) = said(&root, checkpoint(&store, 2));
    assert_eq!(code, "checkpoint-store");
    assert!(text.contains(".state.") && text.ends_with(".partial: can't write: no storage space"), "{text}");
    assert_eq!(newest(&store).expect("intact"), Some(1));
}
