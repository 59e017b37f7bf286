//! Rows that are taken and rows that are taken back, for an aggregate that does either in calls of their own.
//!
//! A key's rows keep their order: rows go in rounds, in turn such that are taken and such that are taken back. Where a value is wanted after each
//! row, a round takes back one row of a key at most, as its value is asked for behind the round.

use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use arrow_select::take::{take, take_arrays};

use super::{ForeignAggregate, Held};
use crate::aggregate::bug;
use crate::contract::OperatorError;

/// Has an aggregate take rows, or take those back of which `back` is true. Gives the value after each; where they aren't wanted, nulls.
pub(super) async fn change(
    aggregate: &mut dyn ForeignAggregate,
    held: &mut Held,
    keys: &[u32],
    arguments: &[ArrayRef],
    back: &BooleanBuffer,
    wanted: bool,
) -> Result<ArrayRef, OperatorError> {
    if keys.is_empty() {
        return aggregate.take(held, keys, arguments.to_vec(), wanted).await;
    }
    let failed = |error: ArrowError| bug(&error.to_string());
    let (mut values, mut order) = (Vec::new(), Vec::new());
    for (round, rows) in rounds(keys, back, wanted).into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
        let own: Vec<u32> = rows.iter().map(|&row| keys[row as usize]).collect();
        order.extend_from_slice(&rows);
        let arguments = take_arrays(arguments, &UInt32Array::from(rows), None).map_err(failed)?;
        if round % 2 == 0 {
            values.push(aggregate.take(held, &own, arguments, wanted).await?);
            continue;
        }
        aggregate.retract(held, &own, arguments).await?;
        if wanted {
            let mut of = Held::new(held.width);
            own.iter().for_each(|&key| of.push(held.get(key as usize)));
            values.push(aggregate.finish(&of).await?);
        }
    }
    if !wanted {
        return Ok(new_null_array(&DataType::Null, keys.len()));
    }
    let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
    let mut places = vec![0; order.len()];
    (0_u32..).zip(&order).for_each(|(place, &row)| places[row as usize] = place);
    take(&concat(&values).map_err(failed)?, &UInt32Array::from(places), None).map_err(failed)
}

/// The rows of each round: of every second one, from the second on, those that are taken back.
fn rounds(keys: &[u32], back: &BooleanBuffer, singly: bool) -> Vec<Vec<u32>> {
    let mut last = vec![0; keys.iter().max().map_or(0, |&key| key as usize + 1)];
    let mut rounds = Vec::new();
    for ((row, &key), back) in (0_u32..).zip(keys).zip(back) {
        let round: &mut usize = &mut last[key as usize];
        if (*round % 2 == 1) != back {
            *round += 1;
        } else if back && singly {
            *round += 2;
        }
        rounds.resize_with(rounds.len().max(*round + 1), Vec::new);
        rounds[*round].push(row);
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_key_keep_their_order_and_others_share_their_rounds() {
        let keys = [0, 1, 0, 0, 1, 0];
        let back = BooleanBuffer::from(vec![false, false, true, true, true, false]);
        assert_eq!(rounds(&keys, &back, false), [vec![0, 1], vec![2, 3, 4], vec![5]]);
        assert_eq!(rounds(&keys, &back, true), [vec![0, 1], vec![2, 4], vec![], vec![3], vec![5]]);
        assert_eq!(rounds(&[0], &BooleanBuffer::from(vec![true]), true), [vec![], vec![0]]);
    }
}
