//! Who may write to a store that several processes can reach: the newest owner, and nobody else.
//!
//! A local directory has a lock, which the system frees when a process ends. Object stores have none, and a lease would trust clocks. So a
//! process that is replaced isn't stopped but *fenced*: nothing that it does from then on counts. Objects are created where nothing has
//! their name, and whoever lists or reads sees what was created before: that is all that is asked of a store.
//!
//! ```text
//! owners/00000000000000000003.json        the claim of owner 3: who it is
//! owners/00000000000000000003.begun.json  where it began: its run, the checkpoint that it goes on from, the epoch that it starts with
//! ```
//!
//! An owner `j`
//! 1. *claims*: creates the claim with the number after the highest that is there. Of two, one gets it, the other takes the next;
//! 2. *looks*: lists checkpoints and the beginnings of others, and chooses a checkpoint `base` to go on from;
//! 3. *begins*: creates its beginning, with `base` and `first`, and sees that nobody has claimed `j + 1`; only then does it touch sinks;
//! 4. *writes* the manifest of an epoch, one after the other from `first` on, each created where nothing has its name, and sees again
//!    that nobody has claimed `j + 1`. Only then is the checkpoint complete, and only then may sinks make it visible.
//!
//! Claims and beginnings are never deleted, so numbers have no gaps, and `j + 1` is there if anybody came after `j`.
//!
//! `first` is two more than the highest of: the epochs whose manifests are there, `base`, and one less than each former owner's `first`.
//! (The very first owner starts right behind what is there.) What has an epoch between `base` and `first` counts for nobody.
//!
//! A beginning names the one `after` which it came: the newest that its owner saw. Those that count are the newest and what is found from
//! there by `after`. So one that a fenced owner creates late, when the next has looked, counts for nobody once that has begun.
//!
//! **No complete checkpoint is lost.** When `k` completed `e`, nobody had claimed `k + 1`. So whoever came after `k` looked later, and saw
//! it.
//!
//! **What a fenced owner leaves is never taken for a checkpoint.** Let `k` write the manifest of `e` after `j > k` has looked. `k` completed
//! all its epochs before `e` when nobody had claimed `k + 1`, so `j` saw them, or later ones, and `e` is at most one more than the highest
//! that `j` saw; or `e` is `k`'s `first`, and then `j` saw `k`'s beginning, for `k` created that and found nobody after it before it wrote.
//! Either way `e` is less than `j`'s `first`; and as `j` didn't see it, it didn't choose it: `e` is more than `base`, or else `j` went on
//! from something older than `e`'s place on purpose. In between nothing counts. A put that is lost on its way and lands at any later time
//! is no other case: after a write whose outcome isn't known an owner writes no other epoch ([`Ownership::unsettled`]), until it has claimed
//! anew.
//!
//! **Names don't clash**, since `e < first`. Were a store to break its promises, the manifest says who wrote it (`owner`), and one that is
//! not by the owner of its epoch is refused.
//!
//! `tests/owners.rs` runs two owners in every order of their requests.

use std::collections::BTreeMap;
use std::iter::successors;

use bytes::Bytes;
use object_store::path::Path as Name;
use serde::{Deserialize, Serialize};
use wasmill_flow::Epoch;

use super::names;
use super::requests::{Put, Requests};
use crate::error::CheckpointError;

/// Who claims a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    /// A number that no two processes share.
    maker: String,
    /// The process's id, for people.
    process: u32,
}

/// Where an owner began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// The owner.
    pub owner: u64,
    /// The newest owner whose beginning it saw; 0 for none.
    pub after: u64,
    /// The run that it writes to.
    pub run: u64,
    /// The epoch of the checkpoint that it went on from; 0 for none.
    pub base: u64,
    /// The first epoch that it writes.
    pub first: u64,
}

/// What stands in `owners/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// The highest number that is claimed; 0 for none.
    pub newest: u64,
    /// Where owners began, by their numbers.
    beginnings: BTreeMap<u64, Beginning>,
}

impl Owners {
    /// Reads it.
    pub async fn read(requests: &Requests) -> Result<Self, CheckpointError> {
        let mut owners = Self::default();
        for object in requests.list(&directory()).await?.objects {
            let name = names::last(&object.location);
            let Some((owner, begun)) = names::owner(&name) else {
                if names::is_hidden(&name) {
                    continue;
                }
                let what = "nothing of that name belongs here".to_owned();
                return Err(CheckpointError::Corrupt { path: requests.path(&object.location), what });
            };
            owners.newest = owners.newest.max(owner);
            if begun {
                owners.beginnings.insert(owner, read_beginning(requests, owner).await?);
            }
        }
        Ok(owners)
    }

    /// The run of the last that began.
    pub fn run(&self) -> Option<u64> {
        self.beginnings.values().last().map(|beginning| beginning.run)
    }

    /// The beginnings that count, in a run, the newest first.
    fn counting(&self, run: u64) -> impl Iterator<Item = &Beginning> {
        let newest = self.beginnings.values().last();
        let all = successors(newest, |beginning| self.beginnings.get(&beginning.after));
        all.filter(move |beginning| beginning.run == run)
    }

