//! What an aggregate remembers of a key in any number of bytes, and how a batch of rows changes it.

use std::fmt::Debug;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_schema::DataType;

use super::refused::Refused;

/// An aggregate function that holds bytes of no fixed width of a key; none is nothing seen. These bytes are part of the state's format: a
/// function whose bytes change gets another [`Variable::format`].
pub(super) trait Variable: Send + Sync + Debug {
    /// The type of its values, as columns have it.
    fn data_type(&self) -> &DataType;

    /// Whether a value may be as long as what its key holds.
    fn has_long_values(&self) -> bool;

    /// The name of its encoding.
    fn format(&self) -> String;

    /// Takes the rows that count, row `i` into what key `keys[i]` holds, and gives the value after each; where they aren't wanted, nulls.
    fn update(
        &self,
        held: &mut [Vec<u8>],
        keys: &[u32],
        arguments: &[ArrayRef],
        counts: Option<&BooleanArray>,
        wanted: bool,
    ) -> Result<ArrayRef, Refused>;

    /// Adds what others hold of the same keys, as if their rows had come after.
    fn merge(&self, held: &mut [Vec<u8>], others: &[Vec<u8>]) -> Result<(), Refused>;

    /// Whether it is the same in whatever order parts are put together.
    fn merges_in_any_order(&self) -> bool;

    /// Whether parts of rows, merged, are exactly what all rows make, and nothing is refused of either.
    fn is_exact(&self) -> bool {
        self.merges_in_any_order()
    }

    /// The value of each key.
    fn values(&self, held: &[Vec<u8>]) -> Result<ArrayRef, Refused>;
}
