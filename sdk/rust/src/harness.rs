//! Runs an operator natively, without WebAssembly: for tests of it.
//!
//! ```
//! use wasmill_sdk::harness::Harness;
//! use wasmill_sdk::{Context, NoSettings, Open, Operator, Process, Record, Result, ValueState};
//!
//! #[derive(Record, Debug, PartialEq)]
//! struct Counted { count: i64 }
//!
//! #[derive(Operator)]
//! #[operator(keep = "key")]
//! struct Count { seen: ValueState<i64> }
//!
//! impl Process for Count {
//!     type Input<'a> = ();
//!     type Output = Counted;
//!     type Settings = NoSettings;
//!
//!     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
//!         Ok(Self { seen: ValueState::new() })
//!     }
//!
//!     fn process(&mut self, _: (), cx: &mut Context<Self>) -> Result<()> {
//!         let count = *self.seen.update(|seen| seen.unwrap_or(0) + 1);
//!         cx.emit(Counted { count });
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let mut harness = Harness::<Count, &str>::keyed(())?;
//! harness.feed_keyed([("ak", ()), ("us", ()), ("ak", ())])?;
//! assert_eq!(harness.output(), [Counted { count: 1 }, Counted { count: 1 }, Counted { count: 2 }]);
//! assert_eq!(harness.state::<i64>("seen", &"ak"), Some(2));
//! # Ok(())
//! # }
//! ```

mod aggregate;
pub mod cases;
mod emitted;
mod snapshot;
mod states;
mod timers;
mod window;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::Timestamp;
use crate::bindings::data::{self, Keys};
use crate::bindings::plan::{StateKind, StateNeed};
use crate::bindings::{DataType, Field, Input, Plan};
use crate::error::Result;
use crate::host::native::{self, Call, CallState};
use crate::inputs::{InputSpec, Inputs};
use crate::instance::Instance;
use crate::log::Level;
use crate::operator::Keep;
use crate::process_batch::ProcessBatch;

pub use aggregate::AggregateHarness;
pub use emitted::Emitted;
pub use snapshot::Snapshot;
pub use window::WindowHarness;

use timers::{Fired, Waiting};

/// What the input is called where there is only one.
const ONLY_INPUT: &str = "input";

/// A rejected row.
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
/// use wasmill_sdk::harness::{Harness, Rejected};
///
/// let mut harness = Harness::<It, &str>::keyed(())?;
/// harness.feed_keyed([("a", Row { n: 1 }), ("a", Row { n: -1 })])?;
/// assert_eq!(harness.rejected(), [Rejected { row: 1, reason: "below nothing".into() }]);
/// # Result::<()>::Ok(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which row it was of all that the harness was fed, counted from 0.
    pub row: usize,
    /// Why.
    pub reason: String,
}

/// Runs an operator: feeds it rows, batch by batch, and holds what it leaves behind. `K` is the type of keys, `()` without keys.
///
/// It does what the host does: a call that fails leaves nothing behind but its messages, and the next is made on a new instance.
/// A panic of the operator is the test's.
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
/// let mut harness = Harness::<It, &str>::keyed(())?;
/// harness.batches_of(1);
/// harness.feed_keyed([("a", Row { n: 1 }), ("b", Row { n: 2 })])?;
/// assert_eq!(harness.output().len(), 2);
/// harness.reopen(); // as the host may at any time
/// assert_eq!((harness.state::<i64>("seen", &"b"), harness.keys("seen")), (Some(2), 2));
/// # Result::<()>::Ok(())
/// ```
pub struct Harness<P: ProcessBatch, K = ()> {
    plan: Plan,
    settings: String,
    inputs: Vec<Input>,
    instance: Option<Instance<P>>,
    /// For each state, the values of keys.
    states: Vec<BTreeMap<K, Vec<u8>>>,
    /// For each state what it is where it is no key's.
    of_task: Vec<Option<Vec<u8>>>,
    emitted: Vec<emitted::Sent<K>>,
    rejected: Vec<Rejected>,
    logs: Vec<(Level, String)>,
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, f64>,
    now: i64,
    watermark: i64,
    /// Of event time, of processing time.
    timers: [Waiting<K>; 2],
    timers_dropped: u64,
    /// How often in a row keys have set timers whose moments had passed.
    in_a_row: BTreeMap<K, u32>,
    most_rows: usize,
    fed: usize,
}

