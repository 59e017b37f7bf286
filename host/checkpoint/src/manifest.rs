//! The manifest: the one file whose presence makes a checkpoint. A stable format, version 2, told in `docs/formats/manifest.md`.
//!
//! The file is one JSON object, written so that the checksum covers the manifest's bytes as they are. The fields of the manifest are those of
//! [`Manifest`]. A manifest names all that a checkpoint consists of; what it doesn't name isn't part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use wasmill_flow::{Barrier, Epoch, KeyGroups};

use crate::part::{Ended, Part, Prepared, SourcePosition, StateFile, StateObject};

/// The version of the format that is written.
pub const VERSION: u32 = 2;

/// What a checkpoint is worth nothing without: the job that it was taken of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFacts {
    /// The job's name.
    pub name: String,
    /// A hash of what the job does, without its parallelism and its plugins' bytes: a job with another can't go on from here.
    pub plan: String,
    /// The number of key groups (`max-parallelism`).
    pub key_groups: u32,
    /// The job's parallelism.
    pub parallelism: u32,
    /// For each source, how many tasks it has.
    pub sources: BTreeMap<String, u32>,
    /// The operators that keep state.
    pub stateful: BTreeSet<String>,
    /// For each sink, how many tasks it has.
    pub sinks: BTreeMap<String, u32>,
    /// For each operator that is a plugin, the plugin's digest.
    pub plugins: BTreeMap<String, String>,
    /// For operators that keep state, what it is of: for who reads it without the job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<String, StateFacts>,
}

/// What an operator's state is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFacts {
    /// The columns of its keys, in order, by name and type as job files have it; of several inputs, as the first that is keyed has them.
    pub key: Vec<(String, String)>,
    /// What its values are put together of: the operator's own. Absent where only the operator knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
}

/// A checkpoint: everything that the job needs to go on from a barrier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The barrier's epoch.
    #[serde(with = "epoch_number")]
    pub epoch: Epoch,
    /// Whether the job had ended, or was stopped, with this checkpoint.
    pub last: bool,
    /// When it was written, in milliseconds since 1970, UTC.
    pub created_ms: u64,
    /// The job.
    pub job: JobFacts,
    /// Where the sources were: one for each of their tasks.
    pub sources: Vec<SourcePosition>,
    /// For each operator with state, its files, in order of their key groups: each group is in one of them.
    pub operators: BTreeMap<String, Vec<StateObject>>,
    /// What the sinks had prepared: one for each of their tasks.
    pub sinks: Vec<Prepared>,
    /// How far event time had come for operators with state, in milliseconds since 1970, UTC: for the task that was furthest behind. Absent
    /// where it hadn't begun.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub watermarks: BTreeMap<String, i64>,
    /// Tasks of operators that had been told that there is no more input: they aren't told again, unless more comes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ended: BTreeMap<String, Ended>,
    /// Which of the store's owners wrote it, from 1; absent for 0, where a lock sees that there is one.
    #[serde(default, skip_serializing_if = "is_none")]
    pub owner: u64,
}

/// Why bytes are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// They aren't what was written.
    #[error("{0}")]
    Corrupt(String),
    /// They were written by a later version of the format.
    #[error("version {found} of the format, expected up to {VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
}

