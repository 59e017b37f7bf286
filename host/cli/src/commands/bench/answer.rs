//! What came out, condensed, and what must have come out, computed without the engine.

use std::collections::HashMap;

use wasmill_connector::generator::mix;

use super::workload::{KEYS, SPREAD};
use super::{BenchArgs, BenchError, Workload, nexmark};

/// The event time that micro rows begin with, in milliseconds.
const FIRST_TIME: i64 = 1_700_000_000_000;
/// The letters of a payload.
const PAYLOAD: u64 = 68;
/// How long a window is, in milliseconds.
const MINUTE: i64 = 60_000;

/// Rows, and sums over them that no wrong answer is likely to have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answer {
    /// How many rows.
    pub rows: u64,
    /// The wrapping sum of all integers.
    pub integers: i64,
    /// The wrapping sum of all timestamps, in milliseconds.
    pub times: i64,
    /// The sum of all floats.
    pub floats: f64,
    /// The wrapping sum of all decimals, in units of their last digit.
    pub decimals: i128,
    /// The bytes of all texts.
    pub texts: u64,
}

impl PartialEq for Answer {
    /// Floats are summed in any order: equal to within a millionth.
    fn eq(&self, other: &Self) -> bool {
        let close = (self.floats - other.floats).abs() <= 1e-6 * self.floats.abs().max(1.0);
        let numbers = |answer: &Self| (answer.rows, answer.integers, answer.times, answer.decimals, answer.texts);
        numbers(self) == numbers(other) && close
    }
}

impl Answer {
    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            integers: self.integers.wrapping_add(other.integers),
            times: self.times.wrapping_add(other.times),
            floats: self.floats + other.floats,
            decimals: self.decimals.wrapping_add(other.decimals),
            texts: self.texts + other.texts,
        }
    }

    /// What must come out: of the keyed count keys and counts, and payloads where they are kept, of windows keys, counts and bounds, of map and filter numbers, keys, times and
    /// values; of Nexmark's queries their columns.
    ///
    /// # Errors
    /// Where Nexmark's events can't be made.
    pub fn expected(args: &BenchArgs, events: u64) -> Result<Self, BenchError> {
        let BenchArgs { workload, parallelism, skew, keys, payload, .. } = *args;
        let key = |id: u64| match id % 100 < skew {
            true => 0,
            false if keys == KEYS => (mix(id) >> 1) % KEYS,
            false => id * SPREAD % keys,
        };
        // Each task of the source has a timeline of its own.
        let tasks = u64::from(parallelism);
        let time = |id: u64| {
            let row = id % (events / tasks).max(1);
            FIRST_TIME + (row * tasks * 60 / 1_000).cast_signed() - ((mix(id) >> 40) % 500).cast_signed()
        };
        Ok(match workload {
            Workload::KeyedCount | Workload::Latency => {
                let mut counts = vec![0_i64; usize::try_from(keys).unwrap_or_default()];
                let texts = if payload { PAYLOAD } else { 0 };
                (0..events).fold(Self::default(), |answer, id| {
                    let key = key(id);
                    let count = &mut counts[usize::try_from(key).unwrap_or_default()];
                    *count += 1;
                    answer.plus(Self { rows: 1, integers: key.cast_signed().wrapping_add(*count), texts, ..Self::default() })
                })
            }
            Workload::WindowCount => {
                let mut counts = HashMap::new();
                for id in 0..events {
                    *counts.entry((key(id).cast_signed(), time(id).div_euclid(MINUTE) * MINUTE)).or_insert(0_i64) += 1;
                }
                counts.into_iter().fold(Self::default(), |answer, ((key, start), count)| {
                    answer.plus(Self { rows: 1, integers: key + count, times: start + start + MINUTE, ..Self::default() })
                })
            }
            Workload::MapFilter => (0..events).filter(|&id| key(id) % 2 == 0).fold(Self::default(), |answer, id| {
                let hash = mix(id);
                #[expect(clippy::cast_precision_loss, reason = "16 bits fit")]
                let value = (hash & 0xffff) as f64 / 16.0 * 1.1 + 1.0;
                let integers = id.cast_signed().wrapping_add(key(id).cast_signed());
                answer.plus(Self { rows: 1, integers, times: time(id) + 1, floats: value, texts: PAYLOAD, ..Self::default() })
            }),
            Workload::Recovery => anyhow::bail!("the answer of recovery is that of the process that goes on"),
            Workload::NexmarkQ0 => nexmark::q0(events, parallelism)?,
            Workload::NexmarkQ1 => nexmark::q1(events, parallelism)?,
            Workload::NexmarkQ2 => nexmark::q2(events, parallelism)?,
            Workload::NexmarkQ5 => nexmark::q5(events, parallelism)?,
            Workload::NexmarkQ7 => nexmark::q7(events, parallelism)?,
            Workload::NexmarkQ11 => nexmark::q11(events, parallelism)?,
            Workload::NexmarkQ12 => nexmark::q12(events, parallelism)?,
        })
    }
}
