//! What one state keeps, a cell for each slot.

mod fixed;
mod lists;
mod maps;
pub mod short_bytes;
mod variable;

use std::borrow::Cow;

use fixed::FixedCells;
use lists::Lists;
use maps::{Map, Maps};
use variable::VariableCells;

use super::bits::Bits;
use super::changes::Changes;
use crate::contract::{ItemChange, StateError, StateKind, StateNeed};
use crate::snapshot::Change;
use crate::snapshot::reader::map_changes;
use crate::values::Values;

/// The values, lists or maps of one state. A slot has a value, here, where its list or map has something.
#[derive(Debug)]
pub struct Cells {
    present: Bits,
    /// How many slots have a value.
    count: usize,
    layout: Layout,
    /// What changed from the confirmed snapshot to the latest mark.
    pub before: Changes,
    /// What changed since the latest mark.
    pub since: Changes,
}

#[derive(Debug)]
enum Layout {
    Fixed(FixedCells),
    Variable(VariableCells),
    Lists(Lists),
    Maps(Maps),
}

impl Cells {
    /// Cells for a state.
    pub fn new(need: &StateNeed) -> Self {
        let layout = match (need.kind, need.width) {
            (StateKind::Value, Some(width)) => Layout::Fixed(FixedCells::new(width as usize)),
            (StateKind::Value, None) => Layout::Variable(VariableCells::default()),
            (StateKind::List | StateKind::Task, _) => Layout::Lists(Lists::default()),
            (StateKind::Map | StateKind::Broadcast, _) => Layout::Maps(Maps::default()),
        };
        Self { present: Bits::default(), count: 0, layout, before: Changes::default(), since: Changes::default() }
    }

    /// Makes room for `slots` slots; new ones have no value.
    pub fn grow(&mut self, slots: usize) {
        self.present.grow(slots);
        self.before.grow(slots);
        self.since.grow(slots);
        match &mut self.layout {
            Layout::Fixed(cells) => cells.grow(slots),
            Layout::Variable(cells) => cells.grow(slots),
            Layout::Lists(cells) => cells.grow(slots),
            Layout::Maps(cells) => cells.grow(slots),
        }
    }

    /// Makes room for so many more slots.
    pub fn reserve(&mut self, slots: usize) {
        match &mut self.layout {
            Layout::Fixed(cells) => cells.reserve(slots),
            Layout::Variable(cells) => cells.reserve(slots),
            Layout::Lists(cells) => cells.reserve(slots),
            Layout::Maps(cells) => cells.reserve(slots),
        }
    }

    /// Whether it has values, not lists or maps.
    #[inline]
    pub fn is_of_values(&self) -> bool {
        matches!(self.layout, Layout::Fixed(_) | Layout::Variable(_))
    }

    /// Whether it has values of one width.
    pub fn is_fixed(&self) -> bool {
        matches!(self.layout, Layout::Fixed(_))
    }

    /// Whether it has lists.
    pub fn is_of_lists(&self) -> bool {
        matches!(self.layout, Layout::Lists(_))
    }

    /// Whether a slot has nothing, and had nothing at the confirmed snapshot.
    pub fn has_nothing_to_say(&self, place: u32) -> bool {
        !self.present.get(place) && !self.before.has(place) && !self.since.has(place)
    }

    /// Marks a snapshot: what changed is before it now.
    pub fn mark(&mut self) {
        self.before.absorb(&mut self.since);
    }

    /// Notes that the list or map of a slot is cleared.
    pub fn note_cleared(&mut self, place: u32) {
        if self.is_of_lists() {
            self.since.replace(&[place]);
        } else {
            self.since.clear_map(place);
        }
    }

    /// Which of slots `64 * index` and up have a value.
    #[inline]
    pub fn present_word(&self, index: usize) -> u64 {
        self.present.word(index)
    }

    /// Whether no slot has a value.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a slot has a value.
    #[inline]
    pub fn is_present(&self, place: u32) -> bool {
        self.present.get(place)
    }

    /// The values of some slots, replacing what was in `into`. `slots` is how many slots there are.
    pub fn load(&self, places: &[u32], slots: usize, into: &mut Values) {
        into.offsets.clear();
        into.data.clear();
        self.load_present(places, slots, &mut into.present);
        match &self.layout {
            Layout::Fixed(cells) => cells.load(places, &mut into.data),
            Layout::Variable(cells) => cells.load(places, &mut into.offsets, &mut into.data),
            Layout::Lists(_) | Layout::Maps(_) => unreachable!("lists and maps are looked at by other calls"),
        }
    }

