//! What the guest is told to do.

use serde::Deserialize;
use wasmill_sdk::bindings::stream_operator::wasmill::plugin::errors::Error;

/// The settings: `do` and what it needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// What to do.
    #[serde(rename = "do")]
    pub(crate) what: Do,
    /// An `int64` column, read where it is named.
    #[serde(default)]
    pub(crate) column: Option<String>,
    /// The value of that column in the rows where something is done.
    #[serde(default)]
    pub(crate) equals: i64,
    /// How many.
    #[serde(default)]
    pub(crate) count: u64,
    /// A time, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub(crate) until: i64,
    /// The message, reason or name.
    #[serde(default)]
    pub(crate) text: String,
}

impl Settings {
    pub(crate) fn read(json: &str) -> Result<Self, Error> {
        serde_json::from_str(json).map_err(|error| Error::Fail(format!("settings: {error}")))
    }
}

/// Everything that it can do; the README says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Do {
    Pass,
    // Describe, open and the end.
    TrapInDescribe,
    PanicInDescribe,
    LoopInDescribe,
    FailInDescribe,
    NowInDescribe,
    LogInDescribe,
    PlanWithoutPorts,
    PlanUnknownColumn,
    PlanUnknownKept,
    PlanUnknownInput,
    PlanTwoPorts,
    PlanTwoStates,
    PlanBadExpiry,
    PlanWideList,
    PlanExpiringList,
    PlanTwoFields,
    PlanBadName,
    PlanBadWidth,
    PlanTooFewReads,
    PlanHuge,
    TrapInOpen,
    PanicInOpen,
    LoopInOpen,
    FailInOpen,
    RetryInOpen,
    GrowInOpen,
    StateInOpen,
    EmitInOpen,
    TrapInEnd,
    LoopInEnd,
    FailInEnd,
    StateInEnd,
    BatchInEnd,
    RejectInEnd,
    // Stopping.
    Trap,
    Panic,
    Loop,
    Spin,
    Recurse,
    Grow,
    GrowAtOnce,
    Leak,
    Fail,
    Retry,
    RetryUntil,
    TrapOn,
    PanicOn,
    LoopOn,
    FailOn,
    RetryOn,
    RejectOn,
    CountCalls,
    TrapInRealloc,
    LoopInRealloc,
    WildRealloc,
    SkewedRealloc,
    LoopInPostReturn,
    // Columns.
    InvalidText,
    SplitText,
    OffsetsFall,
    OffsetsPastEnd,
    OffsetsBeginLate,
    OffsetsMissing,
    OffsetsTooMany,
    TooFewColumns,
    TooManyColumns,
    WrongType,
    TooShort,
    TooLong,
    BitsTooShort,
    NullWhereNone,
    ValidityTooShort,
    DecimalTooLong,
    DecimalTornOff,
    EmitBytes,
    // Outputs.
    EmitRows,
    EmitEmpty,
    UnknownPort,
    RowsPastEnd,
    KeysPastEnd,
    FreshWhereKept,
    RejectPastEnd,
    RejectUneven,
    RejectTwice,
    RejectAll,
    RejectLong,
    EmitThenTrap,
    EmitThenFail,
    // The binary interface.
    ListPastMemory,
    ListOfAllMemory,
    ListSkewed,
    BadCase,
    BadFlag,
    LogPastMemory,
    LogInvalidText,
    LogBadLevel,
    // State.
    LoadUnknown,
    StoreUnknown,
    StoreUnknownKey,
    StoreKeyTwice,
    StoreTooFew,
    StoreTooMany,
    StoreOtherWidth,
    StorePresentTooShort,
    StoreOffsetsFall,
    StoreTooLong,
    ListAsMap,
    ListUnknownKey,
    ListTooFewItems,
    ListTooLong,
    MapAsValue,
    MapGetUnknownKey,
    MapGetTooMuch,
    ListOfNothing,
    MapClearTwice,
    BroadcastUnknown,
    MapPutTooFew,
    MapPutOffsetsFall,
    MapPutLongEntry,
    MapScanUnknownKey,
    ItemsThenFail,
    PutWithoutMoment,
    StoreWithoutMoment,
    StoreTooMuch,
    StoreForever,
    LoadForever,
    StoreThenTrap,
    StoreThenFail,
    Count,
    // Timers.
    LoopInTimer,
    TrapInTimer,
    TrapInTimerOn,
    PanicInTimer,
    FailInTimer,
    TimerAgain,
    ClockAgain,
    TimerExtremes,
    TimersOfOneKey,
    TimersTooMany,
    TimerUnknownKey,
    TimerUneven,
    TimerUnwanted,
    BatchInTimer,
    InputInTimer,
    RejectInTimer,
    // Messages and figures.
    LogFlood,
    LogControl,
    LogLong,
    LogThenTrap,
    LogThenFail,
    MetricBadName,
    MetricManyNames,
    CountThenFail,
}
