//! The calls of an aggregate function, and what is checked of their answers: a guest may hand out anything.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use wasmill_operator::Held;

use crate::bindings::aggregate_function::AggregateFunction;
use crate::bindings::aggregate_function::exports::wasmill::plugin::aggregate::AggregatePlan as WitPlan;
use crate::bindings::wasmill::plugin::data::{Batch, BinaryArrayParam, BinaryArrayResult, ColumnResult};
use crate::columns_in::ColumnsIn;
use crate::columns_out;
use crate::declaration::wit_fields;
use crate::fault::Fault;
use crate::instance::Instance;
use crate::limits::{Limits, STATE_CALL_BYTES, STATE_VALUE_BYTES};

/// What a call gives back: an accumulator for each key, and the values after each row, where they were asked for.
pub(super) struct Accumulated {
    pub(super) held: Held,
    pub(super) values: Option<ArrayRef>,
}

impl Instance<AggregateFunction> {
    /// Asks what it makes of these settings and arguments. Within the limits of a start.
    pub(super) async fn describe(&mut self, settings: &str, arguments: &Schema) -> Result<WitPlan, Fault> {
        let guest = self.exports.wasmill_plugin_aggregate();
        let answer = guest.call_describe(&mut self.store, settings, &wit_fields(arguments)).await;
        self.outcome(answer)
    }

    /// Opens it, within the limits of a start.
    pub(super) async fn open(&mut self, settings: &str, arguments: &Schema) -> Result<(), Fault> {
        let guest = self.exports.wasmill_plugin_aggregate();
        let answer = guest.call_open(&mut self.store, settings, &wit_fields(arguments)).await;
        self.outcome(answer)
    }

    /// Takes rows into their keys' accumulators; gives the values after each row as well where `result` says what they are.
    pub(super) async fn accumulate(
        &mut self,
        held: &Held,
        keys: &[u32],
        rows: &RecordBatch,
        result: Option<&Field>,
        limits: &Limits,
    ) -> Result<Accumulated, Fault> {
        self.begin(None);
        let columns = ColumnsIn::hold(rows.columns().iter());
        let params = columns.params();
        #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer than 2^32 rows")]
        let batch = Batch { rows: rows.num_rows() as u32, columns: &params };
        let guest = self.exports.wasmill_plugin_aggregate();
        let Some(result) = result else {
            let answer = guest.call_accumulate(&mut self.store, param(held), keys, batch).await;
            return Ok(Accumulated { held: checked_held(self.outcome(answer)?, held)?, values: None });
        };
        let answer = guest.call_running(&mut self.store, param(held), keys, batch).await;
        let (accumulators, values) = self.outcome(answer)?;
        let values = checked(result, values, keys.len(), limits)?;
        Ok(Accumulated { held: checked_held(accumulators, held)?, values: Some(values) })
    }

    /// Takes rows back out of their keys' accumulators.
    pub(super) async fn retract(&mut self, held: &Held, keys: &[u32], rows: &RecordBatch) -> Result<Held, Fault> {
        self.begin(None);
        let columns = ColumnsIn::hold(rows.columns().iter());
        let params = columns.params();
        #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer than 2^32 rows")]
        let batch = Batch { rows: rows.num_rows() as u32, columns: &params };
        let guest = self.exports.wasmill_plugin_aggregate();
        let answer = guest.call_retract(&mut self.store, param(held), keys, batch).await;
        checked_held(self.outcome(answer)?, held)
    }

    /// Accumulator `i` of both becomes one.
    pub(super) async fn merge(&mut self, left: &Held, right: &Held) -> Result<Held, Fault> {
        self.begin(None);
        let guest = self.exports.wasmill_plugin_aggregate();
        let answer = guest.call_merge(&mut self.store, param(left), param(right)).await;
        checked_held(self.outcome(answer)?, left)
    }

    /// The value of each accumulator.
    pub(super) async fn finish(&mut self, held: &Held, result: &Field, limits: &Limits) -> Result<ArrayRef, Fault> {
        self.begin(None);
        let guest = self.exports.wasmill_plugin_aggregate();
        let answer = guest.call_finish(&mut self.store, param(held)).await;
        checked(result, self.outcome(answer)?, held.len(), limits)
    }
}

/// Accumulators as the contract has them.
fn param(held: &Held) -> BinaryArrayParam<'_> {
    BinaryArrayParam { offsets: &held.offsets, data: &held.data }
}

/// A guest's results as a column.
fn checked(result: &Field, column: ColumnResult, rows: usize, limits: &Limits) -> Result<ArrayRef, Fault> {
    let bytes = columns_out::bytes(&column);
    if bytes as u64 > limits.output_bytes {
        return Err(Fault::limit(format!("its results have {bytes} bytes, at most {} are taken", limits.output_bytes)));
    }
    columns_out::array(result, column, rows).map_err(|what| Fault::contract(format!("broke the contract: {what}")))
}

/// A guest's accumulators, one for each that it was given.
fn checked_held(accumulators: BinaryArrayResult, was: &Held) -> Result<Held, Fault> {
    let keys = was.len();
    let bytes = accumulators.data.len();
    if bytes > STATE_CALL_BYTES {
        return Err(Fault::limit(format!("its accumulators have {bytes} bytes, at most {STATE_CALL_BYTES} are kept of a call")));
    }
    if let Some(width) = was.width {
        let BinaryArrayResult { offsets, data } = accumulators;
        if !offsets.is_empty() || data.len() != was.data.len() {
            let offsets = offsets.len();
            return Err(Fault::contract(format!(
                "broke the contract: it returned accumulators with {bytes} bytes and {offsets} offsets, expected {keys} of {width} bytes \
                 each and no offsets"
            )));
        }
        return Ok(Held { width: was.width, offsets, data });
    }
    let given = accumulators.offsets.len().saturating_sub(1);
    if given != keys {
        return Err(Fault::contract(format!("broke the contract: it returned {given} accumulators for {keys} keys")));
    }
    columns_out::check_end_to_end(&accumulators, keys)
        .map_err(|what| Fault::contract(format!("broke the contract: accumulators: {what}")))?;
    let BinaryArrayResult { offsets, data } = accumulators;
    match offsets.windows(2).map(|part| (part[1] - part[0]) as usize).find(|&bytes| bytes > STATE_VALUE_BYTES) {
        Some(bytes) => {
            Err(Fault::limit(format!("an accumulator has {bytes} bytes, at most {STATE_VALUE_BYTES} are kept of a key")))
        }
        None => Ok(Held { width: None, offsets, data }),
    }
}
