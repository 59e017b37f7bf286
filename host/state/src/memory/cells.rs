//! The values of one state, a cell for each slot.

mod fixed;
mod variable;

use fixed::FixedCells;
use variable::VariableCells;

use super::bits::Bits;
use crate::values::Values;

/// The values of one state.
#[derive(Debug)]
pub struct Cells {
    present: Bits,
    /// How many slots have a value.
    count: usize,
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    Fixed(FixedCells),
    Variable(VariableCells),
}

impl Cells {
    /// Cells for values of a fixed width, or of any.
    pub fn new(width: Option<u32>) -> Self {
        let layout = match width {
            Some(width) => Layout::Fixed(FixedCells::new(width as usize)),
            None => Layout::Variable(VariableCells::default()),
        };
        Self { present: Bits::default(), count: 0, layout }
    }

    /// Makes room for `slots` slots; new ones have no value.
    pub fn grow(&mut self, slots: usize) {
        self.present.grow(slots);
        match &mut self.layout {
            Layout::Fixed(cells) => cells.grow(slots),
            Layout::Variable(cells) => cells.grow(slots),
        }
    }

    /// Which of slots `64 * index` and up have a value.
    #[inline]
    pub fn present_word(&self, index: usize) -> u64 {
        self.present.word(index)
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
                Layout::Variable(_) => values.get(index, None),
            };
            match value {
                Some(value) => self.put(place, value),
                None => {
                    if self.remove(place) {
                        removed.push(place);
                    }
                }
            }
        }
    }

    /// Writes one value.
    pub fn put(&mut self, place: u32, value: &[u8]) {
        self.count += usize::from(!self.present.replace(place, true));
        match &mut self.layout {
            Layout::Fixed(cells) => cells.put(place, value),
            Layout::Variable(cells) => cells.put(place, value),
        }
    }

    /// Writes behind the values of some slots, which have any length: what value `i` says behind that of slot `places[i]`.
    pub fn extend(&mut self, places: &[u32], more: &Values) {
        for (index, &place) in places.iter().enumerate() {
            let Some(more) = more.get(index, None) else { continue };
            match &mut self.layout {
                Layout::Variable(cells) => cells.append(place, more),
                Layout::Fixed(_) => unreachable!("a value of a fixed width has no room"),
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
            }
        }
        was
    }

    /// Appends the value of a slot that has one, as snapshots have it: with its length before it, where that isn't fixed.
    pub fn append(&self, place: u32, into: &mut Vec<u8>) {
        match &self.layout {
            Layout::Fixed(cells) => into.extend_from_slice(cells.get(place)),
            Layout::Variable(cells) => {
                let value = cells.get(place);
                #[expect(clippy::cast_possible_truncation, reason = "values came with offsets in a u32")]
                into.extend_from_slice(&(value.len() as u32).to_le_bytes());
                into.extend_from_slice(value);
            }
        }
    }

    /// The value of a slot.
    pub fn get(&self, place: u32) -> Option<&[u8]> {
        self.is_present(place).then(|| match &self.layout {
            Layout::Fixed(cells) => cells.get(place),
            Layout::Variable(cells) => cells.get(place),
        })
    }

    /// The bytes that so many more slots may take in passing.
    pub fn growth(&self, slots: usize) -> usize {
        match &self.layout {
            Layout::Fixed(cells) => cells.growth(slots),
            Layout::Variable(cells) => cells.growth(slots),
        }
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.present.held()
            + match &self.layout {
                Layout::Fixed(cells) => cells.held(),
                Layout::Variable(cells) => cells.held(),
            }
    }
}

/// Whether the first `count` bits are set.
fn all_present(present: &[u8], count: usize) -> bool {
    let (whole, rest) = present.split_at(count / 8);
    let mask = (1u8 << (count % 8)) - 1;
    whole.iter().all(|&byte| byte == u8::MAX) && rest.first().is_none_or(|&byte| byte & mask == mask)
}