impl Manifest {
    /// The manifest of what all tasks handed in at a barrier; `before` is that of the epoch before, which parts may hold changes since.
    ///
    /// # Errors
    /// What is missing or too much, as a sentence: each source and sink has a part for each of its tasks, and each operator with
    /// state has each key group in exactly one file.
    pub fn assemble(
        barrier: Barrier,
        created_ms: u64,
        job: JobFacts,
        parts: Vec<Part>,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let mut manifest = Self {
            epoch: barrier.epoch,
            last: barrier.last,
            created_ms,
            operators: job.stateful.iter().map(|operator| (operator.clone(), Vec::new())).collect(),
            job,
            sources: Vec::new(),
            sinks: Vec::new(),
            watermarks: BTreeMap::new(),
            ended: BTreeMap::new(),
            owner: 0,
        };
        for part in parts {
            match part {
                Part::Source(position) => manifest.sources.push(position),
                Part::Sink(prepared) => manifest.sinks.push(prepared),
                Part::Ended { operator, task } => {
                    let ended = manifest.ended.entry(operator).or_default();
                    ended.of = task.of;
                    ended.tasks.insert(task.index);
                }
                Part::State { operator, object, since, watermark } => {
                    let object = match since {
                        None => object,
                        Some(since) => continued(before, &operator, since, &object)?,
                    };
                    if let Some(watermark) = watermark {
                        let least = manifest.watermarks.entry(operator.clone()).or_insert(watermark);
                        *least = watermark.min(*least);
                    }
                    manifest.operators.entry(operator).or_default().push(object);
                }
            }
        }
        manifest.sources.sort_by(|a, b| (&a.source, a.task).cmp(&(&b.source, b.task)));
        manifest.sinks.sort_by(|a, b| (&a.sink, a.task).cmp(&(&b.sink, b.task)));
        manifest.operators.values_mut().for_each(|objects| objects.sort_by_key(|object| (object.first_group, object.end_group)));
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks that it is whole.
    fn check(&self) -> Result<(), String> {
        check_tasks("source", &self.job.sources, self.sources.iter().map(|part| (part.source.as_str(), part.task)))?;
        check_tasks("sink", &self.job.sinks, self.sinks.iter().map(|part| (part.sink.as_str(), part.task)))?;
        if KeyGroups::new(self.job.key_groups).is_none() {
            return Err(format!("it has {} key groups, expected 1 to {}", self.job.key_groups, KeyGroups::MOST));
        }
        if !self.operators.keys().eq(&self.job.stateful) {
            let found: Vec<_> = self.operators.keys().collect();
            return Err(format!("it has state of operators {found:?}, expected {:?}", self.job.stateful));
        }
        self.operators.iter().try_for_each(|(operator, objects)| self.check_objects(operator, objects))
    }

    fn check_objects(&self, operator: &str, objects: &[StateObject]) -> Result<(), String> {
        let mut next = 0;
        for object in objects {
            if object.first_group != next || object.end_group <= next {
                return Err(format!(
                    "state of operator `{operator}`: `{}` has key groups {} to {}, expected from {next} on",
                    object.name, object.first_group, object.end_group
                ));
            }
            next = object.end_group;
            let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.".contains(&c);
            for StateFile { name, .. } in object.files() {
                if name.starts_with('.') || !name.ends_with(".state") || !name.bytes().all(is_plain) {
                    return Err(format!("state of operator `{operator}`: {name:?} is no name of a state file"));
                }
            }
        }
        if next != self.job.key_groups {
            return Err(format!("state of operator `{operator}`: no file has key groups {next} to {}", self.job.key_groups));
        }
        Ok(())
    }

    /// The files that hold state of an operator's key groups, which may hold that of others too.
    pub fn objects<'a>(&'a self, operator: &str, groups: Range<u32>) -> impl Iterator<Item = &'a StateObject> {
        let objects = self.operators.get(operator).map_or(&[][..], Vec::as_slice);
        objects.iter().filter(move |object| object.first_group < groups.end && groups.start < object.end_group)
    }

    /// Whether an operator's deltas have come to more than half of its bases: then it is cheaper to write state whole again.
    #[must_use]
    pub fn wants_base(&self) -> bool {
        self.operators.values().any(|chains| {
            let bases: u64 = chains.iter().map(|chain| chain.bytes).sum();
            let deltas: u64 = chains.iter().map(StateObject::delta_bytes).sum();
            deltas > bases / 2
        })
    }

    /// All files that it names.
    pub fn files(&self) -> impl Iterator<Item = StateFile<'_>> {
        self.operators.values().flatten().flat_map(StateObject::files)
    }

    /// Its bytes, as they are stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "maps with string keys, numbers and strings: nothing that JSON can't say")]
        let manifest = serde_json::to_string_pretty(self).expect("a manifest is JSON");
        format!("{}{}{BEFORE_MANIFEST}{manifest}{AFTER_MANIFEST}", before_checksum(VERSION), checksum(manifest.as_bytes()))
            .into_bytes()
    }

    /// Reads it back, trusting no byte.
    ///
    /// # Errors
    /// [`ManifestError`] where the bytes aren't those that were written, or are of a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        let corrupt = |what: String| ManifestError::Corrupt(what);
        let text =
            std::str::from_utf8(bytes).map_err(|error| corrupt(format!("it isn't UTF-8 at byte {}", error.valid_up_to())))?;
        let version = text
            .strip_prefix(BEFORE_VERSION)
            .and_then(|rest| rest.split(',').next()?.parse().ok())
            .filter(|version| *version > 0);
        let Some(version) = version else {
            return Err(corrupt(format!("it doesn't start as a manifest does, with {BEFORE_VERSION}")));
        };
        if version > VERSION {
            return Err(ManifestError::Newer { found: version });
        }
        let stored = text.strip_prefix(&before_checksum(version)).and_then(|rest| rest.split_once(BEFORE_MANIFEST));
        let Some((expected, rest)) = stored else {
            return Err(corrupt("it has no checksum before the manifest".to_owned()));
        };
        let Some(manifest) = rest.strip_suffix(AFTER_MANIFEST) else {
            return Err(corrupt(format!("it ends at byte {} without the closing brace", bytes.len())));
        };
        let found = checksum(manifest.as_bytes());
        if found != expected {
            return Err(corrupt(format!("its checksum is {found}, expected {expected}")));
        }
        let manifest: Self = serde_json::from_str(manifest).map_err(|error| corrupt(error.to_string()))?;
        manifest.check().map_err(corrupt)?;
        Ok(manifest)
    }
}

