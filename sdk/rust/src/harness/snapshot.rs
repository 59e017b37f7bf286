//! An operator's states, taken out of one harness and put into another.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bindings::plan::{StateKind, StateNeed};
use crate::error::{Error, Result};
use crate::harness::Harness;
use crate::harness::timers::Waiting;
use crate::host::native;
use crate::process_batch::ProcessBatch;

/// All states and timers of an operator at one moment, as a checkpoint holds them.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct It { seen: ValueState<i64> }
/// # impl Process for It {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { seen: ValueState::new() }) }
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
/// #         if row.n < 0 { cx.reject("below nothing") } else { self.seen.set(row.n); cx.emit(row) }
/// #         Ok(())
/// #     }
/// # }
/// use wasmill_sdk::harness::Harness;
///
/// let mut before = Harness::<It, &str>::keyed(())?;
/// before.feed_keyed([("a", Row { n: 7 })])?;
/// let after = Harness::<It, &str>::restored((), &before.snapshot())?;
/// assert_eq!(after.state::<i64>("seen", &"a"), Some(7));
/// # Result::<()>::Ok(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot<K> {
    states: Vec<State<K>>,
    timers: [Waiting<K>; 2],
    watermark: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State<K> {
    name: String,
    version: u32,
    kind: StateKind,
    values: BTreeMap<K, Vec<u8>>,
    of_task: Option<Vec<u8>>,
}

impl<P: ProcessBatch, K: Ord + Clone> Harness<P, K> {
    /// All states and timers as they are, and the watermark.
    pub fn snapshot(&self) -> Snapshot<K> {
        let states = self.plan.states.iter().zip(&self.states).zip(&self.of_task);
        let states = states.map(|((state, values), of_task)| State {
            name: state.name.clone(),
            version: state.version,
            kind: state.kind,
            values: values.clone(),
            of_task: of_task.clone(),
        });
        Snapshot { states: states.collect(), timers: self.timers.clone(), watermark: self.watermark }
    }

    /// Opens an operator with a key and with these states and timers: the same operator, or a later one. A state that the snapshot doesn't
    /// have is empty; values of another version there are migrated, as the host does; one that this operator doesn't have is refused.
    pub fn restored(settings: impl Serialize, snapshot: &Snapshot<K>) -> Result<Self> {
        let mut harness = Self::keyed(settings)?;
        for state in &snapshot.states {
            let known = harness.plan.states.iter().position(|known| known.name == state.name);
            let Some(number) = known else {
                return Err(Error::fail(format!("the snapshot has a state `{}`, which the operator doesn't have", state.name)));
            };
            let StateNeed { kind, version, .. } = harness.plan.states[number];
            if kind != state.kind {
                return Err(Error::fail(format!(
                    "state `{}` is of another kind in the snapshot than in the operator: give it another name",
                    state.name
                )));
            }
            harness.states[number] = state.values.clone();
            harness.of_task[number] = state.of_task.clone();
            if version != state.version {
                for stored in harness.states[number].values_mut().chain(&mut harness.of_task[number]) {
                    *stored = migrated::<P>(number as u32, state.version, kind, std::mem::take(stored))?;
                }
            }
        }
        (harness.timers, harness.watermark) = (snapshot.timers.clone(), snapshot.watermark);
        Ok(harness)
    }
}

/// What a key has of another version of a state, as the operator has it.
fn migrated<P: ProcessBatch>(state: u32, from: u32, kind: StateKind, stored: Vec<u8>) -> Result<Vec<u8>> {
    let value = |value: &[u8]| P::migrate(state, from, value);
    match kind {
        StateKind::ValueState => value(&stored),
        StateKind::ListState | StateKind::TaskState => {
            let mut list = Vec::new();
            for item in native::strings(&Some(stored)) {
                native::store_item(&value(item)?, &mut list);
            }
            Ok(list)
        }
        StateKind::MapState | StateKind::BroadcastState => {
            let map = native::map_of(&Some(stored)).into_iter().map(|(entry, old)| Ok((entry, value(&old)?)));
            Ok(native::stored_map(&map.collect::<Result<_>>()?))
        }
    }
}
