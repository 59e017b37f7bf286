//! What the hostile guest does, and what its job's error says of it.

/// One thing that the guest does, with what its job's error says.
pub struct Case {
    pub settings: &'static str,
    /// More of the operator, as its limits.
    pub more: &'static str,
    pub code: &'static str,
    pub message: &'static str,
}

const fn case(settings: &'static str, code: &'static str, message: &'static str) -> Case {
    Case { settings, more: "limits: { cpu-per-call: 30ms, cpu-per-start: 200ms }", code, message }
}

const TIME: &str = "took more than 30 ms of CPU time";
pub const START: &str = "took more than 200 ms of CPU time";
pub const TRAP: &str = "plugin-trap";
pub const LIMIT: &str = "plugin-limit";
const FAILED: &str = "plugin-failed";

/// Traps, panics and errors, while it opens, for rows, on timers and at the end; what such a call had emitted or stored is gone.
pub const TRAPS: &[Case] = &[
    case("do: trap-in-open", TRAP, "trapped: wasm trap: wasm `unreachable` instruction executed"),
    case("do: panic-in-open, text: at the door", TRAP, "at the door"),
    case("do: fail-in-open, text: closed", FAILED, "closed"),
    case("do: trap-in-end", TRAP, "trapped: wasm trap: wasm `unreachable` instruction executed"),
    case("do: fail-in-end, text: unfinished", FAILED, "unfinished"),
    case("do: trap", TRAP, "trapped: wasm trap: wasm `unreachable` instruction executed"),
    case("do: panic, text: out of luck", TRAP, "out of luck"),
    case("do: fail, text: enough", FAILED, "enough"),
    case("do: retry, text: later", "plugin-retry", "later"),
    case("do: emit-then-trap", TRAP, "trapped: wasm trap: wasm `unreachable` instruction executed"),
    case("do: emit-then-fail, text: taken back", FAILED, "taken back"),
    case("do: trap-in-timer", TRAP, "instruction executed on the timer of key {\"key\":"),
    case("do: panic-in-timer, text: too late", TRAP, "too late on the timer of key {\"key\":"),
    case("do: fail-in-timer, text: enough of them", FAILED, "enough of them on the timer of key {\"key\":"),
    case("do: items-then-fail, text: undone", FAILED, "undone"),
];

/// Loops, wherever the guest is called (C01 to C05).
pub const LOOPS: &[Case] = &[
    case("do: loop-in-open", LIMIT, START),
    case("do: loop-in-end", LIMIT, TIME),
    case("do: loop", LIMIT, TIME),
    case("do: loop-in-realloc", LIMIT, TIME),
    case("do: loop-in-post-return", LIMIT, TIME),
    case("do: loop-in-timer", LIMIT, "took more than 30 ms of CPU time on the timer of key {\"key\":"),
];

/// More memory than it may have, by and by or at once (C07, C08).
pub const MEMORY: &[Case] = &[
    case("do: grow-in-open", LIMIT, "asked for more memory than its limit of 67108864 bytes"),
    case("do: grow", LIMIT, "asked for more memory than its limit of 67108864 bytes"),
    case("do: grow-at-once", LIMIT, "asked for more memory than its limit of 67108864 bytes"),
];

/// Recursion without end (C19).
pub const DEPTH: &[Case] = &[case("do: recurse", LIMIT, "recursed deeper than its stack of 512 KiB")];

/// More than a call may leave behind: rows, state, timers, items (C25, C26, C29).
pub const OUTPUT: &[Case] = &[
    case("do: emit-rows, count: 1000000", LIMIT, "emitted more than 100000 rows in one call"),
    case("do: timers-of-one-key, count: 65537", LIMIT, "set more than 65536 timers of one key"),
    case("do: timers-too-many, count: 1048577", LIMIT, "set and deleted more than 1048576 timers in one call"),
    case("do: store-too-much", LIMIT, "stored more than 16777216 bytes in one call"),
    case("do: store-forever, count: 100000", LIMIT, "in one call"),
    case("do: list-too-long", LIMIT, "let a list of state 2 grow to more than 8388608 bytes; a map has no such limit"),
    case("do: list-of-nothing", LIMIT, "stored more than 16777216 bytes in one call"),
];

