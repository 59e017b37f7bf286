//! Aggregates that aren't computed here but, for all this crate knows, in a plugin: rows go out, accumulators and values come back.
//!
//! What a key holds is theirs alone; here it is bytes of any length in the key's value of the state.

use std::fmt;

use arrow_array::ArrayRef;
use arrow_schema::Field;
use futures_util::future::BoxFuture;

use super::layout::{Accumulators, Arguments};
use crate::contract::{OperatorError, PluginCounts};

/// An aggregate function that is computed elsewhere.
///
/// # Contract
/// 1. No bytes are an accumulator that has seen nothing.
/// 2. `take` leaves as many accumulators as it found, each of at most 1 MiB, and gives as many values as there are rows, of the type
///    that was declared.
/// 3. After an error the job stops; what is in `held` doesn't matter then.
pub trait ForeignAggregate: Send {
    /// Row `i` of `arguments` goes into `held[keys[i]]`, in order. Gives the value after each row; where they aren't `wanted`, nulls.
    fn take<'a>(
        &'a mut self,
        held: &'a mut Vec<Vec<u8>>,
        keys: &'a [u32],
        arguments: Vec<ArrayRef>,
        wanted: bool,
    ) -> BoxFuture<'a, Result<ArrayRef, OperatorError>>;

    /// The value of each accumulator.
    fn finish<'a>(&'a mut self, held: &'a [Vec<u8>]) -> BoxFuture<'a, Result<ArrayRef, OperatorError>>;

    /// Called when no rows came for a while, so that what is only a cache can be given back.
    fn idle(&mut self);

    /// What it counts.
    fn counts(&self) -> PluginCounts;
}

/// How a column of an aggregate is computed.
pub enum Computation {
    /// By an SQL aggregate, as `count(*)`.
    Sql(String),
    /// Elsewhere.
    Foreign {
        /// What it is called in messages.
        text: String,
        /// The name of its accumulators' encoding.
        format: String,
        /// The type of its values.
        result: Field,
        /// The columns of the input that it is over, by index.
        of: Vec<usize>,
        /// What computes it.
        aggregate: Box<dyn ForeignAggregate>,
    },
}

/// What a layout needs to know of it.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    /// The name of its encoding.
    pub(super) format: String,
    /// Its values may be null.
    pub(super) nullable: bool,
}

/// One of an operator's aggregates that is computed elsewhere.
pub(super) struct Elsewhere {
    /// Which of the aggregates it is.
    pub(super) number: usize,
    /// Where among what is held its accumulators are.
    pub(super) held: usize,
    pub(super) aggregate: Box<dyn ForeignAggregate>,
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Has each of them take some rows, and notes the values that they give.
pub(super) async fn take_all(
    elsewhere: &mut [Elsewhere],
    accumulators: &mut Accumulators,
    row_keys: &[u32],
    arguments: &[Arguments],
    wanted: bool,
) -> Result<(), OperatorError> {
    let Accumulators { held, given, .. } = accumulators;
    given.clear();
    for each in elsewhere {
        let arguments = arguments[each.number].values.clone();
        given.push(each.aggregate.take(&mut held[each.held], row_keys, arguments, wanted).await?);
    }
    Ok(())
}

/// Has each of them say what each key's value is.
pub(super) async fn finish_all(elsewhere: &mut [Elsewhere], accumulators: &mut Accumulators) -> Result<(), OperatorError> {
    let Accumulators { held, given, .. } = accumulators;
    given.clear();
    for each in elsewhere {
        given.push(each.aggregate.finish(&held[each.held]).await?);
    }
    Ok(())
}
