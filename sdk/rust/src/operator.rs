//! What `#[derive(Operator)]` makes known of an operator.

use crate::bindings::plan::StateKind;
use crate::error::Result;
use crate::port::CallOf;
use crate::record::FieldSpec;
use crate::timers::TimeDomain;

/// The columns that output rows keep from where they come from. Kept columns don't cross the sandbox.
///
/// ```
/// use wasmill_sdk::{Keep, Operator, Process};
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
///
/// #[derive(Operator)]
/// #[operator(keep("net", "mag"))]
/// struct Doubled {}
/// # impl Process for Doubled {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self {}) }
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> { cx.emit(row); Ok(()) }
/// # }
///
/// assert_eq!(Doubled::KEEP, Keep::Columns(&["net", "mag"]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// None: an output row is exactly the record that was emitted.
    Nothing,
    /// The columns of the input's key, then the record's fields.
    Key,
    /// All columns of the input row, then the record's fields; a field with the name of an input column replaces it in its place.
    Input,
    /// These columns of the input row, then the record's fields; replacing as above.
    Columns(&'static [&'static str]),
}

/// A state of an operator.
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
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> { cx.emit(row); Ok(()) }
/// # }
/// use wasmill_sdk::Operator;
///
/// let seen = It::STATES[0];
/// assert_eq!((seen.name, seen.version, seen.width), ("seen", 1, Some(8)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StateSpec {
    /// The state's identity in snapshots.
    pub name: &'static str,
    /// What it keeps for each key.
    pub kind: StateKind,
    /// The version of the values' encoding.
    pub version: u32,
    /// The bytes of every value, where they have the same number.
    pub width: Option<u32>,
    /// By which time values are forgotten, where they are.
    pub expires: Option<TimeDomain>,
}

impl StateSpec {
    /// Whether it is kept for each key.
    pub const fn is_of_key(&self) -> bool {
        !matches!(self.kind, StateKind::BroadcastState | StateKind::TaskState)
    }
}

/// An output of an operator beside the main one.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// #[derive(Operator)]
/// struct Split { small: Port<Row> }
/// # impl Process for Split {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { small: Port::new() }) }
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> { cx.emit(row); Ok(()) }
/// # }
///
/// let small = Split::PORTS[0];
/// assert_eq!((small.name, small.keep, small.fields[0].name), ("small", Keep::Nothing, "n"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PortSpec {
    /// The output's name: `OPERATOR.NAME` in a job.
    pub name: &'static str,
    /// What its rows keep.
    pub keep: Keep,
    /// The fields of what is emitted to it.
    pub fields: &'static [FieldSpec],
}

/// What an operator declares by its fields. Made by `#[derive(Operator)]`; authors don't call it.
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
/// #     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> { cx.emit(row); Ok(()) }
/// # }
/// use wasmill_sdk::Operator;
///
/// assert_eq!(It::KEEP, Keep::Nothing);
/// assert_eq!((It::STATES.len(), It::PORTS.len()), (1, 0));
/// ```
pub trait Operator: Sized + 'static {
    /// What the main output's rows keep.
    const KEEP: Keep;
    /// The states, in the order of the fields.
    const STATES: &'static [StateSpec];
    /// The outputs beside the main one, in the order of the fields.
    const PORTS: &'static [PortSpec];
    /// The kinds of time that it sets timers in.
    const TIMERS: &'static [TimeDomain];

    /// Tells states and outputs their numbers, after [`Process::open`](crate::Process::open).
    fn number(&mut self);

    /// A call begins, with so many distinct keys.
    fn begin(&mut self, keys: u32, of: CallOf);

    /// States and timers are those of key `key` of the call from here on.
    fn at_key(&mut self, key: u32);

    /// Asks the host for what was [prefetched](crate::Process::prefetch).
    fn fetch(&mut self);

    /// A value of state `state` as version `from` wrote it, as the present version does. An error where the operator doesn't know that version.
    fn migrate(state: u32, from: u32, value: &[u8]) -> Result<Vec<u8>>;

    /// A call ends: sends what outputs gathered, and the states and timers that changed.
    fn finish(&mut self) -> Result<()>;
}