const BEFORE_VERSION: &str = "{\"format\":";
const BEFORE_MANIFEST: &str = "\",\"manifest\":\n";
const AFTER_MANIFEST: &str = "\n}\n";

fn before_checksum(version: u32) -> String {
    format!("{BEFORE_VERSION}{version},\"sha256\":\"")
}

fn checksum(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// State that is what it was in the checkpoint `before`, of epoch `since`, with what changed since then.
fn continued(before: Option<&Manifest>, operator: &str, since: Epoch, delta: &StateObject) -> Result<StateObject, String> {
    let groups = delta.groups();
    let Some(before) = before.filter(|before| before.epoch == since) else {
        return Err(format!(
            "state of operator `{operator}`, key groups {groups:?}, holds what changed since {since}, which isn't the checkpoint before"
        ));
    };
    let chain = before.objects(operator, groups.clone()).find(|object| object.groups() == groups);
    let chain = chain.ok_or_else(|| {
        format!("state of operator `{operator}`, key groups {groups:?}: the checkpoint before has no such file")
    })?;
    Ok(chain.followed_by(delta))
}

/// Checks that each of some names has a part for each of its tasks, and nothing else has one.
fn check_tasks<'a>(
    kind: &str,
    expected: &'a BTreeMap<String, u32>,
    found: impl Iterator<Item = (&'a str, u32)>,
) -> Result<(), String> {
    let mut parts = BTreeSet::new();
    for (name, task) in found {
        if expected.get(name).is_none_or(|&tasks| task >= tasks) || !parts.insert((name, task)) {
            return Err(format!("{kind} `{name}` has a part of task {task} too much"));
        }
    }
    // Looks no further than one task past those found, however many tasks a broken manifest says there were.
    let missing = |(name, &tasks): (&'a String, &u32)| {
        (0..tasks).find(|&task| !parts.contains(&(name.as_str(), task))).map(|task| (name, task))
    };
    match expected.iter().find_map(missing) {
        Some((name, task)) => Err(format!("{kind} `{name}` has no part of task {task}")),
        None => Ok(()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_none(owner: &u64) -> bool {
    *owner == 0
}

/// An epoch as its number.
mod epoch_number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use wasmill_flow::Epoch;

    pub(super) fn serialize<S: Serializer>(epoch: &Epoch, serializer: S) -> Result<S::Ok, S::Error> {
        epoch.0.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Epoch, D::Error> {
        u64::deserialize(deserializer).map(Epoch)
    }
}

#[cfg(test)]
pub(crate) mod tests;