    fn load_present(&self, places: &[u32], slots: usize, into: &mut Vec<u8>) {
        into.clear();
        if self.count == slots {
            // Every slot has a value, the usual case with one state: there is nothing to look up.
            into.resize(places.len() / 8, u8::MAX);
            if !places.len().is_multiple_of(8) {
                into.push((1 << (places.len() % 8)) - 1);
            }
            return;
        }
        into.extend(places.chunks(8).map(|places| {
            places.iter().enumerate().fold(0, |byte, (bit, &place)| byte | u8::from(self.present.get(place)) << bit)
        }));
    }

    /// Writes values to slots: value `i` to slot `places[i]`, in this order. Slots whose value is removed are added to `removed`.
    pub fn store(&mut self, places: &[u32], slots: usize, values: &Values, removed: &mut Vec<u32>) {
        if let Layout::Fixed(cells) = &mut self.layout
            && all_present(&values.present, places.len())
        {
            cells.store(places, &values.data);
            if self.count != slots {
                for &place in places {
                    self.count += usize::from(!self.present.replace(place, true));
                }
            }
            return;
        }
        for (index, &place) in places.iter().enumerate() {
            let value = match &self.layout {
                Layout::Fixed(cells) => values.get(index, Some(cells.width())),
                Layout::Variable(_) | Layout::Lists(_) | Layout::Maps(_) => values.get(index, None),
            };
            match value {
                Some(value) => self.write(place, value),
                None => {
                    if self.remove(place) {
                        removed.push(place);
                    }
                }
            }
        }
    }

    /// Does to a slot what a snapshot says.
    pub fn restore(&mut self, place: u32, change: Change<'_>) -> Result<(), StateError> {
        let more = match change {
            Change::Set(value) => {
                self.write(place, value);
                return Ok(());
            }
            Change::Remove => {
                self.remove(place);
                return Ok(());
            }
            Change::Add(more) => more,
        };
        let (what, is, taken) = match &mut self.layout {
            Layout::Fixed(_) => ("value of fixed width", true, false),
            Layout::Variable(cells) => {
                cells.append(place, more);
                ("value", true, true)
            }
            // A list or map without anything in it would be there and not there.
            Layout::Lists(cells) => ("list", true, !more.is_empty() && cells.add(place, more).is_some()),
            Layout::Maps(cells) => {
                let taken = !more.is_empty() && map_changes(more, |entry, value| cells.set(place, entry, value));
                ("map", !cells.is_empty(place), taken)
            }
        };
        if !taken {
            return Err(StateError::Damaged(format!("a {what} of {} bytes can't be read", more.len())));
        }
        let was = self.present.replace(place, is);
        self.count = self.count + usize::from(is) - usize::from(was);
        Ok(())
    }

    /// Writes one value.
    fn write(&mut self, place: u32, value: &[u8]) {
        self.count += usize::from(!self.present.replace(place, true));
        match &mut self.layout {
            Layout::Fixed(cells) => cells.put(place, value),
            Layout::Variable(cells) => cells.put(place, value),
            Layout::Lists(_) | Layout::Maps(_) => unreachable!("lists and maps are changed by other calls"),
        }
    }

    /// Changes lists or maps; key `i` is in slot `places[i]`. Slots that have nothing any more are added to `removed`.
    pub fn change(&mut self, places: &[u32], change: &ItemChange, removed: &mut Vec<u32>) {
        match (change, &mut self.layout) {
            (ItemChange::Append { keys, items }, Layout::Lists(lists)) => {
                for (&key, item) in keys.iter().zip(items.iter()) {
                    let place = places[key as usize];
                    lists.append(place, item);
                    self.count += usize::from(!self.present.replace(place, true));
                }
            }
            (ItemChange::Put { keys, entries, values }, Layout::Maps(maps)) => {
                for (index, (&key, entry)) in keys.iter().zip(entries.iter()).enumerate() {
                    let place = places[key as usize];
                    maps.set(place, entry, values.get(index, None));
                    let (is, was) = (!maps.is_empty(place), self.present.get(place));
                    match (was, is) {
                        (false, true) => self.count += 1,
                        (true, false) => {
                            self.count -= 1;
                            removed.push(place);
                        }
                        (false, false) | (true, true) => {}
                    }
                    self.present.replace(place, is);
                }
            }
            (ItemChange::ClearLists(keys), Layout::Lists(_)) | (ItemChange::ClearMaps(keys), Layout::Maps(_)) => {
                let places = keys.iter().map(|&key| places[key as usize]);
                removed.extend(places.filter(|&place| self.remove(place)));
            }
            _ => unreachable!("a change is of its state's kind"),
        }
    }

