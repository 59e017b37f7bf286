//! `min(x)` and `max(x)` of text, by bytes. What a key holds has no fixed width, and is kept apart from the other accumulators.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringViewArray};
use arrow_select::interleave::interleave;

/// Takes rows, whose keys are `keys`, and gives the value after each and the value of each key after all. `held` has each key's
/// value before. Texts aren't copied: views of them are.
pub(super) fn update(greatest: bool, held: &StringViewArray, keys: &[u32], argument: &ArrayRef) -> (ArrayRef, StringViewArray) {
    const HELD: usize = 0;
    const ARGUMENT: usize = 1;
    let argument = argument.as_string_view();
    let better = if greatest { Ordering::Greater } else { Ordering::Less };
    let mut best: Vec<(usize, usize)> = (0..held.len()).map(|key| (HELD, key)).collect();
    let text = |(source, index): (usize, usize)| {
        let array = if source == HELD { held } else { argument };
        array.is_valid(index).then(|| array.value(index))
    };
    let after = |(row, &key): (usize, &u32)| {
        let best = &mut best[key as usize];
        if let Some(found) = text((ARGUMENT, row))
            && text(*best).is_none_or(|held| found.cmp(held) == better)
        {
            *best = (ARGUMENT, row);
        }
        *best
    };
    let after: Vec<(usize, usize)> = keys.iter().enumerate().map(after).collect();
    (pick(held, argument, &after), pick(held, argument, &best).as_string_view().clone())
}

fn pick(held: &StringViewArray, argument: &StringViewArray, picked: &[(usize, usize)]) -> ArrayRef {
    #[expect(clippy::expect_used, reason = "both are text, and indices lie within them; else a bug that must not pass silently")]
    let picked = interleave(&[held, argument], picked).expect("indices within two arrays of text");
    Arc::clone(&picked)
}
