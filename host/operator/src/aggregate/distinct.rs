//! `distinct`: which rows bring a value that their key hasn't had. What a key has had is its values end to end, each encoded as
//! [`wasmill_flow::key`] encodes a key of one column: zeros are one value, and so are NaNs.

use std::collections::HashSet;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use wasmill_flow::key::EncodedKeys;

use super::encoding;
use super::refused::{MOST_BYTES, Refused, full};

/// Says of each row that counts whether its value is one that its key hasn't had, and adds it to what the key has had. Nulls never
/// count. The values of each key of a call are gone through once.
pub(super) fn first_seen(
    had: &mut [Vec<u8>],
    keys: &[u32],
    argument: &ArrayRef,
    counts: Option<&BooleanArray>,
) -> Result<BooleanArray, Refused> {
    let mut values = EncodedKeys::default();
    values.encode(std::slice::from_ref(argument));
    let mut sets: Vec<Option<HashSet<Vec<u8>>>> = vec![None; had.len()];
    let mut refused = Vec::new();
    let mut first = Vec::with_capacity(keys.len());
    for (row, &key) in keys.iter().enumerate() {
        if argument.is_null(row) || counts.is_some_and(|counts| !counts.value(row)) {
            first.push(false);
            continue;
        }
        let (had, value) = (&mut had[key as usize], values.get(row));
        let set = match &mut sets[key as usize] {
            Some(set) => set,
            none => none.insert(split(had, argument.data_type()).ok_or(Refused::Damaged)?),
        };
        let new = !set.contains(value);
        if new && had.len() + value.len() > MOST_BYTES {
            refused.push((row, full()));
        } else if new {
            had.extend_from_slice(value);
            set.insert(value.to_vec());
        }
        first.push(new);
    }
    if refused.is_empty() { Ok(BooleanArray::from(first)) } else { Err(Refused::Rows(refused)) }
}

/// All values that keys have had, each with the number of its key; no column where there are none, and nothing where the bytes are damaged.
pub(super) fn values(had: &[Vec<u8>], data_type: &DataType) -> Option<(Vec<u32>, Option<ArrayRef>)> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (key, had) in (0_u32..).zip(had) {
        let mut rest = had.as_slice();
        while !rest.is_empty() {
            values.push(encoding::decode(data_type, &mut rest)?);
            keys.push(key);
        }
    }
    let column = if values.is_empty() { None } else { Some(ScalarValue::iter_to_array(values).ok()?) };
    Some((keys, column))
}

/// Takes values apart; nothing where the bytes are damaged.
fn split(mut had: &[u8], data_type: &DataType) -> Option<HashSet<Vec<u8>>> {
    let mut set = HashSet::new();
    while !had.is_empty() {
        set.insert(had.split_off(..encoding::length(data_type, had)?)?.to_vec());
    }
    Some(set)
}