/// What can't be: columns that aren't what they should be (C13, C14), ports, rows, keys, states, moments and names that aren't there.
pub const NONSENSE: &[Case] = &[
    case("do: invalid-text", TRAP, "column `x`: its text isn't UTF-8"),
    case("do: offsets-fall", TRAP, "column `x`: its offsets "),
    case("do: offsets-past-end", TRAP, "column `x`: its offsets end with 1000, but it has 1 bytes"),
    case("do: offsets-begin-late", TRAP, "column `x`: its offsets start with 1, expected 0"),
    case("do: offsets-missing", TRAP, "column `x`: has 1 offsets for 1 rows, expected 2"),
    case("do: offsets-too-many", TRAP, "column `x`: has 3 offsets for 1 rows, expected 2"),
    case("do: too-few-columns", TRAP, "0 columns, expected 1, as the plan declares"),
    case("do: too-many-columns", TRAP, "2 columns, expected 1, as the plan declares"),
    case("do: wrong-type", TRAP, "column `x`: expected int64, as the plan declares, found float64"),
    case("do: too-short", TRAP, "column `x`: has 0 values for 1 rows"),
    case("do: too-long", TRAP, "column `x`: has 2 values for 1 rows"),
    case("do: null-where-none", TRAP, "column `x`: a null in row 0, but the plan declares it as not nullable"),
    case("do: decimal-torn-off", TRAP, "column `x`: has 15 bytes for 1 decimals of 16 bytes"),
    case("do: list-past-memory", TRAP, "out of bounds"),
    case("do: unknown-port", TRAP, "emitted to output"),
    case("do: rows-past-end", TRAP, "origin row"),
    case("do: reject-twice", TRAP, "rejected what can't be: row 0 twice"),
    case("do: reject-uneven", TRAP, "rejected what can't be: "),
    case("do: timer-unknown-key", TRAP, "called timers.register with key 1 of 1 keys"),
    case("do: timer-uneven", TRAP, "called timers.delete with 1 keys and 0 moments"),
    case("do: timer-unwanted", TRAP, "called timers.register for processing time, but its plan doesn't want processing-timers"),
    case("do: batch-in-timer", TRAP, "timers have no rows; rows come from their `keys`, or are `fresh`"),
    case("do: input-in-timer", TRAP, "it takes columns of input rows, but timers have none: it may take the key, or nothing"),
    case("do: reject-in-timer, text: no", TRAP, "rejected what can't be: timers have no rows"),
    case("do: load-unknown", TRAP, "its plan has 4 states"),
    case("do: store-unknown-key", TRAP, "stored to state "),
    case("do: store-key-twice", TRAP, " twice"),
    case("do: store-without-moment", TRAP, "a value that doesn't begin with the moment at which it is forgotten"),
    case("do: list-as-map", TRAP, "called state.map-clear with state 2, which its plan says is a list"),
    case("do: list-unknown-key", TRAP, "called state.list-append with key "),
    case("do: list-too-few-items", TRAP, "`offsets` has 2 items, expected 3 that start with 0"),
    case("do: map-as-value", TRAP, "called state.load with state 3, which its plan says is a map"),
    case("do: map-get-unknown-key", TRAP, "called state.map-get with key "),
    case("do: map-put-too-few", TRAP, "`offsets` has 2 items, expected 3 that start with 0"),
    case("do: map-put-offsets-fall", TRAP, "`offsets` falls from 8 to 4 at item 2"),
    case("do: map-put-long-entry", TRAP, "a value has 65537 bytes, at most 65536 are allowed"),
    case("do: put-without-moment", TRAP, "a value that doesn't begin with the moment at which it is forgotten"),
    case("do: map-clear-twice", TRAP, "called state.map-clear with key 0 twice"),
    case("do: broadcast-unknown", TRAP, "its plan has 4 states"),
    case("do: map-scan-unknown-key", TRAP, "called state.map-scan with key "),
    case("do: metric-bad-name, text: \"no good\"", TRAP, "named a metric \"no good\"; a name is a lower-case letter"),
];

/// Misdeeds that are refused before any row flows.
pub const REFUSED: &[Case] = &[
    case("do: trap-in-describe", "plugin-trap", "unreachable"),
    case("do: fail-in-describe, text: not these", "plugin-refused", "not these"),
    case("do: plan-without-ports", "plugin-bad-plan", "it has no output"),
    case("do: plan-unknown-column", "plugin-bad-plan", "isn't in input"),
    case("do: plan-bad-width, count: 0", "plugin-bad-plan", "has width 0, expected 1 to 1024"),
    case("do: plan-bad-expiry", "plugin-bad-plan", "is forgotten at a moment, which has 8 bytes, but its width is less"),
    case("do: plan-wide-list", "plugin-bad-plan", "state `trail` is a list with a width; only values have one"),
    case("do: plan-two-states", "plugin-bad-plan", "is there twice"),
];