    /// The lists, where this is a state of lists.
    pub fn lists(&self) -> &Lists {
        match &self.layout {
            Layout::Lists(lists) => lists,
            _ => unreachable!("a call is of its state's kind"),
        }
    }

    /// The maps, where this is a state of maps.
    pub fn maps(&self) -> &Maps {
        match &self.layout {
            Layout::Maps(maps) => maps,
            _ => unreachable!("a call is of its state's kind"),
        }
    }

    /// Writes behind the values of some slots, which have any length: what value `i` says behind that of slot `places[i]`.
    pub fn extend(&mut self, places: &[u32], more: &Values) {
        for (index, &place) in places.iter().enumerate() {
            let Some(more) = more.get(index, None) else { continue };
            match &mut self.layout {
                Layout::Variable(cells) => cells.append(place, more),
                Layout::Fixed(_) | Layout::Lists(_) | Layout::Maps(_) => unreachable!("only values of any length have room"),
            }
            self.count += usize::from(!self.present.replace(place, true));
        }
    }

    /// Removes a slot's value; whether there was one.
    pub fn remove(&mut self, place: u32) -> bool {
        let was = self.present.replace(place, false);
        if was {
            self.count -= 1;
            match &mut self.layout {
                Layout::Fixed(cells) => cells.clear(place),
                Layout::Variable(cells) => cells.clear(place),
                Layout::Lists(cells) => cells.clear(place),
                Layout::Maps(cells) => cells.clear(place),
            }
        }
        was
    }

    /// The value of a slot, where this is a state of values.
    pub fn value(&self, place: u32) -> &[u8] {
        match &self.layout {
            Layout::Fixed(cells) => cells.get(place),
            Layout::Variable(cells) => cells.get(place),
            Layout::Lists(_) | Layout::Maps(_) => unreachable!("lists and maps are looked at by other calls"),
        }
    }

    /// Takes a slot's list as it is stored, before it is removed.
    pub fn take_list(&mut self, place: u32) -> Vec<u8> {
        match &mut self.layout {
            Layout::Lists(lists) => lists.take(place),
            _ => unreachable!("a call is of its state's kind"),
        }
    }

    /// Takes a slot's map, before it is removed.
    pub fn take_map(&mut self, place: u32) -> Map {
        match &mut self.layout {
            Layout::Maps(maps) => maps.take(place),
            _ => unreachable!("a call is of its state's kind"),
        }
    }

    /// The value of a slot; a list or map as it is stored.
    pub fn get(&self, place: u32) -> Option<Cow<'_, [u8]>> {
        self.is_present(place).then(|| match &self.layout {
            Layout::Fixed(cells) => Cow::Borrowed(cells.get(place)),
            Layout::Variable(cells) => Cow::Borrowed(cells.get(place)),
            Layout::Lists(cells) => Cow::Borrowed(cells.stored(place)),
            Layout::Maps(cells) => {
                let mut stored = Vec::new();
                cells.store(place, &mut stored);
                Cow::Owned(stored)
            }
        })
    }

    /// The bytes that so many more slots may take in passing.
    pub fn growth(&self, slots: usize) -> usize {
        match &self.layout {
            Layout::Fixed(cells) => cells.growth(slots),
            Layout::Variable(cells) => cells.growth(slots),
            Layout::Lists(cells) => cells.growth(slots),
            Layout::Maps(cells) => cells.growth(slots),
        }
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.present.held()
            + self.before.held()
            + self.since.held()
            + match &self.layout {
                Layout::Fixed(cells) => cells.held(),
                Layout::Variable(cells) => cells.held(),
                Layout::Lists(cells) => cells.held(),
                Layout::Maps(cells) => cells.held(),
            }
    }
}

/// Whether the first `count` bits are set.
fn all_present(present: &[u8], count: usize) -> bool {
    let (whole, rest) = present.split_at(count / 8);
    let mask = (1u8 << (count % 8)) - 1;
    whole.iter().all(|&byte| byte == u8::MAX) && rest.first().is_none_or(|&byte| byte & mask == mask)
}
