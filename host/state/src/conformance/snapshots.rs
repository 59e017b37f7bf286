//! The snapshots that a run takes: the one under way, those that are whole, and the chains that they make.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wasmill_flow::Epoch;

use crate::contract::{KeyedState, SnapshotKind};

/// One thing to do about snapshots.
#[derive(Debug, Clone)]
pub enum Action {
    /// Starts one, if none is under way.
    Mark(SnapshotKind),
    /// A step of the one under way, of about so many keys.
    Step(usize),
    /// Gives up the one under way.
    Abandon,
    /// Confirms the one that was marked so many before the latest.
    Confirm(u64),
}

/// Actions, of which most lead to chains.
pub fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        1 => Just(Action::Mark(SnapshotKind::Base)),
        6 => Just(Action::Mark(SnapshotKind::Delta)),
        9 => (0..30_usize).prop_map(Action::Step),
        2 => (0..500_usize).prop_map(Action::Step),
        1 => Just(Action::Abandon),
        4 => Just(Action::Confirm(0)),
        1 => (1..4_u64).prop_map(Action::Confirm),
    ]
}

/// A snapshot: what it should restore, and its bytes so far.
#[derive(Debug)]
struct Taken<H> {
    epoch: Epoch,
    since: Option<Epoch>,
    held: H,
    bytes: Vec<u8>,
}

/// The snapshots of a run, of which `H` is what is held.
#[derive(Debug)]
pub struct Snapshots<H> {
    latest: Epoch,
    confirmed: Option<Epoch>,
    under_way: Option<Taken<H>>,
    whole: BTreeMap<Epoch, Taken<H>>,
}

impl<H: Clone> Snapshots<H> {
    /// None so far.
    pub fn new() -> Self {
        Self { latest: Epoch(0), confirmed: None, under_way: None, whole: BTreeMap::new() }
    }

    /// Does one thing to a backend that holds this now.
    pub fn act(&mut self, action: &Action, backend: &mut dyn KeyedState, held: &H) {
        match *action {
            Action::Mark(kind) => self.mark(kind, backend, held),
            Action::Step(keys) => {
                self.step(keys, backend);
            }
            Action::Abandon => {
                backend.abandon_snapshot();
                self.under_way = None;
            }
            Action::Confirm(before) => {
                let epoch = Epoch(self.latest.0.saturating_sub(before));
                backend.confirm_snapshot(epoch);
                if epoch == self.latest && self.whole.contains_key(&epoch) {
                    self.confirmed = Some(epoch);
                }
            }
        }
    }

    /// Starts a snapshot, if none is under way.
    pub fn mark(&mut self, kind: SnapshotKind, backend: &mut dyn KeyedState, held: &H) {
        if self.under_way.is_some() {
            return;
        }
        self.latest = self.latest.next();
        let since = backend.snapshot(self.latest, kind);
        if let Some(since) = since {
            assert_eq!(kind, SnapshotKind::Delta, "a base was asked for");
            assert_eq!(Some(since), self.confirmed, "a delta goes on from the confirmed snapshot");
        }
        self.under_way = Some(Taken { epoch: self.latest, since, held: held.clone(), bytes: Vec::new() });
    }

    /// A step of the snapshot under way; whether there is more.
    pub fn step(&mut self, keys: usize, backend: &mut dyn KeyedState) -> bool {
        match (backend.snapshot_step(keys), &mut self.under_way) {
            (Some(piece), Some(taken)) => {
                taken.bytes.extend_from_slice(&piece);
                backend.reuse(piece);
                true
            }
            (None, under_way) => {
                self.whole.extend(under_way.take().map(|taken| (taken.epoch, taken)));
                false
            }
            (Some(_), None) => panic!("a piece, though no snapshot is under way"),
        }
    }

    /// What each whole snapshot should restore, and its chain.
    pub fn chains(&self) -> impl Iterator<Item = (&H, Vec<&[u8]>)> {
        self.whole.values().map(|taken| {
            let before = |taken: &&Taken<H>| taken.since.map(|since| &self.whole[&since]);
            let mut chain: Vec<&[u8]> = std::iter::successors(Some(taken), before).map(|taken| &taken.bytes[..]).collect();
            chain.reverse();
            (&taken.held, chain)
        })
    }
}