/// What a call is about.
struct Made<'a, K> {
    /// Its distinct keys.
    keys: &'a [K],
    /// The key of each of its rows.
    of_row: &'a [K],
    /// The timers that it hands over.
    fired: Option<Fired>,
    /// Its input is broadcast.
    broadcast: bool,
}

impl<K> Made<'_, K> {
    /// Neither rows nor timers.
    fn nothing() -> Self {
        Self { keys: &[], of_row: &[], fired: None, broadcast: false }
    }
}

impl<P: ProcessBatch, K> fmt::Debug for Harness<P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("settings", &self.settings).field("fed", &self.fed).finish_non_exhaustive()
    }
}

/// What an operator declares for these settings (`null` for none) and an input with these columns and key; or why it refuses them.
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
/// use wasmill_sdk::bindings::{DataType, Field};
///
/// let columns = vec![Field { name: "m".into(), data_type: DataType::Int64, nullable: false }];
/// let refused = harness::describe::<It>((), columns, &["m"]).unwrap_err();
/// assert_eq!(refused.message(), "input `input` has no column `n`: did you mean `m`?");
/// ```
pub fn describe<P: ProcessBatch>(settings: impl Serialize, columns: Vec<Field>, key: &[&str]) -> Result<Plan> {
    let key = key.iter().map(|name| (*name).to_owned()).collect();
    describe_inputs::<P>(settings, &[Input { name: ONLY_INPUT.to_owned(), schema: columns, key, broadcast: false }])
}

/// The same for several inputs, as a job gives them.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Inputs)] enum Rows { Left(Row), Right(Row) }
/// # #[derive(Operator)] struct It {}
/// # impl Process for It {
/// #     type Input<'a> = Rows;
/// #     type Output = ();
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self {}) }
/// #     fn process(&mut self, row: Rows, cx: &mut Context<Self>) -> Result<()> { cx.emit(()); Ok(()) }
/// # }
/// use wasmill_sdk::bindings::{DataType, Field, Input};
///
/// let n = Field { name: "n".into(), data_type: DataType::Int64, nullable: false };
/// let left = Input { name: "left".into(), schema: vec![n], key: Vec::new(), broadcast: false };
/// let refused = harness::describe_inputs::<It>((), &[left]).unwrap_err();
/// assert_eq!(refused.message(), "the operator's inputs are left, right, but the job gives it left");
/// ```
pub fn describe_inputs<P: ProcessBatch>(settings: impl Serialize, inputs: &[Input]) -> Result<Plan> {
    Instance::<P>::describe(&serde_json::to_string(&settings)?, inputs)
}

impl<P: ProcessBatch> Harness<P> {
    /// Opens the operator over inputs without a key; `()` for no settings. Their columns are those that the operator reads.
    pub fn new(settings: impl Serialize) -> Result<Self> {
        Self::open(settings, &[])
    }

    /// Feeds rows in one call, or in several where [`batches_of`](Self::batches_of) was set, and one for each run of rows of the same
    /// input. Stops at the first call that fails.
    pub fn feed<'a>(&mut self, rows: impl IntoIterator<Item = P::Input<'a>>) -> Result<()> {
        self.feed_some(rows.into_iter().map(|row| ((), row)), false)
    }
}

