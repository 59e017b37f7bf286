//! `approx_percentile_cont(x, p)` and `approx_median(x)`: quantiles within a relative error, by counts of values in buckets.
//!
//! The sketch is `DDSketch` (Masson, Rim, Lee: `DDSketch`: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees, VLDB 2019).
//! Buckets are equal steps of the bits of a float, which grow about as its logarithm does: within a power of two they are as wide as the error
//! allows at its beginning, and half as wide as needed at its end. So a value's bucket is a division of integers, the same on each machine. Of a
//! key the counts are all that there is; they are added up in whatever order, and so the result depends on the values alone.
//!
//! Format `quantile`: for each bucket that has values, ascending, the distance from the one before (from bucket 0 for the first; zigzag) and
//! the count, both as LEB128. Bucket 0 has zeros and what is less than the least normal float; positive values are above it, negative below,
//! at the ends the infinities and, last, NaN.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array};
use arrow_schema::DataType;

use super::refused::Refused;
use super::variable::Variable;

/// The relative error where none is said.
pub(super) const ERROR: f64 = 0.01;
/// The errors that may be asked for: with less, a sketch of values of all magnitudes would be large.
pub(super) const ERRORS: std::ops::RangeInclusive<f64> = 0.005..=0.1;

const NAN: i32 = i32::MAX;
const INFINITY: i32 = i32::MAX - 1;
const NEGATIVE_INFINITY: i32 = i32::MIN;

/// A quantile of floats.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantile {
    /// From 0 to 1.
    quantile: f64,
    /// The width of a bucket, in steps of a float's bits.
    width: u64,
}

/// How many values are in a bucket, ascending by the bucket's number.
type Counts = Vec<(i32, u64)>;

impl Quantile {
    /// The quantile with this relative error, which is one of [`ERRORS`].
    pub(super) fn new(quantile: f64, error: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small part of 2 to the 52nd")]
        let width = (2.0 * error * (1_u64 << f64::MANTISSA_DIGITS.saturating_sub(1)) as f64) as u64;
        Self { quantile, width }
    }

    fn bucket(&self, value: f64) -> i32 {
        if value.is_nan() {
            return NAN;
        }
        if value.is_infinite() {
            return if value > 0.0 { INFINITY } else { NEGATIVE_INFINITY };
        }
        if value.abs() < f64::MIN_POSITIVE {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are half a million buckets at most")]
        let number = (value.abs().to_bits() / self.width) as i32 + 1;
        if value > 0.0 { number } else { -number }
    }

    /// What stands for the values of a bucket: none differs from it by more than the error, relative to itself.
    fn value(&self, bucket: i32) -> f64 {
        match bucket {
            NAN => return f64::NAN,
            INFINITY => return f64::INFINITY,
            NEGATIVE_INFINITY => return f64::NEG_INFINITY,
            0 => return 0.0,
            _ => {}
        }
        let number = u64::from(bucket.unsigned_abs()) - 1;
        let least = f64::from_bits(number * self.width).max(f64::MIN_POSITIVE);
        let most = f64::from_bits(((number + 1) * self.width).min(f64::MAX.to_bits()));
        let ratio = most / least;
        let value = least * (2.0 * ratio / (1.0 + ratio));
        if bucket > 0 { value } else { -value }
    }

    fn result(&self, counts: &Counts) -> Option<f64> {
        let all: u64 = counts.iter().map(|(_, count)| count).sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank is a count"
        )]
        let rank = (self.quantile * all.checked_sub(1)? as f64) as u64;
        let mut before = 0;
        let found = counts.iter().find(|(_, count)| {
            before += count;
            before > rank
        });
        found.or(counts.last()).map(|(bucket, _)| self.value(*bucket))
    }
}

fn add(counts: &mut Counts, bucket: i32, count: u64) {
    match counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
        Ok(index) => counts[index].1 += count,
        Err(index) => counts.insert(index, (bucket, count)),
    }
}

fn encode(counts: &Counts, out: &mut Vec<u8>) {
    out.clear();
    let mut before = 0;
    for &(bucket, count) in counts {
        let distance = i64::from(bucket) - before;
        before = i64::from(bucket);
        put((distance.cast_unsigned() << 1) ^ (distance >> 63).cast_unsigned(), out);
        put(count, out);
    }
}

fn decode(mut held: &[u8]) -> Result<Counts, Refused> {
    let (mut counts, mut before) = (Counts::new(), 0_i64);
    while !held.is_empty() {
        let (distance, count) = (take(&mut held)?, take(&mut held)?);
        before = before.wrapping_add((distance >> 1).cast_signed() ^ -(distance & 1).cast_signed());
        counts.push((i32::try_from(before).map_err(|_| Refused::Damaged)?, count));
    }
    if counts.is_sorted_by(|one, next| one.0 < next.0) { Ok(counts) } else { Err(Refused::Damaged) }
}

/// Appends a number, seven bits a byte, the lowest first.
fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Result<u64, Refused> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first().ok_or(Refused::Damaged)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Refused::Damaged)
}

