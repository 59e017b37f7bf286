//! Aggregate functions: rows combined into one value for each key.

#[doc(hidden)]
pub mod component;
pub(crate) mod instance;

use serde::de::DeserializeOwned;

use crate::column::ColumnValue;
use crate::error::{Error, Result};
use crate::record::ReadRecord;
use crate::state::StateValue;

pub(crate) use instance::Instance;

/// A function that combines rows into one value, for a job's `aggregate: { x: { plugin: …, of: [column] } }`.
///
/// What has been seen of a key is an accumulator, which the host keeps between calls: a value of any type that a state may have. The
/// function itself keeps nothing but its settings.
///
/// ```
/// use wasmill_sdk::{Aggregate, NoSettings, Record, Result, StateValue};
///
/// #[derive(Record)]
/// struct Value { value: Option<f64> }
///
/// #[derive(Default, StateValue)]
/// struct Seen { count: u64, logarithms: f64 }
///
/// struct GeometricMean;
///
/// impl Aggregate for GeometricMean {
///     const NAME: &'static str = "geometric-mean";
///     type Input<'a> = Value;
///     type Accumulator = Seen;
///     type Output = Option<f64>;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn add(&self, seen: &mut Seen, row: Value) -> Result<()> {
///         if let Some(value) = row.value {
///             seen.count += 1;
///             seen.logarithms += value.ln();
///         }
///         Ok(())
///     }
///
///     fn merge(&self, seen: &mut Seen, other: Seen) {
///         seen.count += other.count;
///         seen.logarithms += other.logarithms;
///     }
///
///     fn finish(&self, seen: &Seen) -> Option<f64> {
///         (seen.count > 0).then(|| (seen.logarithms / seen.count as f64).exp())
///     }
/// }
///
/// wasmill_sdk::export_aggregate!(GeometricMean);
///
/// let mut harness = wasmill_sdk::harness::AggregateHarness::<GeometricMean>::new(())?;
/// let values = harness.add([2.0, 8.0].map(|value| Value { value: Some(value) }))?;
/// assert_eq!(values.map_or(0, |value| value.round() as i64), 4);
/// # Result::<()>::Ok(())
/// ```
pub trait Aggregate: Sized + 'static {
    /// With [`VERSION`](Self::VERSION) the identity of accumulators in snapshots.
    const NAME: &'static str;
    /// To be raised when [`Accumulator`](Self::Accumulator) changes: a snapshot of another version is refused, not misread.
    const VERSION: u32 = 1;
    /// [`retract`](Self::retract) works, so that a job may have rows taken back: `retract-where`.
    const RETRACTS: bool = false;
    /// The columns that it is over, in the order in which a job gives them; what a job calls them doesn't matter.
    type Input<'a>: ReadRecord<'a>;
    /// What has been seen of a key; by default, nothing.
    type Accumulator: StateValue + Default;
    /// The value.
    type Output: ColumnValue;
    /// What a job writes under `settings`.
    type Settings: DeserializeOwned;

    /// Makes the function of its settings, when a job is checked and for every new instance. An error refuses the job.
    fn open(settings: Self::Settings) -> Result<Self>;

    /// Takes a row.
    fn add(&self, seen: &mut Self::Accumulator, row: Self::Input<'_>) -> Result<()>;

    /// Takes a row back that was added: afterwards all is as if it had never come. Only called where [`RETRACTS`](Self::RETRACTS) is set.
    fn retract(&self, seen: &mut Self::Accumulator, row: Self::Input<'_>) -> Result<()> {
        let _ = (seen, row);
        Err(Error::fail("the aggregate takes no rows back"))
    }

    /// Adds what another accumulator has seen.
    fn merge(&self, seen: &mut Self::Accumulator, other: Self::Accumulator);

    /// The value of what has been seen. A running aggregate asks for it after every row.
    fn finish(&self, seen: &Self::Accumulator) -> Self::Output;
}
