//! The stable codes of problems. Plugins add their own.

/// The text is no YAML, or YAML that job files can't have.
pub const INVALID_YAML: &str = "invalid-yaml";
/// The file is longer, deeper or larger than a job file may be.
pub const TOO_LARGE: &str = "too-large";
/// A key that its mapping has already.
pub const DUPLICATE_KEY: &str = "duplicate-key";
/// A variable that is not set and has no default.
pub const UNSET_VARIABLE: &str = "unset-variable";
/// A `${` that isn't followed by a variable and `}`.
pub const INVALID_VARIABLE: &str = "invalid-variable";
/// A `--set` or another option that can't be applied.
pub const INVALID_OPTION: &str = "invalid-option";
/// A key that must be there.
pub const MISSING_KEY: &str = "missing-key";
/// A key that doesn't exist.
pub const UNKNOWN_KEY: &str = "unknown-key";
/// Something that job files may have, and this version can't do.
pub const NOT_IN_THIS_VERSION: &str = "not-in-this-version";
/// A value of another kind: a list for a number.
pub const WRONG_TYPE: &str = "wrong-type";
/// A value of the right kind that can't be.
pub const INVALID_VALUE: &str = "invalid-value";
/// A name with characters that names can't have.
pub const INVALID_NAME: &str = "invalid-name";
/// A name that something else has already.
pub const DUPLICATE_NAME: &str = "duplicate-name";
/// An operator that does nothing.
pub const MISSING_VERB: &str = "missing-verb";
/// An operator that does several things.
pub const SEVERAL_VERBS: &str = "several-verbs";
/// A key that exists, and doesn't go with the others that are there.
pub const MISPLACED_KEY: &str = "misplaced-key";
/// An input that is no source and no operator, or an output that its operator doesn't have.
pub const UNKNOWN_INPUT: &str = "unknown-input";
/// A column that the input doesn't have.
pub const UNKNOWN_COLUMN: &str = "unknown-column";
/// A column that is there twice.
pub const DUPLICATE_COLUMN: &str = "duplicate-column";
/// A column type that doesn't exist, or that rows can't have.
pub const UNKNOWN_TYPE: &str = "unknown-type";
/// A column of a type that CSV has no form for.
pub const TYPE_NOT_IN_CSV: &str = "type-not-in-csv";
/// An expression that can't be read, or doesn't fit its input.
pub const INVALID_EXPRESSION: &str = "invalid-expression";
/// Operators that wait for each other.
pub const CYCLE: &str = "cycle";
/// A file that is written and that something else reads or writes.
pub const SAME_FILE: &str = "same-file";
/// Inputs of a union with different columns.
pub const UNEQUAL_SCHEMAS: &str = "unequal-schemas";
/// Keys of an operator's inputs that aren't of the same types.
pub const UNEQUAL_KEYS: &str = "unequal-keys";
/// A window over rows that have no event time.
pub const NO_EVENT_TIME: &str = "no-event-time";
/// Warning: rows lose their event time, since others that they are brought together with have none.
pub const EVENT_TIME_LOST: &str = "event-time-lost";
/// A job that writes nothing.
pub const NO_SINK: &str = "no-sink";
/// Warning: rows that come at the end of input, which has none.
pub const NEVER_EMITS: &str = "never-emits";
/// Warning: state that grows with every new key, and rows that never end.
pub const STATE_GROWS: &str = "state-grows";
/// Warning: rows that fall between windows.
pub const WINDOWS_LEAVE_GAPS: &str = "windows-leave-gaps";
/// Warning: rows that nobody reads.
pub const UNREAD_OUTPUT: &str = "unread-output";
/// Warning: dead letters are asked for, and there is no place for them.
pub const NO_DEAD_LETTERS: &str = "no-dead-letters";
