//! Accumulators of parts of a key's rows put together.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringViewArray};

use super::{Accumulators, Arguments, Kind, Layout, Slot};
use crate::aggregate::refused::Refused;
use crate::aggregate::{distinct, text_extreme};

impl Layout {
    /// Whether parts of rows can be put together in whatever order they come, with the result that all rows have.
    pub(in crate::aggregate) fn merges(&self) -> bool {
        let merges = |slot: &Slot| match &slot.kind {
            Kind::Variable { function, .. } => slot.seen.is_none() && function.merges_in_any_order(),
            _ => slot.seen.is_none(),
        };
        self.slots.iter().all(merges)
    }

    /// Whether parts of rows put together are exactly what all rows make; those that are computed elsewhere say so themselves.
    pub(in crate::aggregate) fn is_exact(&self) -> bool {
        let exact = |slot: &Slot| match &slot.kind {
            Kind::Fixed { accumulator, .. } => accumulator.is_exact(),
            Kind::Variable { function, .. } => function.is_exact(),
            Kind::Text { .. } | Kind::Foreign { .. } => true,
        };
        self.slots.iter().all(|slot| slot.seen.is_none() && exact(slot))
    }

    /// Whether what comes of these arguments can be put together with what [has room](Self::without_room) as if row by row.
    pub(in crate::aggregate) fn is_small(&self, arguments: &[Arguments]) -> bool {
        let small = |(slot, arguments): (&Slot, &Arguments)| match &slot.kind {
            Kind::Fixed { accumulator, .. } => accumulator.is_small(&arguments.values),
            _ => true,
        };
        self.slots.iter().zip(arguments).all(small)
    }

    /// The number of an aggregate that was merged and may have passed over a row which would have overflowed it.
    pub(in crate::aggregate) fn without_room(&self, accumulators: &Accumulators) -> Option<usize> {
        self.slots.iter().position(|slot| match &slot.kind {
            Kind::Fixed { offset, accumulator } => {
                let mut cells = accumulators.fixed.chunks_exact(self.fixed).map(|cells| &cells[*offset..]);
                !cells.all(|cell| accumulator.has_room(cell))
            }
            _ => false,
        })
    }

    /// The numbers of the aggregates that [`Self::merge`] doesn't work for; those that are computed elsewhere say so themselves.
    pub(in crate::aggregate) fn whole(&self) -> impl Iterator<Item = usize> {
        let whole = |(number, slot): (usize, &Slot)| (slot.seen.is_some() && slot.arguments.len() != 1).then_some(number);
        self.slots.iter().enumerate().filter_map(whole)
    }

    /// Adds what others have seen of the same keys, as if their rows had come after; but for those that are computed elsewhere. A problem
    /// comes with the number of its aggregate.
    pub(in crate::aggregate) fn merge(
        &self,
        accumulators: &mut Accumulators,
        others: &Accumulators,
        keys: usize,
    ) -> Result<(), (usize, Refused)> {
        for (number, slot) in self.slots.iter().enumerate() {
            let merged = match slot.seen {
                Some(seen) => self.merge_distinct(slot, seen, accumulators, others),
                None => self.merge_slot(slot, accumulators, others, keys),
            };
            merged.map_err(|refused| (number, refused))?;
        }
        Ok(())
    }

    /// Has the accumulators of some keys have seen nothing, but for those of a fixed width that are of these aggregates.
    pub(in crate::aggregate) fn empty(&self, accumulators: &mut Accumulators, keys: usize, but: Range<usize>) {
        let width = |slot: &Slot| match &slot.kind {
            Kind::Fixed { accumulator, .. } => accumulator.width(),
            _ => 0,
        };
        let widths = |slots: &[Slot]| slots.iter().map(width).sum::<usize>();
        let kept = widths(&self.slots[..but.start])..widths(&self.slots[..but.end]);
        for value in accumulators.fixed.chunks_exact_mut(self.fixed) {
            value[..kept.start].fill(0);
            value[kept.end..].fill(0);
        }
        accumulators.texts.fill(StringViewArray::new_null(keys));
        accumulators.held.fill(vec![Vec::new(); keys]);
        for (held, function) in accumulators.foreign.iter_mut().zip(self.foreign()) {
            held.clear();
            (0..keys).for_each(|_| held.push(function.initial.as_deref().unwrap_or_default()));
        }
    }

    fn merge_slot(
        &self,
        slot: &Slot,
        accumulators: &mut Accumulators,
        others: &Accumulators,
        keys: usize,
    ) -> Result<(), Refused> {
        match &slot.kind {
            Kind::Fixed { offset, accumulator } => {
                let width = accumulator.width();
                for at in (0..keys).map(|key| key * self.fixed + offset) {
                    let (cell, other) = (&mut accumulators.fixed[at..at + width], &others.fixed[at..at + width]);
                    accumulator.merge(cell, other).map_err(|_| Refused::Overflow)?;
                }
            }
            Kind::Text { index, greatest } => {
                let all: Vec<u32> = (0..).take(keys).collect();
                let (texts, others) = (&mut accumulators.texts[*index], &others.texts[*index]);
                *texts = text_extreme::update(*greatest, texts, &all, &(Arc::new(others.clone()) as ArrayRef)).1;
            }
            Kind::Variable { index, function } => function.merge(&mut accumulators.held[*index], &others.held[*index])?,
            Kind::Foreign { .. } => {}
        }
        Ok(())
    }

    /// Takes the values that others have seen as rows: those that are new count.
    fn merge_distinct(
        &self,
        slot: &Slot,
        seen: usize,
        accumulators: &mut Accumulators,
        others: &Accumulators,
    ) -> Result<(), Refused> {
        let data_type = slot.arguments.first().ok_or(Refused::Damaged)?;
        let (keys, values) = distinct::values(&others.held[seen], data_type).ok_or(Refused::Damaged)?;
        let Some(values) = values else { return Ok(()) };
        let first = distinct::first_seen(&mut accumulators.held[seen], &keys, &values, None)?;
        let mut arguments = Arguments { values: vec![values], counts: Some(first) };
        Self::count_only(slot, &mut arguments);
        self.update_slot(slot, accumulators, &keys, &arguments, None, false).map(|_| ())
    }
}