impl Variable for Quantile {
    fn data_type(&self) -> &DataType {
        &DataType::Float64
    }

    fn has_long_values(&self) -> bool {
        false
    }

    fn format(&self) -> String {
        format!("quantile({})", self.width)
    }

    fn update(
        &self,
        held: &mut [Vec<u8>],
        keys: &[u32],
        arguments: &[ArrayRef],
        counts: Option<&BooleanArray>,
        wanted: bool,
    ) -> Result<ArrayRef, Refused> {
        let argument = arguments.first().ok_or(Refused::Damaged)?.as_primitive::<Float64Type>();
        let mut known: Vec<Option<Counts>> = vec![None; held.len()];
        let mut values = Vec::with_capacity(keys.len());
        for (row, &key) in keys.iter().enumerate() {
            let known = match &mut known[key as usize] {
                Some(known) => known,
                none => none.insert(decode(&held[key as usize])?),
            };
            if argument.is_valid(row) && counts.is_none_or(|counts| counts.is_valid(row) && counts.value(row)) {
                add(known, self.bucket(argument.value(row)), 1);
            }
            values.push(if wanted { self.result(known) } else { None });
        }
        for (held, known) in held.iter_mut().zip(known) {
            known.iter().for_each(|known| encode(known, held));
        }
        Ok(Arc::new(Float64Array::from(values)))
    }

    fn merge(&self, held: &mut [Vec<u8>], others: &[Vec<u8>]) -> Result<(), Refused> {
        for (held, other) in held.iter_mut().zip(others).filter(|(_, other)| !other.is_empty()) {
            if held.is_empty() {
                held.clone_from(other);
                continue;
            }
            let mut counts = decode(held)?;
            decode(other)?.into_iter().for_each(|(bucket, count)| add(&mut counts, bucket, count));
            encode(&counts, held);
        }
        Ok(())
    }

    fn merges_in_any_order(&self) -> bool {
        true
    }

    fn values(&self, held: &[Vec<u8>]) -> Result<ArrayRef, Refused> {
        let values = held.iter().map(|held| Ok(self.result(&decode(held)?))).collect::<Result<Vec<_>, Refused>>()?;
        Ok(Arc::new(Float64Array::from(values)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held(sketch: &Quantile, values: &[f64]) -> Vec<u8> {
        let mut held = vec![Vec::new()];
        let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        sketch.update(&mut held, &vec![0; values.len()], &[column], None, false).expect("taken");
        held.remove(0)
    }

    fn any_values() -> impl Strategy<Value = Vec<f64>> {
        let value =
            prop_oneof![4 => -1e3..1e3_f64, 2 => any::<f64>(), 1 => Just(0.0), 1 => (-300..300_i32).prop_map(|e| 10_f64.powi(e))];
        prop::collection::vec(value, 1..200)
    }

    proptest! {
        #[test]
        fn a_quantile_is_within_the_error_of_the_value_of_its_rank(
            mut values in any_values(), quantile in 0.0..=1.0_f64, error in ERRORS,
        ) {
            let sketch = Quantile::new(quantile, error);
            let found = sketch.result(&decode(&held(&sketch, &values)).expect("written")).expect("values");
            // NaN is greater than every other float.
            values.sort_by(|one, other| one.is_nan().cmp(&other.is_nan()).then(one.total_cmp(other)));
            let exact = values[(quantile * (values.len() - 1) as f64) as usize];
            let near = (found - exact).abs() <= error * exact.abs() * (1.0 + 1e-9) || (exact.abs() < f64::MIN_POSITIVE && found == 0.0);
            prop_assert!(near || found == exact || (found.is_nan() && exact.is_nan()), "{found} for {exact}");
        }

        #[test]
        fn what_is_held_does_not_depend_on_the_order_of_rows_nor_on_how_parts_are_put_together(
            values in any_values(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6), shuffled in any::<u64>(),
        ) {
            let sketch = Quantile::new(0.9, ERROR);
            let whole = held(&sketch, &values);
            let mut mixed = values.clone();
            mixed.sort_by_key(|value| value.to_bits().wrapping_mul(shuffled | 1));
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(values.len())).chain([0, values.len()]).collect();
            cuts.sort_unstable();
            let mut merged = vec![Vec::new()];
            for part in cuts.windows(2).rev() {
                sketch.merge(&mut merged, &[held(&sketch, &mixed[part[0]..part[1]])]).expect("merged");
            }
            prop_assert_eq!(&merged[0], &whole);
            for end in 1..whole.len() {
                drop(decode(&whole[..end]));
            }
        }
    }

    #[test]
    fn a_thousand_values_of_any_size_take_some_kilobytes() {
        let sketch = Quantile::new(0.5, ERROR);
        let values: Vec<f64> = (1..100_000).map(|value| f64::from(value) / 7.0).collect();
        assert!(held(&sketch, &values).len() < 4_096);
        assert_eq!(held(&sketch, &[1.0]), [0x9e, 0x9f, 6, 1], "bucket 51151, once");
    }
}