    /// Whether a manifest of this epoch counts: no owner went on from before it and began behind it.
    pub fn counts(&self, run: u64, epoch: Epoch) -> bool {
        self.counting(run).all(|beginning| epoch.0 <= beginning.base || epoch.0 >= beginning.first)
    }

    /// Who writes this epoch; nobody where it is older than all beginnings.
    pub fn of(&self, run: u64, epoch: Epoch) -> Option<u64> {
        self.counting(run).find(|beginning| beginning.first <= epoch.0).map(|beginning| beginning.owner)
    }

    /// The first epoch that a new owner writes: behind all that former ones may have written or may still write.
    fn first(&self, run: u64, base: u64, newest: u64) -> u64 {
        let before = self.beginnings.values().filter(|beginning| beginning.run == run);
        match before.map(|beginning| beginning.first - 1).max() {
            None => newest.max(base) + 1,
            Some(most) => most.max(newest).max(base) + 2,
        }
    }
}

/// What this process may do to a store.
#[derive(Debug)]
pub struct Ownership {
    number: u64,
    /// What stood there when it was claimed.
    pub owners: Owners,
    /// Where this owner began, once it has.
    begun: Option<Beginning>,
    /// The epoch of which it isn't known whether it was written. No other is written then.
    pub unsettled: Option<Epoch>,
}

impl Ownership {
    /// Claims a store.
    pub async fn claim(requests: &Requests, maker: &str) -> Result<Self, CheckpointError> {
        let claim = Claim { maker: maker.to_owned(), process: std::process::id() };
        let claim = json(&claim);
        let mut number = Owners::read(requests).await?.newest + 1;
        while requests.create(&directory().join(names::claim(number)), std::slice::from_ref(&claim)).await? == Put::Taken {
            number += 1;
        }
        // What others began before they could know of the claim is seen only now.
        let owners = Owners::read(requests).await?;
        if owners.newest > number {
            let path = requests.path(&Name::default());
            return Err(CheckpointError::Fenced { path, owner: number, by: owners.newest });
        }
        Ok(Self { number, owners, begun: None, unsettled: None })
    }

    /// The owner's number, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Begins after a checkpoint, 0 for none; `newest` is the highest epoch that the run has a manifest of, whether it counts or not. The
    /// first epoch to be written.
    pub async fn begin(&mut self, requests: &Requests, run: u64, base: u64, newest: u64) -> Result<Epoch, CheckpointError> {
        let after = self.owners.beginnings.keys().last().copied().unwrap_or(0);
        let first = self.owners.first(run, base, newest);
        let beginning = Beginning { owner: self.number, after, run, base, first };
        let name = directory().join(names::beginning(self.number));
        if requests.create(&name, &[json(&beginning)]).await? == Put::Taken {
            return Err(CheckpointError::Exists { path: requests.path(&name) });
        }
        self.check(requests).await?;
        self.begun = Some(beginning.clone());
        self.owners.beginnings.insert(self.number, beginning);
        Ok(Epoch(first))
    }

    /// Sees that nobody has claimed the store since.
    pub async fn check(&self, requests: &Requests) -> Result<(), CheckpointError> {
        let next = self.number + 1;
        match requests.head(&directory().join(names::claim(next))).await? {
            None => Ok(()),
            Some(_) => Err(CheckpointError::Fenced { path: requests.path(&Name::default()), owner: self.number, by: next }),
        }
    }

    /// Sees that an epoch is this owner's to write.
    pub fn may_write(&self, requests: &Requests, epoch: Epoch) -> Result<(), CheckpointError> {
        let refused = |what: String| Err(CheckpointError::NotWhole { epoch, what });
        if let Some(unsettled) = self.unsettled.filter(|unsettled| *unsettled != epoch) {
            return refused(format!(
                "whether checkpoint {unsettled} was written to {} isn't known; the store must be claimed anew",
                requests.path(&Name::default()).display()
            ));
        }
        match &self.begun {
            Some(begun) if begun.first <= epoch.0 => Ok(()),
            Some(begun) => refused(format!("this process began with epoch {}", begun.first)),
            None => refused("this process hasn't begun to write to the store".to_owned()),
        }
    }
}

async fn read_beginning(requests: &Requests, owner: u64) -> Result<Beginning, CheckpointError> {
    let name = directory().join(names::beginning(owner));
    let corrupt = |what: String| CheckpointError::Corrupt { path: requests.path(&name), what };
    let bytes = requests.get(&name).await?.ok_or_else(|| corrupt("it was listed, and isn't there".to_owned()))?;
    let beginning: Beginning = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
    if beginning.owner != owner || beginning.after >= owner || beginning.first <= beginning.base {
        return Err(corrupt(format!(
            "it says that owner {} began with epoch {} after {}",
            beginning.owner, beginning.first, beginning.base
        )));
    }
    Ok(beginning)
}

fn directory() -> Name {
    Name::from("owners")
}

fn json(value: &impl Serialize) -> Bytes {
    #[expect(clippy::expect_used, reason = "numbers and strings: nothing that JSON can't say")]
    serde_json::to_vec(value).expect("JSON").into()
}