impl<P: ProcessBatch, K: Ord + Clone> Harness<P, K> {
    /// Opens the operator over inputs with a key, but for those that are `unkeyed`; `()` for no settings. Their columns are those that
    /// the operator reads.
    pub fn keyed(settings: impl Serialize) -> Result<Self> {
        Self::open(settings, &["key".to_owned()])
    }

    /// Feeds rows with their keys, as [`feed`](Harness::feed) does without. A row of an input without a key has one for nothing.
    pub fn feed_keyed<'a>(&mut self, rows: impl IntoIterator<Item = (K, P::Input<'a>)>) -> Result<()> {
        self.feed_some(rows.into_iter(), true)
    }

    /// Makes calls of at most `rows` rows from here on.
    pub fn batches_of(&mut self, rows: usize) {
        self.most_rows = rows.max(1);
    }

    /// Ends the input: all timers of event time fire, those of processing time are dropped, and the operator is told.
    pub fn end(&mut self) -> Result<()> {
        self.advance_watermark(Timestamp::from_millis(i64::MAX))?;
        self.drop_timers();
        self.call(Made::nothing(), Instance::on_end)
    }

    /// Drops the instance, as the host may between any two calls: what the operator must remember is in its states.
    pub fn reopen(&mut self) {
        self.instance = None;
    }

    /// Takes what was rejected.
    pub fn rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    /// Takes what was logged.
    pub fn logs(&mut self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.logs)
    }

    /// What a counter stands at.
    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// What a gauge was last set to.
    pub fn gauge(&self, name: &str) -> Option<f64> {
        self.gauges.get(name).copied()
    }

    /// What the operator declared.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    fn open(settings: impl Serialize, key: &[String]) -> Result<Self> {
        let input = |spec: &InputSpec| Input {
            name: spec.name.unwrap_or(ONLY_INPUT).to_owned(),
            schema: columns_wanted::<P>(spec),
            key: if spec.keyed { key.to_vec() } else { Vec::new() },
            broadcast: spec.broadcast,
        };
        let inputs = <P::Input<'static> as Inputs<'static>>::INPUTS.iter().map(input).collect();
        Self::over(serde_json::to_string(&settings)?, inputs)
    }

    /// Opens the operator over these inputs; settings are JSON.
    fn over(settings: String, inputs: Vec<Input>) -> Result<Self> {
        let plan = Instance::<P>::describe(&settings, &inputs)?;
        let states: Vec<_> = plan.states.iter().map(|_| BTreeMap::new()).collect();
        let mut harness = Self {
            plan,
            settings,
            inputs,
            instance: None,
            of_task: vec![None; states.len()],
            states,
            emitted: Vec::new(),
            rejected: Vec::new(),
            logs: Vec::new(),
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            now: 0,
            watermark: i64::MIN,
            timers: [Waiting::default(), Waiting::default()],
            timers_dropped: 0,
            in_a_row: BTreeMap::new(),
            most_rows: usize::MAX,
            fed: 0,
        };
        harness.call(Made::nothing(), |_| Ok(()))?;
        Ok(harness)
    }

    fn feed_some<'a>(&mut self, rows: impl Iterator<Item = (K, P::Input<'a>)>, keyed: bool) -> Result<()> {
        let mut rows = rows.peekable();
        while let Some((_, first)) = rows.peek() {
            let input = first.input();
            let mut gathered = <P::Input<'a> as Inputs<'a>>::Gathered::default();
            let mut of_row: Vec<K> = Vec::new();
            while of_row.len() < self.most_rows
                && let Some((key, row)) = rows.next_if(|(_, row)| row.input() == input)
            {
                of_row.push(key);
                row.gather(&mut gathered);
            }
            let columns = <P::Input<'a> as Inputs<'a>>::take_gathered(input, &mut gathered);
            let batch = data::Batch { rows: of_row.len() as u32, columns };
            self.process(input, &batch, &of_row, keyed && !self.inputs[input].key.is_empty())?;
        }
        Ok(())
    }

    /// Makes a call with rows of an input that have these keys.
    fn process(&mut self, input: usize, batch: &data::Batch, of_row: &[K], keyed: bool) -> Result<()> {
        if !keyed {
            let made = Made { keys: &[], of_row, fired: None, broadcast: self.inputs[input].broadcast };
            return self.call(made, |instance| instance.process(input as u32, batch, None));
        }
        let mut keys: Vec<K> = Vec::new();
        let mut numbers = BTreeMap::new();
        let number = |key: &K| {
            *numbers.entry(key.clone()).or_insert_with(|| {
                keys.push(key.clone());
                keys.len() as u32 - 1
            })
        };
        let row_key = of_row.iter().map(number).collect();
        let given = Keys { count: keys.len() as u32, columns: Vec::new(), row_key };
        let made = Made { keys: &keys, of_row, fired: None, broadcast: false };
        self.call(made, |instance| instance.process(input as u32, batch, Some(&given)))
    }

    /// Makes a call, on a new instance if there is none.
    fn call(&mut self, made: Made<'_, K>, work: impl FnOnce(&mut Instance<P>) -> Result<()>) -> Result<()> {
        let Made { keys, of_row, fired, broadcast } = made;
        let states = self.plan.states.iter().zip(&self.states).zip(&self.of_task).map(|((state, values), of_task)| CallState {
            width: state.width,
            values: match is_of_task(state) {
                true => vec![of_task.clone()],
                false => keys.iter().map(|key| values.get(key).cloned()).collect(),
            },
            stored: Vec::new(),
        });
        let given = Call { now: self.now, watermark: self.watermark, broadcast, states: states.collect(), ..Call::default() };
        let opened = self.instance.take();
        let (done, left) = native::during(given, || {
            let mut instance = match opened {
                Some(instance) => instance,
                None => Instance::open(&self.settings, self.inputs.clone(), 0, 1)?,
            };
            work(&mut instance).map(|()| instance)
        });
        self.logs.extend(left.logs);
        let instance = done?;
        let sent = emitted::check(&self.plan, left.emitted, self.fed, of_row, keys)?;
        self.change_timers(keys, &left.timers, fired.as_ref())?;
        self.emitted.extend(sent);
        self.rejected.extend(left.rejected.into_iter().map(|(row, reason)| Rejected { row: self.fed + row as usize, reason }));
        for (number, mut state) in left.states.into_iter().enumerate() {
            let values = &mut self.states[number];
            if is_of_task(&self.plan.states[number]) {
                self.of_task[number] = state.values.swap_remove(0);
                continue;
            }
            state.stored.sort_unstable();
            state.stored.dedup();
            for key in state.stored {
                match state.values[key as usize].take() {
                    Some(bytes) => values.insert(keys[key as usize].clone(), bytes),
                    None => values.remove(&keys[key as usize]),
                };
            }
        }
        for (name, add) in left.counters {
            *self.counters.entry(name).or_default() += add;
        }
        self.gauges.extend(left.gauges);
        self.fed += of_row.len();
        self.instance = Some(instance);
        Ok(())
    }
}

/// Whether a state is no key's.
fn is_of_task(state: &StateNeed) -> bool {
    matches!(state.kind, StateKind::BroadcastState | StateKind::TaskState)
}

/// The columns that the operator reads of an input, and those that its outputs keep by name.
fn columns_wanted<P: ProcessBatch>(input: &InputSpec) -> Vec<Field> {
    let mut columns: Vec<Field> = input.fields.iter().map(|field| field.to_contract()).collect();
    for keep in std::iter::once(P::KEEP).chain(P::PORTS.iter().map(|port| port.keep)) {
        let Keep::Columns(names) = keep else { continue };
        for name in names {
            if columns.iter().all(|column| column.name != *name) {
                columns.push(Field { name: (*name).to_owned(), data_type: DataType::Utf8, nullable: true });
            }
        }
    }
    columns
}
