//! Which aggregates rows can be taken back from.

use super::{Kind, Layout, Slot};

impl Layout {
    /// The numbers of the aggregates that no row can be taken back from; those that are computed elsewhere say so themselves.
    pub(in crate::aggregate) fn keeping(&self) -> impl Iterator<Item = usize> {
        let keeps = |slot: &Slot| match &slot.kind {
            Kind::Fixed { accumulator, .. } => slot.seen.is_some() || !accumulator.retracts(),
            Kind::Text { .. } | Kind::Variable { .. } => true,
            Kind::Foreign { .. } => false,
        };
        self.slots.iter().enumerate().filter_map(move |(number, slot)| keeps(slot).then_some(number))
    }
}
